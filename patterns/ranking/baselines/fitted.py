"""Pairs chosen without our engine, and its posterior fitted to what they say."""

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa

from ..evidence import Evidence
from ..graph import Graph, Precision
from ..likelihood import Floats, Ints, PairLikelihood
from ..log import Log
from ..posterior import CLEAR, RANK_DRAWS, Estimate, best_chances, draw, fit, rank_intervals
from .script import Script
from .scripted import ScriptedRanking


class FittedPairs(ScriptedRanking):
    """Pairs that a script chooses; a Bradley-Terry posterior with position bias orders the items.

    A score is the posterior mean, in logits of the judge's noise. Unlike other scripted rankings,
    where *wins_tell*, it predicts its tau, and has 90% rank intervals.
    """

    at_end = "data"
    wins_tell: ClassVar[bool] = True
    """Whether who is better wins more often: by that it is tested whether there is an order. Where
    it cannot be, nothing is predicted, and rank intervals are 1 to n."""

    def __init__(self, n: int, *, seed: int = 0, votes: int = 1) -> None:
        super().__init__(n, seed=seed, votes=votes)
        self._seed = seed % 2**63
        self._log = Log(n)
        self._start = self._now = Estimate.prior(n)
        self._precision: Precision | None = None
        self._version = 0

    @abstractmethod
    def _script(self) -> Script[None]:
        """Choose the pairs."""

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        self._settle()
        self._start = self._now
        return super().next_matches(limit)

    def prepare(self) -> None:
        """Import what the fit needs."""
        import scipy.special  # noqa: F401

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES), in the order its matches were handed out."""
        self._log.add(outcomes)
        super().record(outcomes)

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament: never shown again, absent from the standing."""
        super().exclude(item)
        self._log.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (STANDING)."""
        self._settle()
        return super().standing()

    def _settle(self) -> None:
        """Fit what was recorded since the last fit, from the estimate at the round's start."""
        if self._version == self._log.version:
            return
        key = (0, self.question.kind)
        records = self._log.parts.get(key)
        parts = {} if records is None else {key: self._pairs(*records.pairs(self._log.present))}
        evidence = Evidence(parts)
        graph = Graph(self._n, *evidence.edges())
        start = self._start if self.wins_tell else replace(self._start, tau=CLEAR)
        random, present = self._random("draws"), self._log.present
        self._now, self._precision = fit(evidence, graph, start, random, present)
        self._score[:] = self._now.mean
        self._version = self._log.version

    def _pairs(self, first: Ints, second: Ints, grade: Ints) -> PairLikelihood:
        return PairLikelihood(self._n, first, second, grade)

    def _ranks(self, items: Ints) -> tuple[Floats, Floats, Floats]:
        """Return both ends of the interval of each item's rank, and its chance to be the best."""
        if self._precision is None or len(items) < 2 or not self.wins_tell:
            return super()._ranks(items)
        sample = draw(self._now, self._precision, items, self._random("intervals"), RANK_DRAWS)
        return (*rank_intervals(sample), best_chances(sample))

    def _predicted_tau(self) -> float:
        self._settle()
        return self._now.tau if self.wins_tell else 0.0

    def _random(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._round, *purpose.encode()])
