"""A workflow on its way: checked, given a folder, run under a supervisor, and accounted for."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .actors.answers import ROOM
from .actors.messages import ModelSpec
from .actors.simulation.world import World
from .call_notes import CAUSES, causes_in_words
from .choice import NOBODY
from .models import source_of
from .patterns.loops import Loop
from .results import counted
from .run_result import RunResult, RunStatus, unshowable
from .supervisor.budget import Budget
from .supervisor.control import forget_orders
from .supervisor.driver import Driver
from .supervisor.orders import Execute, Finished, Mode, RunSpec
from .supervisor.run_lock import lock_run
from .supervisor.store import RunStore
from .supervisor.workflow import UnwritableArgumentError, Workflow, encode_args, short

_MOST_CAUSES = 3
WORLD_FILE = "world.parquet"


@dataclass(frozen=True, slots=True)
class Launch:
    """One execution of a workflow: what it is given, and by whom its agents are played."""

    workflow: Workflow[..., Any]
    args: Mapping[str, Any]
    model: ModelSpec
    budget: Budget
    seed: int = 0
    slots: int | None = None
    world: World = field(default_factory=World)
    mode: Mode = "content"
    loop: Loop | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def spec(self, folder: Path, **settings: Any) -> RunSpec:
        """Return what the supervisor needs to know of it."""
        return RunSpec(
            run_id=folder.name,
            folder=folder,
            model=self.model,
            budget=self._spendable(),
            seed=self.seed,
            slots=self.slots,
            mode=self.mode,
            **settings,
        )

    def _spendable(self) -> Budget:
        """Return the budget; without dollars where there is no model that could take any."""
        return replace(self.budget, nanousd=None) if self.model.name == NOBODY else self.budget


async def perform(launch: Launch, spec: RunSpec, drive: Callable[[], Driver]) -> RunResult[Any]:
    """Run *launch* in its folder, and return what it came to; a workflow that raises has failed.

    Raises RunLockedError where another process runs it already.
    """
    with lock_run(spec.folder):
        forget_orders(spec.folder)
        store = _store(launch, spec)
        _open(store, launch, spec)
        began = time.monotonic()
        script = launch.workflow if launch.loop is None else launch.loop.around(launch.workflow)
        order = Execute(spec=spec, workflow=script, args=dict(launch.args))
        try:
            finished = await drive().run(order, launch.world)
        except asyncio.CancelledError:
            store.update({"status": "interrupted", "why": "it was ended from outside"})
            raise
        except BaseException as error:
            store.update({"status": "failed", "why": str(error) or type(error).__name__})
            raise
        result = _closed(launch, spec, finished, time.monotonic() - began)
        store.update(
            {
                **result.to_json(),
                "options": finished.inquiry.options if finished.inquiry else None,
                "pending": finished.inquiry.path if finished.inquiry else None,
                "pending_key": finished.inquiry.key if finished.inquiry else None,
                "trace": result.trace,
            }
        )
        return result


def _open(store: RunStore, launch: Launch, spec: RunSpec) -> None:
    """Write what is known of a run before it begins: all that a resume needs."""
    try:
        args: dict[str, Any] | None = encode_args(launch.workflow, launch.args)
    except UnwritableArgumentError:  # such a run is resumed by who has the arguments
        args = None
    if launch.world.things:
        store.write_world(launch.world.batch())
    store.update(
        {
            "kind": "workflow",
            "run_id": spec.run_id,
            "status": "running",
            "workflow": launch.workflow.name,
            "reference": launch.workflow.reference,
            "args": args,
            "model": launch.model.name,
            "model_source": _source_of(launch.model),
            "base_url": launch.model.base_url,
            "in_flight": launch.model.in_flight,
            "simulated": launch.model.is_simulated,
            "seed": launch.seed,
            "slots": launch.slots,
            "hosts": spec.hosts,
            "loop": None if launch.loop is None else asdict(launch.loop),
            "budget": str(launch.budget),
            "started": launch.started.isoformat(timespec="seconds"),
        }
    )


def _source_of(model: ModelSpec) -> str | None:
    """Return where the script of *model* is found again; what needs no model finds ours by name."""
    return None if model.name == NOBODY else source_of(model.script)


def _closed(launch: Launch, spec: RunSpec, finished: Finished, wall_s: float) -> RunResult[Any]:
    tally = finished.tally
    inquiry = finished.inquiry if finished.paused == "question" else None
    return RunResult(
        status=_status(launch, finished),
        run_id=spec.run_id,
        workflow=launch.workflow.name,
        model=launch.model.name,
        simulated=tally.is_simulated,
        agents=tally.agents,
        calls=tally.calls,
        tokens=tally.tokens,
        cost_usd=tally.nanousd / 1e9 if tally.is_priced else None,
        missing=tally.missing,
        branches=tally.branches,
        reused=tally.reused,
        recalled=tally.recalled,
        asked=tally.calls if launch.model.is_simulated else tally.asked,
        unsettled=[call.told() for call in tally.unsettled],
        wall_s=round(wall_s, 3),
        virtual_s=finished.virtual_s,
        why=_why(launch, finished),
        question=inquiry.question if inquiry else None,
        notes=tuple(_notes(finished)),
        options=tuple(inquiry.options or ()) if inquiry else (),
        trace=finished.trace,
        _value=finished.value,
    )


def _status(launch: Launch, finished: Finished) -> RunStatus:
    if finished.failed is not None:
        return "failed"
    if finished.paused is not None:
        return "interrupted" if finished.paused == "interrupt" else "paused"
    tally = finished.tally
    is_short = tally.missing or tally.branches or tally.dead_letters or tally.overruns
    is_halted = finished.halted not in (None, "interrupt")  # it had ended before it could stop
    lacks = is_halted or _shortfall(launch, finished)
    return "degraded" if is_short or lacks else "completed"


def _shortfall(launch: Launch, finished: Finished) -> str | None:
    return None if launch.loop is None else launch.loop.shortfall(finished.value)


def _why(launch: Launch, finished: Finished) -> str | None:
    if finished.failed is not None:
        return finished.failed
    cause = finished.tally.broken or "type"  # of which the gateway knows nothing
    match finished.paused:
        case None:
            return _shortfall(launch, finished)
        case "budget" if finished.tally.overruns:
            return (
                "the server charged more than a call can have taken, so that no budget holds; what "
                "was answered is kept; resume with higher limits, such as max_tokens"
            )
        case "budget":
            return f"{_shortage(launch, finished)}; resume with a higher --budget"
        case "breaker":
            said = CAUSES.get(cause, cause)
            return f"too many calls in a row failed for one cause: {said}; mend it and resume"
        case "silence":
            return "too many calls in a row had no usable answer; mend it and resume"
        case "question":
            return "it waits for an answer"
        case _:
            return "stopped by the user"


def _shortage(launch: Launch, finished: Finished) -> str:
    short, spent = finished.tally.short, _has_room(launch.budget, finished)
    if short is None and spent is not None:
        return (
            f"the budget ({launch.budget}) does not cover the next call, which may take its prompt "
            f"and {ROOM:,} tokens of answer (or max_tokens); {spent} of it is spent"
        )
    if short is None or short[1] == 0:
        return f"the budget ({launch.budget}) is spent; what was answered is kept"
    wanted, left = short
    return (
        f"the next stage is {wanted:,} agents wide, the budget ({launch.budget}) leaves {left:,}, "
        "so it was not begun"
    )


def _has_room(budget: Budget, finished: Finished) -> str | None:
    """Return what is spent where a next call may have been too large; None where nothing is left.

    Time is spent to the end, and a cap on agents is told by how many are left.
    """
    tally = finished.tally
    used = {"tokens": tally.tokens, "nanousd": tally.nanousd}
    caps = {unit: getattr(budget, unit) for unit in used if getattr(budget, unit) is not None}
    is_full = any(used[unit] >= cap for unit, cap in caps.items())
    if not caps or is_full or budget.wall_s is not None:
        return None
    said = {"tokens": f"{tally.tokens:,} tokens", "nanousd": f"${tally.nanousd / 1e9:,.4f}"}
    return " and ".join(said[unit] for unit in caps)


def _notes(finished: Finished) -> list[str]:
    tally, notes = finished.tally, []
    if tally.causes:
        notes.append(f"answers are missing because: {causes_in_words(tally.causes)}")
    if finished.unasked:
        shown = ", ".join(map(short, finished.unasked[:_MOST_CAUSES]))
        agents = counted(len(finished.unasked), "agent")
        notes.append(
            f"{agents} never ran, as nobody awaited the verb, or it was cancelled first: {shown}"
        )
    if finished.left:
        shown = ", ".join(map(short, finished.left[:_MOST_CAUSES]))
        agents = counted(len(finished.left), "agent")
        notes.append(f"{agents} had no answer yet when the workflow ended: {shown}")
    causes = sorted(tally.branch_causes.items(), key=lambda cause: -cause[1])
    for why, times in causes[:_MOST_CAUSES]:
        notes.append(f"{counted(times, 'branch', 'branches')} failed with {why}")
    if len(causes) > _MOST_CAUSES:
        notes.append(f"{len(causes) - _MOST_CAUSES} more causes are in the run's events")
    if tally.overruns:
        notes.append(
            f"the server charged {tally.overruns} calls more than they can have taken, so nothing "
            "more was asked"
        )
    if odd := unshowable(finished.value):
        notes.append(f"the value holds what is no JSON, shown as Python shows it: {odd}")
    if tally.deaths:
        notes.append(f"{len(tally.deaths)} times a process died and was started again")
    if finished.halted not in (None, "interrupt") and finished.paused is None:
        notes.append(f"the run was halted early ({finished.halted})")
    return notes


def _store(launch: Launch, spec: RunSpec) -> RunStore:
    simulated = "yes" if launch.model.is_simulated else "no"
    metadata = {"run_id": spec.run_id, "model": launch.model.name, "simulated": simulated}
    return RunStore(spec.folder, metadata)
