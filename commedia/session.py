"""The Session: what a user holds. It picks the model and the runtime, and runs what it is given."""

import asyncio
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, Unpack

import pyarrow as pa

from .actors.errors import UsageError
from .actors.faults import Faults
from .actors.messages import ModelSpec
from .actors.simulation.judge import JudgeProfile
from .actors.simulation.world import World
from .choice import api_key, choose_agents
from .consent import GOING_ON, UNFORESEEN, Consent, agree
from .eval_session import Evaluating
from .goals import check_goal
from .inputs import Items
from .jobs import Job, items_table, kept_job
from .launch import Launch, perform
from .loop_thread import LoopThread
from .panel import Judges, agents_model, checked, choose_judges
from .patterns.loops import Loop
from .rank_options import RankOptions, job_of
from .ranking_run import perform_rank
from .results import RankResult
from .resuming import check_budget, remember
from .run_result import RunResult
from .supervisor.budget import Budget
from .supervisor.children import Intensity
from .supervisor.driver import Driver, Inquire
from .supervisor.orders import Mode
from .supervisor.progress import RunProgress
from .supervisor.run import Run
from .supervisor.runtime.base import Runtime
from .supervisor.runtime.inline_runtime import InlineRuntime
from .supervisor.runtime.joining import check_address
from .supervisor.store import create_run, find_run
from .supervisor.workflow import Workflow, workflow
from .workflows import local_modules

BATCH_ROWS = 4096

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Flow = Callable[Concatenate[Run, P], Coroutine[Any, Any, R]]
"""A workflow, or any async function whose first argument is the run."""


class Session(Evaluating):
    """Runs workflows, rankings and evaluations, one after the other; a context manager.

    *model* is a simulated one (`sim:judge` for rankings; `sim:haiku`, `sim:sonnet`, `sim:opus`), a
    Claude model, any name with *base_url*, or a function that takes a request (a mapping with
    `prompt`, `role`, `output_schema`; for a judge `items`, `by`, `task`) and returns an answer (a
    scripted model); None picks by what is at hand. *budget* is required with a model that costs
    money (`"2usd 300agents"`), unless *consent* is given, which is shown an estimate. *profile*
    shapes the simulated judge, *accuracy* is how often it is right on random pairs; *world* is what
    simulated agents know, *slots* how many of them act at one virtual time. *inquire* asks the user
    what a workflow asks. *faults* makes hosts fall on purpose. *address* (HOST:PORT) joins a Ray
    cluster that runs, which outlives it.
    """

    def __init__(
        self,
        *,
        model: Judges = None,
        base_url: str | None = None,
        runtime: Literal["ray", "inline"] = "ray",
        address: str | None = None,
        hosts: int | None = None,
        batch_rows: int | None = None,
        budget: str | Sequence[str] | None = None,
        in_flight: int = 64,
        accuracy: float = 0.85,
        profile: JudgeProfile | None = None,
        world: World | None = None,
        slots: int | None = None,
        seed: int = 0,
        inquire: Inquire | None = None,
        consent: Consent | None = None,
        intensity: Intensity = Intensity(),
        faults: Faults | None = None,
        on_progress: Callable[[RunProgress], None] | None = None,
    ) -> None:
        """Check what can be checked; the runtime starts with the first ranking.

        Raises UsageError where an argument makes no sense.
        """
        if not 0.5 < accuracy < 1.0:
            raise UsageError(f"accuracy {accuracy:g} is not between 0.5 and 1")
        if runtime not in ("ray", "inline"):
            raise UsageError(f"runtime {runtime!r} is neither ray nor inline")
        if address is not None and runtime == "inline":
            raise UsageError("an address is a Ray cluster's, and runtime inline uses none")
        self._address = address if address is None else check_address(address)
        _check_counts(hosts=hosts, batch_rows=batch_rows, in_flight=in_flight, slots=slots)
        texts = [budget] if isinstance(budget, str) else list(budget or [])
        self._budget = Budget.parse_all(texts)
        self._model, self._base_url = checked(model), base_url
        self._profile = profile or JudgeProfile(accuracy=accuracy)
        self._kind = runtime
        self._hosts, self._has_hosts = hosts or min(os.cpu_count() or 1, 4), hosts is not None
        self._batch_rows = batch_rows or BATCH_ROWS
        self._in_flight = in_flight
        self._world, self._slots, self._seed = world or World(), slots, seed
        self._inquire, self._consent = inquire, consent
        self._intensity, self._faults = intensity, faults
        self._watch = on_progress or (lambda _: None)
        self._loop: LoopThread | None = None
        self._runtime: Runtime | None = None
        self._driver: Driver | None = None
        self._is_on_ray = False
        self.start_s: float | None = None
        """Seconds that Ray took to start; None before, and inline."""

    def run(self, script: Flow[P, R], *args: P.args, **kwargs: P.kwargs) -> RunResult[R]:
        """Run a workflow with its arguments, and return what it came to.

        Ctrl-C pauses it: what is in flight is kept; a second one takes that back. Raises UsageError
        before anything is asked, and RunFailedError where the run itself could not go on; what the
        workflow raises makes a failed result.
        """
        found = _workflow_of(script)
        return self.start(found, found.bind(*args, **kwargs))

    def start(
        self,
        script: Workflow[..., R],
        args: Mapping[str, Any],
        loop: Loop | None = None,
    ) -> RunResult[Any]:
        """Do as `run` does, with the arguments by name, and with a *loop* around it all."""
        launch = dataclasses.replace(self._launch(dict(args), script), loop=loop)
        check_goal(loop, launch.model, self._budget)
        return self._go(launch, None)

    async def arun(self, script: Flow[P, R], *args: P.args, **kwargs: P.kwargs) -> RunResult[R]:
        """Do as `run` does, beside whatever else runs on the caller's loop."""
        launch = self._launch(_workflow_of(script).bind(*args, **kwargs), _workflow_of(script))
        await asyncio.to_thread(self._open)
        return await asyncio.wrap_future(self._thread().submit(self._conduct(launch, None)))

    def resume(
        self,
        run: str,
        script: Callable[..., Coroutine[Any, Any, Any]] | None = None,
        *,
        mode: Mode = "content",
        **args: Any,
    ) -> RunResult[Any]:
        """Go on with *run* (an id, its beginning, or `last`), from any process; see `run`.

        What was answered is not asked again: in mode `content` an agent is asked if its prompt, or
        whatever else shapes its answer, is new; in mode `replay` none is, and one that would have
        to be is an error. *script* takes the place of the workflow on record, *args* that of its
        arguments; the model and the budget are this session's.
        """
        known = remember(run, None if script is None else _workflow_of(script), args)
        check_budget(known.record, self._budget)
        data = known.data
        seed = int(data["seed"])
        launch = self._launch(known.args, known.workflow, name=str(data["model"]), seed=seed)
        launch = dataclasses.replace(
            launch,
            seed=seed,
            slots=data.get("slots"),
            mode=mode,
            loop=Loop(**data["loop"]) if data.get("loop") else None,
            world=known.world if known.world.things else launch.world,
        )
        check_goal(launch.loop, launch.model, self._budget)
        return self._go(launch, known.record.path)

    def rank(
        self, items: Items, by: str | None = None, **options: Unpack[RankOptions]
    ) -> RankResult:
        """Put *items* in order by the quality *by*, most first; see RankOptions for all else.

        *items* is a list of texts, an Arrow table, or a pandas or polars frame. Ctrl-C ends it with
        what it has, a second one takes back what is under way. Raises UsageError before anything is
        asked, and RunFailedError where there is no result.
        """
        job = self._job(items, by, options)
        table = self._thread().submit(asyncio.to_thread(items_table, job))
        runtime = self._open()  # in the caller's thread, where Ray's signal handlers can be undone
        return self._wait(self._thread().submit(self._perform(job, runtime, table.result())))

    async def arank(
        self, items: Items, by: str | None = None, **options: Unpack[RankOptions]
    ) -> RankResult:
        """Do as `rank` does, beside whatever else runs on the caller's loop."""
        job = self._job(items, by, options)
        runtime = await asyncio.to_thread(self._open)
        table = await asyncio.to_thread(items_table, job)
        return await asyncio.wrap_future(self._thread().submit(self._perform(job, runtime, table)))

    def resume_rank(self, run: str) -> RankResult:
        """Go on with a sort, by the name of its run: what was answered is not asked again."""
        record = find_run(run)
        check_budget(record, self._budget)
        data = record.data
        profile = JudgeProfile(**data["profile"]) if "profile" in data else self._profile
        model = choose_judges(
            self._model or data.get("panel") or data["model"],
            has_truth=data.get("truth") is not None or bool(data.get("simulated")),
            base_url=self._base_url,
            budget=self._budget,
            profile=profile,
            seed=int(data["seed"]),
            in_flight=self._in_flight,
        )
        agree(model, self._budget, self._consent, lambda: GOING_ON)
        job = kept_job(record.path, data, model, self._budget)
        runtime = self._open()
        work = self._perform(job, runtime, items_table(job), record.path)
        return self._wait(self._thread().submit(work))

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

    def _launch(
        self,
        args: dict[str, Any],
        script: Workflow[..., Any],
        *,
        name: str | None = None,
        seed: int | None = None,
    ) -> Launch:
        if name == "scripted" and self._model is None:
            raise UsageError(
                "the model of this run was a function, which cannot be found again; give it with "
                "--model FILE.py:FUNCTION, or model= in Python"
            )
        model = choose_agents(
            agents_model(self._model) or name,
            base_url=self._base_url,
            budget=self._budget,
            profile=self._profile,
            seed=self._seed if seed is None else seed,
            in_flight=self._in_flight,
            is_needed=script.needs_model,
        )
        agree(model, self._budget, self._consent, lambda: UNFORESEEN)
        return Launch(script, args, model, self._budget, self._seed, self._slots, world=self._world)

    def _go(self, launch: Launch, folder: Path | None) -> RunResult[Any]:
        self._open()  # in the caller's thread, where Ray's signal handlers can be undone
        return self._wait(self._thread().submit(self._conduct(launch, folder)))

    async def _conduct(self, launch: Launch, folder: Path | None) -> RunResult[Any]:
        runtime = self._open()
        self._ship(runtime, launch.workflow, launch.model.script)
        spec = launch.spec(folder or create_run(), **self._settings())
        try:
            return await perform(launch, spec, functools.partial(self._drive, runtime))
        finally:
            self._driver = None

    def _ship(self, runtime: Runtime, *needed: Callable[..., Any] | None) -> None:
        """Have the code of what is *needed* reach every process of the run."""
        for function in needed:
            if function is not None and self._is_on_ray:
                for module in local_modules(function):
                    runtime.ship(module)

    def _drive(self, runtime: Runtime) -> Driver:
        self._driver = Driver(runtime, key=api_key(), watch=self._watch, inquire=self._inquire)
        return self._driver

    def _job(self, items: Items, by: str | None, options: RankOptions) -> Job:
        job = job_of(items, by, options, choose=self._choose_judges, budget=self._budget)
        agree(job.model, job.budget, self._consent, functools.partial(_foreseen, job))
        return job

    def _choose_judges(self, has_truth: bool, seed: int) -> ModelSpec:
        return choose_judges(
            self._model,
            has_truth=has_truth,
            base_url=self._base_url,
            budget=self._budget,
            profile=self._profile,
            seed=seed,
            in_flight=self._in_flight,
        )

    async def _perform(
        self, job: Job, runtime: Runtime, items: pa.RecordBatch, known: Path | None = None
    ) -> RankResult:
        drive = functools.partial(self._drive, runtime)
        self._ship(runtime, job.model.script)
        try:
            return await perform_rank(job, items, drive, known=known, **self._settings())
        finally:
            self._driver = None

    def _settings(self) -> dict[str, Any]:
        """What a run takes from its session as it is."""
        return {
            "hosts": self._hosts,
            "batch_rows": self._batch_rows,
            "intensity": self._intensity,
            "faults": self._faults,
        }

    def _open(self) -> Runtime:
        if self._runtime is not None:
            return self._runtime
        if self._kind == "inline":
            self._runtime = InlineRuntime()
            return self._runtime
        from .supervisor.runtime.ray_runtime import start_ray

        began = time.monotonic()
        self._runtime = ray = start_ray(address=self._address)
        self._is_on_ray = True
        if self._address is not None and not self._has_hosts:
            self._hosts = max(self._hosts, len(ray.nodes()))
        self.start_s = time.monotonic() - began
        return self._runtime

    def _thread(self) -> LoopThread:
        if self._loop is None:
            self._loop = LoopThread()
        return self._loop

    def _wait(self, future: "Future[T]") -> T:
        """Wait for the result; the first Ctrl-C halts the run, the second takes its calls back."""
        for cancel in (False, True):
            try:
                while not future.done():  # a lock waited for without end may miss a Ctrl-C
                    wait([future], timeout=0.5)
                return future.result()
            except KeyboardInterrupt:
                if self._driver is None:  # nothing was asked yet
                    future.cancel()
                    raise
                self._thread().submit(self._driver.halt(cancel=cancel))  # nobody waits for it
        return future.result()


def _foreseen(job: Job) -> object:
    from .estimates import estimate_sort  # a rehearsal: only where somebody wants to see it

    return estimate_sort(job)


def _check_counts(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}, and must be at least 1")


def _workflow_of(script: Callable[..., Coroutine[Any, Any, Any]]) -> Workflow[..., Any]:
    return script if isinstance(script, Workflow) else workflow(script)
