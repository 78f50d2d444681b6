"""What a sort or an evaluation will take, before it is paid for: a rehearsal on simulated judges.

The very job is played on a sample of the user's own rows, by simulated judges of three kinds; the
middle one is the estimate, the others are its interval. It rests on that assumption, and says so.
"""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from .actors.messages import ModelSpec
from .actors.models.prices import price_of
from .actors.simulation.judge import JudgeProfile
from .actors.simulation.profile import HAIKU
from .eval_run import perform_eval
from .evals import EvalJob
from .jobs import Job, items_table
from .ranking_run import perform_rank
from .results import counted
from .supervisor.budget import Budget
from .supervisor.driver import Driver
from .supervisor.runtime.inline_runtime import InlineRuntime
from .supervisor.store import RunRecord

ACCURACIES: Final = (0.90, 0.85, 0.75)
"""How often judges are right on a random pair: the best, the usual, the worst to be expected."""
SAMPLE: Final = 600
"""Rows that are rehearsed at most; the calls of a whole order grow with the rows."""
LATENCY_S: Final = HAIKU.ttft_s + 0.5
"""What a short answer takes, about."""

_SPREAD: Final = 0.5
"""How far apart systems are thought to be, in logits."""

Range = tuple[float, float, float]
"""The least, the middle and the most."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run may take: calls, tokens, dollars (None where no price is known) and seconds."""

    calls: Range
    tokens: Range
    usd: Range | None
    seconds: Range
    basis: str

    def __str__(self) -> str:
        calls = f"about {_rounded(self.calls[1])} calls ({_span(self.calls, _rounded)})"
        tokens = f"{_rounded(self.tokens[1])} tokens ({_span(self.tokens, _rounded)})"
        money = "cost unknown"
        if self.usd is not None:
            money = f"{_dollars(self.usd[1])} ({_span(self.usd, _dollars)})"
        time = f"{_time(self.seconds[1])} ({_span(self.seconds, _time)})"
        return f"estimate: {calls}, {tokens}, {money}, {time}; {self.basis}"


def estimate_sort(job: Job) -> Estimate:
    """Return what *job* may take, from rehearsals of it on simulated judges."""
    rng = np.random.default_rng(0)
    rows = len(job.prepared.ids)
    sample = np.sort(rng.permutation(rows)[:SAMPLE])
    truth = rng.standard_normal(len(sample))
    prepared = replace(job.prepared.take(sample), truth=truth)
    aim = replace(job.aim, judges=("",), traits=None, earlier=None)
    plain = replace(job, prepared=prepared, aim=aim, budget=Budget(), since=None)

    def play(model: ModelSpec, folder: Path) -> Coroutine[Any, Any, Any]:
        rehearsal = replace(plain, model=model)
        return perform_rank(rehearsal, items_table(rehearsal), _driver, known=folder, hosts=1)

    grows = rows / max(len(sample), 1) if job.aim.top is None else 1.0
    return _estimate(job.model, play, grows=grows, rehearsed=counted(len(sample), "row"))


def estimate_eval(job: EvalJob) -> Estimate | str:
    """Return what *job* may take; nothing of it where commands have yet to write the outputs."""
    if any(system.column is None for system in job.systems):
        return "what judges will read is not written yet, so there is no estimate"
    rng = np.random.default_rng(0)
    rows = len(job.prepared.ids)
    sample = np.sort(rng.permutation(rows)[:SAMPLE])
    qualities = dict(zip(job.names, _SPREAD * rng.standard_normal(len(job.names)), strict=True))
    labels = None if job.labels is None else tuple(job.labels[row] for row in sample)
    plain = replace(
        job,
        prepared=job.prepared.take(sample),
        qualities=qualities,
        labels=labels,
        budget=Budget(),
    )

    def play(model: ModelSpec, folder: Path) -> Coroutine[Any, Any, Any]:
        rehearsal = replace(plain, model=model)
        return perform_eval(rehearsal, _driver, watch=_unseen, known=folder, hosts=1)

    told = f"{counted(len(sample), 'item')} and systems that differ by {_SPREAD} logits"
    return _estimate(job.model, play, grows=1.0, rehearsed=told)


Play = Callable[[ModelSpec, Path], Coroutine[Any, Any, Any]]
"""Plays the job on a simulated judge, in a folder."""


def _estimate(model: ModelSpec, play: Play, *, grows: float, rehearsed: str) -> Estimate:
    """Return what the job takes on *model*, *grows* times what it takes on each simulated judge."""
    played = np.array([_rehearsed(play, accuracy) for accuracy in ACCURACIES])
    calls, tokens_in, tokens_out, rounds = played.T
    price = price_of(model.name)
    usd = None
    if price is not None:
        usd = grows * (tokens_in * price.base.input + tokens_out * price.base.output) / 1e9
    seconds = LATENCY_S * (rounds + grows * calls / model.in_flight)
    return Estimate(
        _range(grows * calls),
        _range(grows * (tokens_in + tokens_out)),
        None if usd is None else _range(usd),
        _range(seconds * np.array([0.5, 1.0, 2.0])),
        f"rehearsed on {rehearsed}, and simulated judges who are right on {ACCURACIES[-1]:.0%} to "
        f"{ACCURACIES[0]:.0%} of random pairs; this one may be another",
    )


def _rehearsed(play: Play, accuracy: float) -> tuple[float, float, float, float]:
    """Return calls, tokens in and out, and rounds of a job on one simulated judge."""
    model = ModelSpec(name="sim:judge", profile=JudgeProfile(accuracy=accuracy))
    with tempfile.TemporaryDirectory(prefix="commedia-rehearsal-") as place:
        folder = Path(place)
        with ThreadPoolExecutor(1) as apart:  # whoever asks may have a loop of their own
            result = apart.submit(asyncio.run, play(model, folder)).result()
        matches = RunRecord(folder, {}).matches()
    tokens = [float(np.sum(matches.column(n).to_numpy())) for n in ("tokens_in", "tokens_out")]
    return result.calls, *tokens, result.rounds


def _driver() -> Driver:
    return Driver(InlineRuntime(), key=None, watch=_unseen)


def _unseen(_: object) -> None:
    return


def _range(values: Any) -> Range:
    low, middle, high = sorted(float(value) for value in values)
    return low, middle, high


def _span(values: Range, said: Callable[[float], str]) -> str:
    return f"{said(values[0])} to {said(values[2])}"


def _rounded(value: float) -> str:
    """Return a count as a person says it: two digits, and what they stand for."""
    for unit, word in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            amount = value / unit
            return f"{amount:,.0f}{word}" if amount >= 100 else f"{amount:.2g}{word}"
    return f"{value:,.0f}"


def _dollars(value: float) -> str:
    return f"${value:,.2f}" if value >= 0.01 else f"${value:.4f}"


def _time(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 90 else f"{max(seconds, 1):.0f} s"
