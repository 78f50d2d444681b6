"""Evaluations as a session runs them: planned, performed, and gone on with."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar, Unpack

import pyarrow.parquet as pq

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .actors.questions import Question
from .actors.simulation.judge import JudgeProfile
from .choice import NOBODY, nobody
from .consent import GOING_ON, Consent, agree
from .eval_outputs import Watch
from .eval_result import EvalResult
from .eval_run import INPUT_FILE, ITEMS_FILE, perform_eval
from .evals import (
    BY_JUDGES,
    EvalJob,
    EvalOptions,
    System,
    check_judges,
    check_of,
    plan_eval,
)
from .inputs import Items, Prepared
from .loop_thread import LoopThread
from .models import model_of
from .panel import Judges, choose_judges
from .rubrics import read_criteria
from .supervisor.budget import Budget
from .supervisor.driver import Driver
from .supervisor.runtime.base import Runtime
from .supervisor.store import RunRecord, find_run

T = TypeVar("T")


class Host(Protocol):
    """What a session has that an evaluation needs."""

    _model: Judges
    _base_url: str | None
    _budget: Budget
    _profile: JudgeProfile
    _in_flight: int
    _consent: Consent | None
    _watch: Watch
    _driver: Driver | None

    def _choose_judges(self, has_truth: bool, seed: int) -> ModelSpec: ...
    def _open(self) -> Runtime: ...
    def _thread(self) -> LoopThread: ...
    def _wait(self, future: "Future[T]") -> T: ...
    def _drive(self, runtime: Runtime) -> Driver: ...
    def _ship(self, runtime: Runtime, *needed: Callable[..., Any] | None) -> None: ...
    def _settings(self) -> dict[str, Any]: ...


class Evaluating:
    """What a session does for evaluations: a part of Session."""

    def eval(self: Host, items: Items, **options: Unpack[EvalOptions]) -> EvalResult:
        """Find out which of several systems does best on *items*; see EvalOptions for all else.

        *items* is a list of dicts, an Arrow table, or a pandas or polars frame. Ctrl-C ends it with
        what it has, a second one takes back what is under way. Raises UsageError before anything is
        run or asked, and RunFailedError where there is no result.
        """
        job = _plan(self, items, options)
        return self._wait(_start(self, job, _opened(self, job)))

    async def aeval(self: Host, items: Items, **options: Unpack[EvalOptions]) -> EvalResult:
        """Do as `eval` does, beside whatever else runs on the caller's loop."""
        job = _plan(self, items, options)
        runtime = await asyncio.to_thread(_opened, self, job)
        return await asyncio.wrap_future(_start(self, job, runtime))

    def resume_eval(self: Host, run: str) -> EvalResult:
        """Go on with an evaluation, by the name of its run: what was answered is not asked again,
        and a command that finished is not run again."""
        record = find_run(run)
        job = _kept(self, record)
        return self._wait(_start(self, job, _opened(self, job), record.path))


def _plan(host: Host, items: Items, options: EvalOptions) -> EvalJob:
    def choose(is_known: bool, seed: int) -> ModelSpec:
        check_judges(host._model, is_known=is_known, base_url=host._base_url)
        return host._choose_judges(is_known, seed)

    job = plan_eval(items, options, choose=choose, budget=host._budget)
    agree(job.model, job.budget, host._consent, functools.partial(_foreseen, job))
    return job


def _foreseen(job: EvalJob) -> object:
    from .estimates import estimate_eval  # a rehearsal: only where somebody wants to see it

    return estimate_eval(job)


def _opened(host: Host, job: EvalJob) -> Runtime | None:
    """Return the runtime that judges are asked on; none is started where nobody is."""
    return host._open() if job.checker is None else None


def _start(
    host: Host, job: EvalJob, runtime: Runtime | None, known: Path | None = None
) -> "Future[EvalResult]":
    return host._thread().submit(_perform(host, job, runtime, known))


async def _perform(
    host: Host, job: EvalJob, runtime: Runtime | None, known: Path | None
) -> EvalResult:
    def drive() -> Driver:
        assert runtime is not None
        return host._drive(runtime)

    if runtime is not None:
        host._ship(runtime, *(judge.script for judge in job.model.judges))
    settings = host._settings()
    try:
        return await perform_eval(job, drive, watch=host._watch, known=known, **settings)
    finally:
        host._driver = None


def _kept(host: Host, record: RunRecord) -> EvalJob:
    """Return the evaluation that is kept in a run's folder; raises UsageError where it is gone."""
    folder, data = record.path, record.data
    try:
        frame, items = (pq.read_table(folder / name) for name in (INPUT_FILE, ITEMS_FILE))
    except OSError as error:
        raise UsageError(f"run {folder.name} cannot be resumed: its input is gone") from error
    ids, prompts = (items.column(name).to_pylist() for name in ("id", "prompt"))
    check = data.get("check")
    if check not in (None, BY_JUDGES) and ".py:" not in check:
        raise UsageError(
            f"the check of run {folder.name} was a function ({check}), which cannot be found again"
        )
    checker = check_of(check)
    return EvalJob(
        prepared=Prepared(frame, ids, prompts, None),
        systems=tuple(_system(each) for each in data["systems"]),
        rubric=read_criteria(data["rubric"], source=f"run {folder.name}"),
        question=Question.parse(data["ask"]),
        model=ModelSpec(name=NOBODY, script=nobody) if checker else _judges(host, data),
        budget=host._budget,
        target=data["target"],
        seed=data["seed"],
        labels=tuple(items.column("label").to_pylist()) if data["has_labels"] else None,
        check=check,
        checker=checker,
        qualities=data["qualities"],
        authors=data["authors"],
        timeout_s=data["timeout_s"],
        at_once=data["at_once"],
        started=datetime.fromisoformat(data["started"]),
    )


def _system(given: dict[str, Any]) -> System:
    argv = given.get("argv")
    return System(given["name"], given.get("column"), None if argv is None else tuple(argv))


def _judges(host: Host, data: dict[str, Any]) -> ModelSpec:
    sources = data.get("panel_sources") or [None]
    names = [model_of(s or n) for s, n in zip(sources, data["panel"], strict=True)]
    named: Judges = [name for name in names if name is not None]
    choose = functools.partial(
        choose_judges,
        has_truth=bool(data["qualities"]),
        base_url=host._base_url,
        budget=host._budget,
        profile=JudgeProfile(**data["profile"]),
        seed=int(data["seed"]),
        in_flight=host._in_flight,
    )
    model = host._model if isinstance(host._model, list) or len(names) < 2 else named
    if model is None and names == ["scripted"]:
        raise UsageError(
            "the model of this run was a function, which cannot be found again; give it with "
            "--model FILE.py:FUNCTION, or model= in Python"
        )
    chosen = choose(model or named)
    agree(chosen, host._budget, host._consent, lambda: GOING_ON)
    return chosen
