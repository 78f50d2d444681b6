"""An evaluation on its way: its outputs made, its judges asked, its folder filled."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .actors.errors import RunFailedError
from .actors.tables import INPUT, ITEMS, UNTRUSTED, batch
from .choice import check_texts
from .eval_account import close_eval, fail_eval, open_eval
from .eval_checks import check_all
from .eval_clock import EvalClock
from .eval_outputs import Outputs, Watch, keep_outputs, make_outputs
from .eval_result import EvalResult
from .evals import EvalJob
from .patterns.evaluation import Contest, Evaluated, evaluate, nothing_found, score_outputs
from .supervisor.control import forget_orders
from .supervisor.driver import Driver
from .supervisor.orders import Execute, Finished, RunSpec
from .supervisor.run_lock import lock_run
from .supervisor.store import create_run

INPUT_FILE: Final = "input.parquet"
ITEMS_FILE: Final = "items.parquet"


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
            outputs, contest, found, finished = await _find_out(job, spec, drive, watch)
        except asyncio.CancelledError:
            fail_eval(spec, "it was ended from outside", status="interrupted")
            raise
        except BaseException as error:
            fail_eval(spec, str(error) or type(error).__name__)
            raise
        wall_s = time.monotonic() - began
        return close_eval(job, spec, contest, outputs.made, found, finished, wall_s, outputs.checks)


async def _find_out(
    job: EvalJob, spec: RunSpec, drive: Callable[[], Driver], watch: Watch
) -> tuple[Outputs, Contest, Evaluated, Finished | None]:
    """Make outputs and have them judged; the budget's time runs over all of it."""
    folder = Path(spec.folder)
    clock = EvalClock(folder, job.budget)
    outputs = await make_outputs(job, folder, watch, clock)
    await asyncio.to_thread(keep_outputs, job, outputs, folder)
    contest, budget = contest_of(job, outputs), clock.budget_left
    if clock.is_over or (job.checker is None and budget.wall_s == 0):
        found = nothing_found(contest, is_compared=job.check is None, seed=job.seed)
        return outputs, contest, found, None
    _check_contest(job, contest, outputs)
    _check_records(job, output_table(job, outputs))
    if job.checker is not None:
        return outputs, contest, await check_all(job, outputs, clock), None
    spec = spec.model_copy(update={"budget": budget})
    finished = await drive().run(_order(job, spec, contest, outputs))
    return outputs, contest, finished.value, finished


def keep_eval(job: EvalJob, folder: Path) -> None:
    """Write the items into the run's folder: what a resume begins with."""
    pq.write_table(job.prepared.frame, folder / INPUT_FILE)
    columns: dict[str, Any] = {"id": job.prepared.ids, "prompt": job.prepared.texts}
    if job.labels is not None:
        columns["label"] = pa.array(job.labels, pa.string())
    pq.write_table(pa.table(columns), folder / ITEMS_FILE)


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


def _check_records(job: EvalJob, shown: pa.RecordBatch) -> None:
    """Raise UsageError where a judge is a record of verdicts on other outputs."""
    ids, texts = (shown.column(name).to_pylist() for name in ("id", "text"))
    for judge in job.model.judges:
        check_texts(judge.name, ids, texts)


def _order(job: EvalJob, spec: RunSpec, contest: Contest, outputs: Outputs) -> Execute:
    args: dict[str, Any] = {"outputs": output_table(job, outputs), "contest": contest}
    args |= {"seed": job.seed, "question": job.question}
    if job.check is not None:
        return Execute(spec=spec, workflow=score_outputs, args=args)
    return Execute(spec=spec, workflow=evaluate, args={**args, "target": job.target})
