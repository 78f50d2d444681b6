"""From a run's folder back to what was run: a workflow with its arguments, or a sort."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from .actors.errors import UsageError
from .actors.simulation.world import WORLD, World
from .actors.tables import concat
from .launch import WORLD_FILE
from .supervisor.budget import Budget
from .supervisor.control import give_order
from .supervisor.diary import Diary
from .supervisor.run_lock import is_locked, lock_run
from .supervisor.store import RunRecord, RunStore, find_run
from .supervisor.workflow import Workflow, decode_args
from .workflows import load_reference


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a run's folder says of a workflow's run."""

    record: RunRecord
    workflow: Workflow[..., Any]
    args: dict[str, Any]
    world: World

    @property
    def data(self) -> Mapping[str, Any]:
        """The run's account so far."""
        return self.record.data


def remember(run: str, workflow: Workflow[..., Any] | None, args: Mapping[str, Any]) -> Remembered:
    """Return what *run* (an id, its beginning, or `last`) was; raises UsageError where it cannot.

    A *workflow* given here takes the place of the one on record, *args* those of its arguments that
    they name.
    """
    record = find_run(run)
    data = record.data
    if data.get("kind") != "workflow":
        raise UsageError(f"run {record.path.name} is no workflow's run; `commedia show` says what")
    found = workflow or load_reference(str(data["reference"]))
    known = data.get("args")
    if known is None and not args:
        raise UsageError(
            f"the arguments of run {record.path.name} could not be kept; give them again: "
            f"session.resume(run, workflow, ...)"
        )
    kept = {} if known is None else _fitting(found, known, args)
    return Remembered(record, found, {**kept, **args}, _world(record.path))


def _fitting(
    workflow: Workflow[..., Any], known: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments on record that *workflow* still takes, but for those *given* anew."""
    taken = {each.name for each in workflow.parameters} - given.keys()
    kept = {name: value for name, value in known.items() if name in taken}
    return decode_args(workflow, kept, given=given)


def _world(folder: Path) -> World:
    file = folder / WORLD_FILE
    if not file.exists():
        return World()
    table = pq.read_table(file)
    plain = table.cast(WORLD)
    return World.of_batch(concat(plain.to_batches(), WORLD))


def check_budget(record: RunRecord, budget: Budget) -> None:
    """Raise UsageError where a completed run spent more than *budget*: it would be undone."""
    data = record.data
    if data.get("status") != "completed" or str(budget) == data.get("budget"):
        return
    agents = data.get("agents") or data.get("calls") or 0
    spent = {
        "nanousd": round((data.get("cost_usd") or 0.0) * 1e9),
        "tokens": data.get("tokens") or 0,
        "agents": agents,
    }
    for unit, amount in spent.items():
        cap = getattr(budget, unit)
        if cap is not None and amount > cap:
            raise UsageError(
                f"run {record.path.name} is completed, and took {Budget(**{unit: amount})}, more "
                f"than the budget ({Budget(**{unit: cap})}); give a higher one, or none"
            )


def is_sort(run: str) -> bool:
    """Whether *run* is a sort."""
    return find_run(run).data.get("kind") != "workflow"


def settings_of(data: Mapping[str, Any]) -> str | None:
    """Return the budget that a run had, as it is written; None without."""
    budget = str(data.get("budget") or "")
    return None if budget in ("", str(Budget())) else budget


class Answered(NamedTuple):
    """The run that was given an answer, and whether that *is_recorded*, or only handed over."""

    run: str
    is_recorded: bool


def record_answer(run: str, answer: str) -> Answered:
    """Give *answer* to the question that *run* waits for.

    One that is paused finds it in its journal. One that is under way is handed it, and takes it if
    it waits for such an answer: only that run itself knows. Raises UsageError where nothing is
    asked, as by a sort.
    """
    record = find_run(run)
    name = record.path.name
    if record.data.get("kind") == "workflow" and is_locked(record.path):
        give_order(record.path, {"answer": answer})
        return Answered(name, False)
    path, key = record.data.get("pending"), record.data.get("pending_key")
    if not path or key is None:
        raise UsageError(f"run {name} waits for no answer")
    options = record.data.get("options") or []
    if options and answer not in options:
        raise UsageError(f"run {name} asks for one of: {', '.join(options)}")
    with lock_run(record.path):
        told = {"t": "ask", "p": path, "h": key, "value": answer}
        asyncio.run(_append(record.path, told))
        RunStore(record.path, {}).update({"pending": None, "pending_key": None})
    return Answered(name, True)


async def _append(folder: Path, record: Mapping[str, Any]) -> None:
    diary = await Diary.open(folder)
    await diary.record(record)
    await diary.close()
