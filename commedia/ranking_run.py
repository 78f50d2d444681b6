"""A ranking on its way: given a folder, run under a supervisor, and accounted for."""

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from .account import close_account, cut_account, fail_account, open_account
from .actors.errors import RunFailedError
from .jobs import Job, keep_job
from .judges import keep_traits
from .patterns.tournament import rank
from .results import RankResult
from .supervisor.control import forget_orders
from .supervisor.driver import Driver
from .supervisor.orders import Execute, Finished, RunSpec
from .supervisor.run_lock import lock_run
from .supervisor.store import create_run


async def perform_rank(
    job: Job,
    items: pa.RecordBatch,
    drive: Callable[[], Driver],
    *,
    known: Path | None = None,
    **settings: Any,
) -> RankResult:
    """Rank *items* as *job* says, in the folder of a *known* run or a new one.

    *settings* are fields of RunSpec. Raises RunLockedError where another process runs it already.
    """
    folder = known or create_run()
    with lock_run(folder):
        forget_orders(folder)
        if known is None:
            await asyncio.to_thread(keep_job, job, folder)
        spec = _spec(job, folder, settings)
        open_account(job, spec)
        began = time.monotonic()
        args = {"items": items, "by": job.rubric.by(), "aim": job.aim}
        try:
            order = Execute(spec=spec, workflow=rank, args=args)
            finished = await _followed(
                drive().run(order), functools.partial(cut_account, job, spec)
            )
            if finished.value is None:
                raise RunFailedError(finished.failed or "the ranking ended without a result")
        except Exception as error:
            fail_account(job, spec, str(error) or type(error).__name__)
            raise
        result = close_account(job, spec, finished, time.monotonic() - began)
        if result.judge is not None and result.stopped != "judge" and not job.aim.keeps_judge:
            keep_traits(job.model, job.rubric, job.prepared.texts, result.judge)
        return result


def _spec(job: Job, folder: Path, settings: Mapping[str, Any]) -> RunSpec:
    return RunSpec(
        run_id=folder.name,
        folder=folder,
        model=job.model,
        budget=job.budget,
        seed=job.aim.seed,
        role="judge",
        is_sort=True,
        **settings,
    )


async def _followed(running: Coroutine[Any, Any, Finished], cut: Callable[[], None]) -> Finished:
    """Return what *running* comes to; one that is ended from outside is *cut*, and then waited for.

    In that order, as the process may end before the last actor is stopped.
    """
    task = asyncio.create_task(running)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        cut()
        task.cancel()
        await asyncio.wait([task])
        raise
