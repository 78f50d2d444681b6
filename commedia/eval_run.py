"""An evaluation on its way: its outputs made, its judges asked, its folder filled."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .actors.errors import RunFailedError
from .actors.tables import INPUT, ITEMS, UNTRUSTED, batch
from .eval_account import close_eval, fail_eval, open_eval
from .eval_commands import UNSAFE, Errand, Made, run_all
from .eval_result import EvalResult
from .evals import EvalJob, outputs_in
from .outputs import write_table
from .patterns.evaluation import Contest, Evaluated, evaluate, score_outputs
from .patterns.value_board import board_of_values
from .supervisor.control import forget_orders
from .supervisor.driver import Driver
from .supervisor.orders import Execute, RunSpec
from .supervisor.progress import RunProgress
from .supervisor.run_lock import lock_run
from .supervisor.store import create_run

INPUT_FILE: Final = "input.parquet"
ITEMS_FILE: Final = "items.parquet"
OUTPUTS_FILE: Final = "outputs.parquet"

Watch = Callable[[RunProgress], None]

NO_NUMBER: Final = "it returned no finite number"

_STEPS: Final = 10
"""How often it is told how many commands are done."""


@dataclass(slots=True)
class Outputs:
    """What each system made of each item: *made* is (items, systems) of them, row by row."""

    made: list[list[Made]]
    checks: dict[str, int] = field(default_factory=dict)
    """How often a function that checks failed, by what it raised."""

    @property
    def there(self) -> list[tuple[int, int]]:
        """The item and system of each output that there is, item by item."""
        return [
            (item, system)
            for item, row in enumerate(self.made)
            for system, made in enumerate(row)
            if made.text is not None
        ]

    def text(self, item: int, system: int) -> str:
        """Return an output that there is."""
        text = self.made[item][system].text
        assert text is not None
        return text


def contest_of(job: EvalJob, outputs: Outputs) -> Contest:
    """Return who competes, with the outputs that there are."""
    there = outputs.there
    judges = job.judges
    own = [
        (judge, system)
        for system, name in enumerate(job.names)
        for judge, model in enumerate(judges)
        if job.author(name) == model
    ]
    return Contest(
        system=tuple(system for _, system in there),
        item=tuple(item for item, _ in there),
        names=tuple(job.names),
        items=len(job.prepared.ids),
        by=tuple(job.rubric.by()),
        weights=tuple(job.rubric.shares),
        judges=max(len(judges), 1),
        own=tuple(own),
    )


def output_table(job: EvalJob, outputs: Outputs) -> pa.RecordBatch:
    """Return the outputs as what judges compare (ITEMS); their ids alone say whose they are."""
    ids, prompts, names = job.prepared.ids, job.prepared.texts, job.names
    there = outputs.there
    columns: dict[str, Any] = {
        "id": [f"{ids[item]}/{names[system]}" for item, system in there],
        "text": [outputs.text(*place) for place in there],
        "context": [prompts[item] for item, _ in there],
    }
    if job.qualities:
        columns["utility"] = [job.qualities[names[system]] for _, system in there]
    return batch(ITEMS, columns, rows=len(there), integrity=UNTRUSTED, provenance=INPUT)


async def perform_eval(
    job: EvalJob,
    drive: Callable[[], Driver],
    *,
    watch: Watch,
    known: Path | None = None,
    **settings: Any,
) -> EvalResult:
    """Evaluate as *job* says, in the folder of a *known* run or a new one.

    *settings* are fields of RunSpec. Raises RunLockedError where another process runs it already,
    and RunFailedError where there is nothing to compare.
    """
    folder = known or create_run()
    with lock_run(folder):
        forget_orders(folder)
        if known is None:
            await asyncio.to_thread(keep_eval, job, folder)
        spec = RunSpec(
            run_id=folder.name,
            folder=folder,
            model=job.model,
            budget=job.budget,
            seed=job.seed,
            role="judge",
            is_sort=True,
            **settings,
        )
        open_eval(job, spec)
        began = time.monotonic()
        try:
            outputs = await make_outputs(job, folder, watch)
            await asyncio.to_thread(_keep_outputs, job, outputs, folder)
            contest = contest_of(job, outputs)
            _check_contest(job, contest, outputs)
            if job.checker is not None:
                found, finished = await asyncio.to_thread(_checked, job, outputs), None
            else:
                finished = await drive().run(_order(job, spec, contest, outputs))
                found = finished.value
        except asyncio.CancelledError:
            fail_eval(spec, "it was ended from outside", status="interrupted")
            raise
        except BaseException as error:
            fail_eval(spec, str(error) or type(error).__name__)
            raise
        wall_s = time.monotonic() - began
        return close_eval(job, spec, contest, outputs.made, found, finished, wall_s, outputs.checks)


def keep_eval(job: EvalJob, folder: Path) -> None:
    """Write the items into the run's folder: what a resume begins with."""
    pq.write_table(job.prepared.frame, folder / INPUT_FILE)
    columns: dict[str, Any] = {"id": job.prepared.ids, "prompt": job.prepared.texts}
    if job.labels is not None:
        columns["label"] = pa.array(job.labels, pa.string())
    pq.write_table(pa.table(columns), folder / ITEMS_FILE)


async def make_outputs(job: EvalJob, folder: Path, watch: Watch) -> Outputs:
    """Return all outputs: those in columns, and those that commands make, or have made before."""
    ids = job.prepared.ids
    columns = [
        outputs_in(job.prepared.frame, each.column) if each.column is not None else None
        for each in job.systems
    ]
    errands = [
        Errand(each.name, id, each.argv, prompt, f"{number}-{row}")
        for row, (id, prompt) in enumerate(zip(ids, job.prepared.texts, strict=True))
        for number, each in enumerate(job.systems)
        if each.argv is not None
    ]
    made: Mapping[tuple[str, str], Made] = {}
    if errands:
        tell = _teller(job, watch)
        tell(UNSAFE)
        made = await run_all(
            errands,
            folder,
            timeout_s=job.timeout_s,
            at_once=job.at_once,
            tell=lambda done, all_, failed: _tell_at_times(tell, done, all_, failed),
        )

    def made_of(row: int, number: int) -> Made:
        column = columns[number]
        if column is None:
            return made[job.systems[number].name, ids[row]]
        text = column[row]
        return Made(text) if text is not None else Made(cause="blank")

    places = range(len(job.systems))
    return Outputs([[made_of(row, number) for number in places] for row in range(len(ids))])


def _teller(job: EvalJob, watch: Watch) -> Callable[[str], None]:
    """Return what tells a line while commands run."""
    began = time.monotonic()

    def tell(line: str) -> None:
        watch(
            RunProgress(
                phase="Outputs",
                rounds=0,
                calls=0,
                expected_calls=None,
                tokens=0,
                cost_usd=0.0,
                predicted_tau=None,
                missing=0,
                elapsed_s=time.monotonic() - began,
                simulated=job.model.is_simulated,
                model=job.model.name,
                said=(line,),
            )
        )

    return tell


def _tell_at_times(tell: Callable[[str], None], done: int, all_: int, failed: int) -> None:
    if done == all_ or done % max(all_ // _STEPS, 1) == 0:
        lost = f", {failed:,} failed" if failed else ""
        tell(f"outputs: {done:,} of {all_:,} commands done{lost}")


def _keep_outputs(job: EvalJob, outputs: Outputs, folder: Path) -> None:
    rows = [
        (id, name, made.text, made.cause, made.said)
        for id, row in zip(job.prepared.ids, outputs.made, strict=True)
        for name, made in zip(job.names, row, strict=True)
    ]
    names = ("item", "system", "output", "cause", "said")
    columns = {
        name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)
    }
    write_table(pa.table(columns), str(folder / OUTPUTS_FILE))


def _check_contest(job: EvalJob, contest: Contest, outputs: Outputs) -> None:
    """Raise where the outputs that there are leave nothing to find out."""
    if job.check is not None and contest.item:
        return
    counts = np.bincount(np.array(contest.item, np.int64), minlength=1)
    if job.check is None and counts.max() > 1:
        return
    causes = sorted({made.cause for row in outputs.made for made in row if made.cause})
    said = next((made.said for row in outputs.made for made in row if made.said), "")
    why = f" (commands ended with: {', '.join(causes)}{': ' + said[-200:] if said else ''})"
    lack = "no item has outputs of two systems" if job.check is None else "there is no output"
    raise RunFailedError(lack + (why if causes else ""))


def _order(job: EvalJob, spec: RunSpec, contest: Contest, outputs: Outputs) -> Execute:
    args: dict[str, Any] = {"outputs": output_table(job, outputs), "contest": contest}
    args["seed"] = job.seed
    if job.check is not None:
        return Execute(spec=spec, workflow=score_outputs, args=args)
    args |= {"question": job.question, "target": job.target}
    return Execute(spec=spec, workflow=evaluate, args=args)


def _checked(job: EvalJob, outputs: Outputs) -> Evaluated:
    """Have the user's function check every output, in this process."""
    from .actors.bracket import Progress
    from .actors.tables import OUTCOMES, concat

    assert job.checker is not None
    values = np.full((len(job.prepared.ids), len(job.systems)), np.nan)
    is_share = True
    for item, system in outputs.there:
        more = () if job.labels is None else (job.labels[item],)
        try:
            value = job.checker(job.prepared.texts[item], outputs.text(item, system), *more)
            number = float(value)
        except Exception as error:  # a check is anyone's code
            cause = f"{type(error).__name__}: {error}".partition("\n")[0][:100]
            outputs.checks[cause] = outputs.checks.get(cause, 0) + 1
            continue
        if not np.isfinite(number):
            outputs.checks[NO_NUMBER] = outputs.checks.get(NO_NUMBER, 0) + 1
            continue
        is_share = is_share and isinstance(value, bool | np.bool_)
        values[item, system] = number
    if np.isnan(values).all():
        raise RunFailedError(f"the check gave no number for any output ({_first(outputs.checks)})")
    board = board_of_values(values, is_share=is_share, seed=job.seed)
    done = int((~np.isnan(values)).sum())
    progress = Progress(0, len(outputs.there), done, 0.0, "data", None)
    return Evaluated(board, concat([], OUTCOMES), progress, values=values)


def _first(causes: Mapping[str, int]) -> str:
    return max(causes, key=lambda cause: causes[cause])
