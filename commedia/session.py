"""The Session: what a user holds. It picks the model and the runtime, and runs rankings."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Literal

import pyarrow as pa

from .account import close_account, fail_account, open_account
from .actors.errors import UsageError
from .actors.faults import Faults
from .actors.messages import Script
from .actors.simulation.judge import JudgeProfile
from .choice import api_key, choose_model
from .inputs import Items, prepare
from .jobs import Job, items_table, plan_job
from .loop_thread import LoopThread
from .patterns.tournament import rank
from .results import RankResult
from .supervisor.budget import Budget
from .supervisor.children import Intensity
from .supervisor.driver import Driver
from .supervisor.orders import Execute, RunSpec
from .supervisor.progress import RunProgress
from .supervisor.runtime.base import Runtime
from .supervisor.runtime.inline_runtime import InlineRuntime
from .supervisor.store import create_run

BATCH_ROWS = 4096


class Session:
    """Runs rankings on one runtime, one after the other; a context manager.

    *model* is `sim:judge`, a Claude model, any name with *base_url*, or a function that takes a
    request (a mapping with `items`, `by`, `task`, `prompt`) and returns a `Verdict` or the JSON of
    an answer (a scripted judge); None picks by what is at hand. *budget* is required with a model
    that costs money (`"2usd 300agents"`). *profile* shapes the simulated judge, *accuracy* is how
    often it is right on random pairs. *faults* makes hosts fall on purpose.
    """

    def __init__(
        self,
        *,
        model: str | Script | None = None,
        base_url: str | None = None,
        runtime: Literal["ray", "inline"] = "ray",
        hosts: int | None = None,
        batch_rows: int | None = None,
        budget: str | Sequence[str] | None = None,
        in_flight: int = 64,
        accuracy: float = 0.85,
        profile: JudgeProfile | None = None,
        intensity: Intensity = Intensity(),
        faults: Faults | None = None,
        on_progress: Callable[[RunProgress], None] | None = None,
    ) -> None:
        """Check what can be checked; the runtime starts with the first ranking.

        Raises UsageError where an argument makes no sense.
        """
        if not 0.5 < accuracy < 1.0:
            raise UsageError(f"accuracy {accuracy:g} is not between 0.5 and 1")
        for name, value in (("hosts", hosts), ("batch_rows", batch_rows), ("in_flight", in_flight)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}, and must be at least 1")
        if runtime not in ("ray", "inline"):
            raise UsageError(f"runtime {runtime!r} is neither ray nor inline")
        texts = [budget] if isinstance(budget, str) else list(budget or [])
        self._budget = Budget.parse_all(texts)
        self._model, self._base_url = model, base_url
        self._profile = profile or JudgeProfile(accuracy=accuracy)
        self._kind = runtime
        self._hosts = hosts or min(os.cpu_count() or 1, 4)
        self._batch_rows = batch_rows or BATCH_ROWS
        self._in_flight = in_flight
        self._intensity, self._faults = intensity, faults
        self._watch = on_progress or (lambda _: None)
        self._loop: LoopThread | None = None
        self._runtime: Runtime | None = None
        self._driver: Driver | None = None
        self._is_on_ray = False
        self.start_s: float | None = None
        """Seconds that Ray took to start; None before, and inline."""

    def rank(
        self,
        items: Items,
        by: str,
        *,
        text: str | None = None,
        id: str | None = None,
        truth: str | None = None,
        ask: str = "auto",
        target: float = 0.90,
        seed: int = 0,
    ) -> RankResult:
        """Put *items* in order by the quality *by*, most first.

        *items* is a list of texts, an Arrow table, or a pandas or polars frame; *text* a column or
        a template of columns, *id* and *truth* columns. *ask* is `pair`, `graded`, `list:K` or
        `auto`; it stops at predicted Kendall tau *target*. Ctrl-C ends it with what it has, a
        second one takes back what is under way. Raises UsageError before anything is asked, and
        RunFailedError where there is no result.
        """
        job = self._plan(items, by, text, id, truth, ask, target, seed)
        table = self._thread().submit(asyncio.to_thread(items_table, job))
        runtime = self._open()  # in the caller's thread, where Ray's signal handlers can be undone
        return self._wait(self._thread().submit(self._perform(job, runtime, table.result())))

    async def arank(
        self,
        items: Items,
        by: str,
        *,
        text: str | None = None,
        id: str | None = None,
        truth: str | None = None,
        ask: str = "auto",
        target: float = 0.90,
        seed: int = 0,
    ) -> RankResult:
        """Do as `rank` does, beside whatever else runs on the caller's loop."""
        job = self._plan(items, by, text, id, truth, ask, target, seed)
        runtime = await asyncio.to_thread(self._open)
        table = await asyncio.to_thread(items_table, job)
        running = self._thread().submit(self._perform(job, runtime, table))
        return await asyncio.wrap_future(running)

    def interrupt(self, *, cancel: bool = False) -> None:
        """Have the run under way make no new call; with *cancel*, take back those in flight."""
        if self._driver is not None:
            self._thread().submit(self._driver.halt(cancel=cancel)).result(timeout=30)

    def close(self) -> None:
        """End the runtime, and every process of it."""
        if self._is_on_ray:
            from .supervisor.runtime.ray_runtime import stop_ray

            stop_ray()
        if self._loop is not None:
            self._loop.close()
        self._runtime = self._loop = None
        self._is_on_ray = False

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def _plan(
        self,
        items: Items,
        by: str,
        text: str | None,
        id: str | None,
        truth: str | None,
        ask: str,
        target: float,
        seed: int,
    ) -> Job:
        model = choose_model(
            self._model,
            has_truth=truth is not None,
            base_url=self._base_url,
            budget=self._budget,
            profile=self._profile,
            seed=seed,
            in_flight=self._in_flight,
        )
        prepared = prepare(items, text=text, id=id, truth=truth)
        return plan_job(
            prepared, by, ask=ask, target=target, seed=seed, model=model, budget=self._budget
        )

    async def _perform(self, job: Job, runtime: Runtime, items: pa.RecordBatch) -> RankResult:
        folder = create_run()
        spec = RunSpec(
            run_id=folder.name,
            folder=folder,
            model=job.model,
            hosts=self._hosts,
            batch_rows=self._batch_rows,
            budget=job.budget,
            seed=job.seed,
            intensity=self._intensity,
            faults=self._faults,
        )
        open_account(job, spec)
        began = time.monotonic()
        try:
            args = {"items": items, "by": job.by, "question": job.question}
            args |= {"target": job.target, "seed": job.seed}
            self._driver = Driver(runtime, key=api_key(), watch=self._watch)
            finished = await self._driver.run(Execute(spec=spec, workflow=rank, args=args))
        except BaseException as error:
            fail_account(job, spec, str(error) or type(error).__name__)
            raise
        finally:
            self._driver = None
        return close_account(job, spec, finished, time.monotonic() - began)

    def _open(self) -> Runtime:
        if self._runtime is not None:
            return self._runtime
        if self._kind == "inline":
            self._runtime = InlineRuntime()
            return self._runtime
        from .supervisor.runtime.ray_runtime import start_ray

        began = time.monotonic()
        self._runtime = start_ray()
        self._is_on_ray = True
        self.start_s = time.monotonic() - began
        return self._runtime

    def _thread(self) -> LoopThread:
        if self._loop is None:
            self._loop = LoopThread()
        return self._loop

    def _wait(self, future: "Future[RankResult]") -> RankResult:
        """Wait for the result; the first Ctrl-C halts the run, the second takes its calls back."""
        for cancel in (False, True):
            try:
                return future.result()
            except KeyboardInterrupt:
                if self._driver is None:  # nothing was asked yet
                    future.cancel()
                    raise
                with contextlib.suppress(KeyboardInterrupt, TimeoutError):
                    self.interrupt(cancel=cancel)
        return future.result()
