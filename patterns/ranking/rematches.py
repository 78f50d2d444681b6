"""Meetings again: the same systems on the same item, in another order or before another judge.

What is said again of an item is less news than what is said of another one, for both share what is
peculiar to it. So systems meet again only where all have met, and as long as that teaches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .fixtures import STAGES
from .likelihood import Bools, Floats, Ints
from .robust import Worth

LEAST_TAUGHT: Final = 0.25
"""Matches teach as long as they lower variances by this share of what as many new ones would."""

LOOKED_BACK: Final = 1.5
"""What the last matches taught is seen where there are so many times as many as before them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """After a round: matches asked so far, and the *variance* of a typical difference."""

    asked: int
    variance: float


class Rematches:
    """Who has met on which item, how often, and how they can meet again.

    A set of systems meets at most twice before each of the *judges*: in the order in which it was
    first shown, and in the opposite one. *system* is whose output each row of the item table is,
    of *n* systems.
    """

    def __init__(self, system: Ints, n: int, judges: int) -> None:
        self._system, self._n, self._judges = system, n, judges
        self._rows = np.zeros((0, 2), np.int64)  # as first shown, filled up with -1
        self._judge = np.zeros(0, np.int64)
        self._times = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def most(self) -> int:
        """How often a set can meet on an item."""
        return 2 * self._judges

    def note(self, shown: Ints, judges: Ints) -> None:
        """Take in first meetings: rows of the item table as they are shown, and who judges each."""
        width = max(shown.shape[1], self._rows.shape[1])
        both = [
            np.pad(each, ((0, 0), (0, width - each.shape[1])), constant_values=-1)
            for each in (self._rows, shown)
        ]
        self._rows = np.concatenate(both)
        self._judge = np.concatenate([self._judge, judges])
        self._times = np.concatenate([self._times, np.ones(len(shown), np.int64)])

    def is_open(self, rows: Bools) -> bool:
        """Whether any can meet again, with outputs in these *rows* alone."""
        return bool(self._open(rows).any())

    def hand_out(
        self, worth: Worth, count: int, rows: Bools, rng: np.random.Generator
    ) -> list[tuple[Ints, Ints]]:
        """Return at most *count* meetings again, and who judges them; each a matrix of one width.

        Those that tell most are drawn most often, and those that have met least.
        """
        left, free = count, self._open(rows)
        chosen = []
        for stage in range(STAGES, 0, -1):
            value = self._value(worth.gain() ** 2) / (1.0 + self._times) * free
            drawn = _drawn(value, free, -(-left // stage), rng)
            free[drawn] = False
            left -= len(drawn)
            chosen.append(drawn)
            worth.expect(self._met(drawn))
        return self._as_shown(rng.permutation(np.concatenate(chosen)))

    def _open(self, rows: Bools) -> Bools:
        is_there = (self._rows < 0) | rows[self._rows]
        return np.asarray(is_there.all(1) & (self._times < self.most), np.bool_)

    def _value(self, weight: Floats) -> Floats:
        """Return what each set weighs: the sum of its pairs' *weight*."""
        system = self._system[self._rows]
        total = np.zeros(len(system))
        for one in range(system.shape[1]):
            for other in range(one):
                pair = weight[system[:, one], system[:, other]]
                total += np.where(self._rows[:, one] >= 0, pair, 0.0)
        return total

    def _met(self, drawn: Ints) -> Floats:
        met = np.zeros((self._n, self._n))
        for rows in self._rows[drawn]:
            shown = self._system[rows[rows >= 0]]
            met[np.ix_(shown, shown)] += 1.0 / (len(shown) - 1.0)
        np.fill_diagonal(met, 0.0)
        return met

    def _as_shown(self, chosen: Ints) -> list[tuple[Ints, Ints]]:
        """Return these sets as they are to be shown now, and count that they meet."""
        times, judges = self._times[chosen], self._judges
        judge = (self._judge[chosen] + times) % judges
        turns = times + (
            times // judges if judges % 2 == 0 else 0
        )  # so that no judge sees it again
        width = (self._rows[chosen] >= 0).sum(1)
        self._times[chosen] += 1
        found = []
        for size in np.unique(width).tolist():
            own = np.flatnonzero(width == size)
            rows = self._rows[chosen[own], :size]
            shown = np.where(turns[own, None] % 2 == 1, rows[:, ::-1], rows)
            found.append((shown, judge[own]))
        return found


def teaches(history: Sequence[Seen], *, once: int) -> bool:
    """Whether meeting again teaches, after *once* first meetings; half of them are asked anyway."""
    if not history:
        return True
    now = history[-1]
    earlier = [seen for seen in history if once <= seen.asked <= now.asked / LOOKED_BACK]
    if not earlier:
        return True
    then = earlier[-1]
    gained, hoped = 1.0 - now.variance / then.variance, 1.0 - then.asked / now.asked
    return gained >= LEAST_TAUGHT * hoped


def _drawn(value: Floats, free: Bools, count: int, rng: np.random.Generator) -> Ints:
    """Return *count* different places that are *free*, drawn by their *value* (Efraimidis &
    Spirakis 2006); any where all are worth nothing."""
    weight = value if value.any() else free.astype(np.float64)
    with np.errstate(divide="ignore"):
        turn = rng.exponential(size=len(weight)) / weight
    order = np.argsort(turn, kind="stable")[:count]
    return order[weight[order] > 0.0]
