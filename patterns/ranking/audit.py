"""Can a judge be trusted with a question: does it flip, do its grades mean what they say?"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from .evidence import Evidence
from .graph import Graph
from .likelihood import Bools, Floats, Ints, PairLikelihood
from .log import Log, Records
from .posterior import Estimate, fit

ENOUGH_GRADES = 150
"""Graded answers from which it is told whether they follow the strength of the preference."""

AUDITED = 20_000
"""Among so many graded answers at most it is tested whether grades follow the strengths."""

CLEAR_RELATION = 2.5
"""A slope of so many standard errors is no chance; honest grades of a pilot have about six."""


@dataclass(slots=True)
class Swaps:
    """Pairs that were asked again in the other order: how often the verdict turned with it."""

    waiting: dict[tuple[int, int], int]
    """What was said of each pair, by the items as they are shown now, from the first one's side."""
    asked: int = 0
    flipped: int = 0
    first: int = 0
    """How often the first shown won both times."""
    second: int = 0

    @classmethod
    def none(cls) -> "Swaps":
        """Return what is known while nothing was asked again."""
        return cls({})

    def choose(
        self, known: Records | None, present: Bools, count: int, rng: np.random.Generator
    ) -> Ints:
        """Return at most *count* of the *known* pairs, to be asked again in the other order."""
        if known is None or count < 1:
            return np.zeros((0, 2), np.int64)
        first, second, grade = known.pairs(present)
        rows = rng.permutation(len(first))[:count]
        shown = np.stack([second[rows], first[rows]], 1)
        for pair, said in zip(shown.tolist(), (-grade[rows]).tolist(), strict=True):
            self.waiting[pair[0], pair[1]] = said
        return shown

    def take(self, outcomes: pa.RecordBatch) -> pa.RecordBatch:
        """Count the answers about pairs that were asked again; return all other *outcomes*."""
        if not self.waiting:
            return outcomes
        kept = []
        columns = (outcomes.column(name).to_pylist() for name in ("shown", "status", "grade"))
        for items, status, grade in zip(*columns, strict=True):
            before = self.waiting.pop(tuple(items), None) if len(items) == 2 else None
            kept.append(before is None)
            if before is not None and status == "ok":
                self._count(int(np.sign(before)), int(np.sign(grade)))
        return outcomes.filter(pa.array(kept, pa.bool_()))

    @property
    def share(self) -> float:
        """The share of pairs on which the verdict changed."""
        return self.flipped / self.asked if self.asked else 0.0

    def _count(self, before: int, now: int) -> None:
        """Count one pair: *before* and *now* are from the side of the item that is first now."""
        self.asked += 1
        self.flipped += before != now
        self.first += now > 0 > before
        self.second += now < 0 < before


@dataclass(frozen=True, slots=True)
class Honesty:
    """Whether grades follow the strength of the preference: a score test of *count* answers.

    *z* is that of the slope of a logistic regression of 'much' on how far the winner is ahead of
    the loser, in strengths that were fitted without the grades: without any relation it is standard
    normal.
    """

    count: int = 0
    z: float = 0.0
    tested: int = 0

    @classmethod
    def of(cls, part: PairLikelihood, mean: Floats) -> "Honesty":
        """Test the grades of *part*, by the strengths *mean* as fitted to who won alone."""
        decided = part.grade != 0
        is_much = (np.abs(part.grade[decided]) == 2).astype(np.float64)
        gap = (mean[part.first] - mean[part.second])[decided] * np.sign(part.grade[decided])
        share = float(np.mean(is_much)) if len(is_much) else 0.0
        gap = gap - np.mean(gap) if len(gap) else gap
        scale = share * (1.0 - share) * float(np.sum(gap * gap))
        z = float(np.sum((is_much - share) * gap)) / scale**0.5 if scale > 0.0 else 0.0
        return cls(len(is_much), z)

    @property
    def is_in_doubt(self) -> bool:
        """Whether there are answers enough to see a relation, and there is none."""
        return self.count >= ENOUGH_GRADES and self.z < CLEAR_RELATION

    def renewed(self, log: Log, n: int, rng: np.random.Generator) -> "Honesty":
        """Return what is known of the first judge's grades after more answers came into *log*."""
        known = log.parts.get((0, "graded"))
        if known is None or not self.tested < len(known) <= AUDITED:
            return self
        first, second, grade = known.pairs(log.present)
        plain = Evidence({(0, "pair"): PairLikelihood(n, first, second, np.sign(grade))})
        by_winner, _ = fit(plain, Graph(n, first, second), Estimate.prior(n), rng)
        found = Honesty.of(PairLikelihood(n, first, second, grade), by_winner.mean)
        return replace(found, tested=len(known))


def in_pilot(n: int, seed: int, among: int) -> Bools:
    """Return which of *n* items take part in a pilot *among* so many."""
    chosen = np.random.default_rng([seed, *b"pilot"]).permutation(n)[:among]
    return np.isin(np.arange(n), chosen)
