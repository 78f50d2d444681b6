"""The ranking engine: asks, believes, and stops when it knows the order well enough."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...actors.bracket import Progress, Stopped
from ...actors.questions import Question
from ...actors.tables import MATCHES, STANDING
from .graph import Graph, Precision
from .likelihood import Ints, Likelihood, ListLikelihood, PairLikelihood
from .log import Log
from .posterior import Estimate, fit, rank_intervals
from .schedule import Ledger, match_lists, match_pairs
from .stopping import Plan, Point, decide, expected_calls, round_size

BOLDNESS = 0.5
"""How far a sampled order strays from the mean: 1 is the posterior itself."""

MOST_APPEARANCES = 400
"""Per item, in pairs: what a judge right on 65% of random pairs needs."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the outcomes say about the judge, in the units of its noise."""

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
        self._n, self._question, self._seed = n, question, seed
        self._size = min(question.size, n)
        self._plan = _plan(n, self._size, target, budget_calls, rounds)
        self._log = Log(n, self._size)
        self._ledger = Ledger(n)
        self._base = self._now = Estimate.prior(n)
        self._precision: Precision | None = None
        self._fitted = 0
        self._history: list[Point] = []
        self._asked = self._pending = self._round = 0
        self._ended: Stopped | None = None

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        self._settle()
        count = 0 if self._stopped() else round_size(self._plan, self._history)
        count = count if limit is None else min(count, limit)
        shown = self._choose(count) if count else np.zeros((0, self._size), np.int64)
        if count and not len(shown):
            self._ended = "data"
        self._round += len(shown) > 0
        self._asked += len(shown)
        self._pending += len(shown)
        self._base = self._now
        ends = np.arange(len(shown) + 1, dtype=np.int32) * self._size
        lists = pa.ListArray.from_arrays(ends, pa.array(shown.ravel(), pa.int32()))
        return pa.record_batch([lists], schema=MATCHES)

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES), in the order its matches were handed out."""
        self._log.add(outcomes)
        self._pending = max(0, self._pending - outcomes.num_rows)
        if self._log.silence >= 50:
            self._ended = "data"

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament: never shown again, absent from the standing."""
        self._log.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (STANDING)."""
        self._settle()
        low, high = np.ones(self._n), np.full(self._n, float(self._n))
        if self._precision is not None:
            low, high = rank_intervals(self._now, self._precision, self._random(2))
        items = np.flatnonzero(self._log.present)
        order = items[np.argsort(-self._now.mean[items], kind="stable")]
        columns = [order, self._now.mean[order], low[order], high[order], self._log.answered[order]]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, STANDING, strict=True)]
        return pa.record_batch(arrays, schema=STANDING)

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        self._settle()
        return Progress(
            rounds=self._round,
            asked=self._asked,
            answered=len(self._log),
            predicted_tau=self._now.tau,
            stopped=self._stopped(),
            expected_calls=expected_calls(self._plan, self._history),
        )

    def diagnosis(self) -> Diagnosis:
        """Return what is fitted of the judge."""
        self._settle()
        judge = self._now.judge
        return Diagnosis(self._now.scale, judge.bias, judge.tie, judge.much)

    def quarantined(self) -> list[int]:
        """Return the items that are no longer scheduled because their matches keep failing."""
        return [int(item) for item in np.flatnonzero(self._log.quarantined())]

    def _stopped(self) -> Stopped | None:
        if self._ended or self._n < 2:
            return self._ended or "data"
        return decide(self._plan, self._history)

    def _random(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._round, purpose])

    def _settle(self) -> None:
        """Fit what was recorded since the last fit, from the estimate at the round's start."""
        if self._fitted == self._log.version:
            return
        likelihood = self._likelihood()
        graph = Graph(self._n, *likelihood.edges())
        self._now, self._precision = fit(likelihood, graph, self._base, self._random(1))
        self._fitted = self._log.version
        point = Point(self._asked, self._now.tau)
        self._history = [p for p in self._history if p.asked < self._asked] + [point]

    def _likelihood(self) -> Likelihood:
        if self._question.kind == "list":
            return ListLikelihood(self._n, *self._log.lists())
        return PairLikelihood(self._n, *self._log.pairs())

    def _choose(self, count: int) -> Ints:
        rng = self._random(0)
        items = np.flatnonzero(self._log.present & ~self._log.quarantined())
        if len(items) < 2:
            return np.zeros((0, self._size), np.int64)
        tries = 3 + 2 * self._size * count // len(items)
        orders = (items[self._sample(items, rng)] for _ in range(tries))
        if self._question.kind == "list":
            shown = match_lists(orders, self._size, count, self._ledger.balance, rng)
            return self._ledger.note_lists(shown)
        return match_pairs(orders, self._ledger, count, rng)

    def _sample(self, items: Ints, rng: np.random.Generator) -> Ints:
        now = self._now
        if not self._fitted:
            return rng.permutation(len(items))
        noise = np.sqrt(now.variance) * rng.standard_normal(self._n)
        return np.argsort(-(now.mean + BOLDNESS * noise)[items])


def _plan(n: int, size: int, target: float, budget: int | None, rounds: int | None) -> Plan:
    gain = _list_gain(size)
    first = max(1, round(3.0 * n / gain))
    most = max(1, round(MOST_APPEARANCES / 2 * n / gain))
    return Plan(target, budget, rounds, first, most, max(1, n // 4))


def _list_gain(size: int) -> float:
    """Return how many pairs a list of *size* is worth (research/sorting.md 3, noise included)."""
    if size <= 2:
        return 1.0
    noise = 1.0 + 0.15 * np.log2(size / 2)
    harmonic = float(np.sum(1.0 / np.arange(1, size + 1)))
    return float(1.15 * 2.0 * size * (1.0 - harmonic / size) / noise**2)
