"""The ranking engine: asks, believes, and stops when it knows the order well enough."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...actors.answers import SILENT_CALLS
from ...actors.bracket import Progress, Stopped
from ...actors.errors import UsageError
from ...actors.questions import Question
from ...actors.tables import MATCHES, STANDING
from .graph import Graph, Precision
from .likelihood import Floats, Ints, Likelihood, ListLikelihood, PairLikelihood
from .log import Log
from .posterior import (
    BEST_DRAWS,
    FEW,
    RANK_DRAWS,
    Estimate,
    best_chances,
    draw,
    fit,
    rank_intervals,
)
from .schedule import Ledger, match_lists, match_pairs, match_strangers
from .stopping import WEAK, Plan, Point, decide, expected_calls, round_size

BOLDNESS = 0.5
"""How far a sampled order strays from the mean: 1 is the posterior itself."""

FIRST_ROUND, MOST_MATCHES = 3.0, 200.0
"""Pairs an item: at first, and at most (a judge right on 65% of random pairs needs about that)."""

NO_INFORMATION = (
    "this judge carries no information about the quality: its answers do not depend on the texts "
    "enough to rank them, so do not trust this order"
)
TOO_FEW = "there are too few answers to tell whether this judge knows anything"
ENOUGH = 20
"""Answers from which a judge without information is told from bad luck."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is fitted of the judge, in units of its noise.

    *scale* is the spread of strengths, *position_bias* the advantage of being shown first (over
    being shown last), *tie* and *much* the thresholds of grades.
    """

    scale: float
    position_bias: float
    tie: float
    much: float


class PosteriorRanking:
    """A `Ranking` by Bayesian inference over item strengths, whatever the question.

    It stops at *target*, or when *budget_calls* are used up; with *rounds* it spends that budget
    in so many equal rounds. A pure function of its arguments and the outcomes, and picklable.
    """

    def __init__(
        self,
        n: int,
        question: Question,
        *,
        target: float = 0.90,
        seed: int = 0,
        budget_calls: int | None = None,
        rounds: int | None = None,
    ) -> None:
        if rounds is not None and budget_calls is None:
            raise UsageError("equal rounds need a budget of calls to divide")
        self._n, self._question, self._seed = n, question, seed % 2**63
        # Where all fits into one list, lists of half of it meet in other company each time.
        self._size = question.size if n > question.size else max(2, (n + 1) // 2)
        self._plan = _plan(n, self._size, target, budget_calls, rounds)
        self._log = Log(n, self._size)
        self._ledger = Ledger(n)
        self._start = self._now = Estimate.prior(n)
        self._precision: Precision | None = None
        self._version = self._round = self._asked = 0
        self._history: list[Point] = []
        self._ended: Stopped | None = None

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        self._settle()
        count = 0 if self._stopped() else round_size(self._plan, self._history, self._asked)
        count = count if limit is None else min(count, limit)
        shown = self._choose(count) if count > 0 else np.zeros((0, self._size), np.int64)
        if count > 0 and not len(shown):
            self._ended = "data"
        self._round += len(shown) > 0
        self._asked += len(shown)
        self._start = self._now
        ends = np.arange(len(shown) + 1, dtype=np.int32) * shown.shape[1]
        lists = pa.ListArray.from_arrays(ends, pa.array(shown.ravel(), pa.int32()))
        return pa.record_batch([lists], schema=MATCHES)

    def prepare(self) -> None:
        """Import what the estimate needs: it takes a quarter of a second."""
        import scipy.special  # noqa: F401

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES), in the order its matches were handed out."""
        self._log.add(outcomes)
        if self._log.silence >= SILENT_CALLS:
            self._ended = "data"

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament: never shown again, absent from the standing."""
        self._log.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (STANDING)."""
        self._settle()
        items = np.flatnonzero(self._log.present)
        low, high, first = self._ranks(items)
        score = self._now.mean[items]
        best = np.argsort(-score, kind="stable")
        columns = (items, score, low, high, self._log.answered[items], first)
        arrays = [
            pa.array(column[best], field.type)
            for column, field in zip(columns, STANDING, strict=True)
        ]
        return pa.record_batch(arrays, schema=STANDING)

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        self._settle()
        stopped = self._stopped()
        return Progress(
            rounds=self._round,
            asked=self._asked,
            answered=len(self._log),
            predicted_tau=self._now.tau,
            stopped=stopped,
            expected_calls=None if stopped else self._forecast(),
            notes=self._notes(stopped),
        )

    def diagnosis(self) -> Diagnosis:
        """Return what is fitted of the judge."""
        self._settle()
        judge = self._now.judge
        return Diagnosis(self._now.scale, judge.bias, judge.tie, judge.much)

    def quarantined(self) -> list[int]:
        """Return the items that are no longer scheduled because their matches keep failing."""
        return [int(item) for item in np.flatnonzero(self._log.keeps_failing())]

    def _ranks(self, items: Ints) -> tuple[Floats, Floats, Floats]:
        """Return both ends of the interval of each item's rank, and its chance to be the best."""
        n = len(items)
        if self._precision is None or n < 2:
            return np.ones(n), np.full(n, float(n)), np.full(n, 1.0 / max(n, 1))
        sample = draw(self._now, self._precision, items, self._random("intervals"), RANK_DRAWS)
        low, high = rank_intervals(sample)
        if n <= FEW:
            sample = draw(self._now, self._precision, items, self._random("best"), BEST_DRAWS)
        return low, high, best_chances(sample)

    def _stopped(self) -> Stopped | None:
        if self._ended or self._log.present.sum() < 2:
            return self._ended or "data"
        return decide(self._plan, self._history, self._asked)

    def _forecast(self) -> int:
        plan = self._plan
        if plan.rounds is not None and plan.budget is not None:
            return plan.budget
        calls = expected_calls(plan, self._history)
        return calls if plan.budget is None else min(calls, plan.budget)

    def _notes(self, stopped: Stopped | None) -> tuple[str, ...]:
        notes = []
        if failing := len(self.quarantined()):
            notes.append(f"matches of {failing} items kept failing; they are no longer asked about")
        if stopped and self._asked and not len(self._log):
            notes.append("not one answer could be used")
        elif stopped and self._n > 1 and self._now.tau < WEAK:
            notes.append(NO_INFORMATION if len(self._log) >= ENOUGH else TOO_FEW)
        return tuple(notes)

    def _random(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._round, *purpose.encode()])

    def _settle(self) -> None:
        """Fit what was recorded since the last fit, from the estimate at the round's start."""
        if self._version == self._log.version:
            return
        likelihood = self._likelihood()
        graph = Graph(self._n, *likelihood.edges())
        self._now, self._precision = fit(
            likelihood, graph, self._start, self._random("draws"), self._log.present
        )
        self._version = self._log.version
        earlier = [point for point in self._history if point.asked < self._asked]
        self._history = [*earlier, Point(self._asked, self._now.tau)]

    def _likelihood(self) -> Likelihood:
        if self._question.kind == "list":
            return ListLikelihood(self._n, *self._log.lists())
        return PairLikelihood(self._n, *self._log.pairs())

    def _choose(self, count: int) -> Ints:
        """Hand out at most *count* matches (rows of items, as shown)."""
        rng = self._random("matches")
        items = np.flatnonzero(self._log.present & ~self._log.keeps_failing())
        if len(items) < 2:
            return np.zeros((0, self._size), np.int64)
        orders = self._orders(items, 3 + 2 * self._size * count // len(items), rng)
        if self._question.kind == "list":
            size = min(self._size, len(items))
            return match_lists(orders, size, self._ledger, count, rng)
        near = match_pairs(orders, self._ledger, count, rng)
        if len(near) == count:
            return near
        best = items[np.argsort(-self._now.mean[items], kind="stable")]
        return np.concatenate([near, match_strangers(best, self._ledger, count - len(near), rng)])

    def _orders(self, items: Ints, count: int, rng: np.random.Generator) -> Iterator[Ints]:
        """Sample *count* orders of *items*, best first, from a narrowed posterior."""
        deviation = BOLDNESS * np.sqrt(self._now.variance[items])
        for _ in range(count):
            noise = deviation * rng.standard_normal(len(items))
            yield items[np.argsort(-(self._now.mean[items] + noise))]


def _plan(n: int, size: int, target: float, budget: int | None, rounds: int | None) -> Plan:
    pairs = n / _pairs_worth(size)
    first = max(1, round(FIRST_ROUND * pairs))
    most = max(1, round(MOST_MATCHES * pairs))
    return Plan(target, budget, rounds, first, most, window=max(16, n // 4))


def _pairs_worth(size: int) -> float:
    """Return how many pairs a list of *size* is worth.

    The Fisher information of a Plackett-Luce list over that of a pair, 1.15 measured, with noise
    that grows by 0.15 log2(k / 2) (research/sorting.md 3).
    """
    if size <= 2:
        return 1.0
    noise = 1.0 + 0.15 * float(np.log2(size / 2))
    harmonic = float(np.sum(1.0 / np.arange(1, size + 1)))
    return 1.15 * 2.0 * (size - harmonic) / noise**2
