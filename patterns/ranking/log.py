"""The log of outcomes as arrays: all else in a ranking is a function of it."""

from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...actors.questions import Question
from .likelihood import Bools, Floats, Ints, Key, Likelihood, ListLikelihood, PairLikelihood
from .schedule import places

T = TypeVar("T", np.int64, np.float64)


class Log:
    """Outcomes in the order they came, and what they say about each item's matches."""

    def __init__(self, n: int) -> None:
        self.parts: dict[Key, Records] = {}
        self._failures = self._successes = 0
        self.answered: Ints = np.zeros(n, np.int64)
        self.failed: Ints = np.zeros(n, np.int64)
        self.present: Bools = np.ones(n, np.bool_)
        self.silence = 0
        self.version = 0

    def __len__(self) -> int:
        return self._successes

    def add(self, outcomes: pa.RecordBatch) -> None:
        """Append *outcomes* (schema OUTCOMES): answers as data, the rest as failures."""
        self.version += 1
        ok = np.asarray(outcomes.column("status").to_numpy(zero_copy_only=False) == "ok", np.bool_)
        shown = outcomes.column("shown")
        sizes = shown.value_lengths().to_numpy()
        item = shown.flatten().to_numpy()
        self._count(item, np.repeat(ok, sizes), ok)
        task, judge = outcomes.column("task"), outcomes.column("judge").to_numpy()
        words, codes = task.dictionary.to_pylist(), task.indices.to_numpy()
        for number, code in np.unique(np.stack([judge[ok], codes[ok]], 1), axis=0).tolist():
            key = number, Question.parse(words[code]).kind
            rows = outcomes.filter(pa.array(ok & (judge == number) & (codes == code)))
            self.parts.setdefault(key, Records()).add(rows)

    def likelihoods(self, *, by_winner: bool) -> dict[Key, Likelihood]:
        """Return what the outcomes of each key say of the items that are present.

        *by_winner* where grades are not to be believed: of each pair only who won counts.
        """
        n, found = len(self.present), dict[Key, Likelihood]()
        for key, records in self.parts.items():
            if key[1] == "list":
                found[key] = ListLikelihood(n, *records.lists(self.present))
                continue
            first, second, grade = records.pairs(self.present)
            found[key] = PairLikelihood(n, first, second, np.sign(grade) if by_winner else grade)
        return found

    def exclude(self, item: int) -> None:
        """Forget *item*: it is absent from now on, in what was answered as well."""
        self.present[item] = False
        self.version += 1

    def keeps_failing(self) -> Bools:
        """Return which items' matches fail, three times or more, where those of others succeed.

        Among many items chance alone makes a few fail: it must not explain the worst of them.
        """
        often = self.failed >= 3 * (1 + 2 * self.answered)
        failures = self._failures - self.failed
        others = self._failures + len(self) - self.failed - self.answered
        share = np.where(others > 0, failures / np.maximum(others, 1), 1.0)
        return np.asarray(often & (share**self.failed * len(often) < 0.05), np.bool_)

    def _count(self, item: Ints, is_answered: Bools, ok: Bools) -> None:
        n = len(self.answered)
        self.answered += np.bincount(item[is_answered], minlength=n)
        self.failed += np.bincount(item[~is_answered], minlength=n)
        self._failures += int((~ok).sum())
        self._successes += int(ok.sum())
        last = np.flatnonzero(ok)
        self.silence = len(ok) - 1 - int(last[-1]) if len(last) else self.silence + len(ok)


class Records:
    """Answered outcomes of one key, as arrays."""

    def __init__(self) -> None:
        self._ranked = np.zeros((0, 1), np.int64)  # best first, as far as given; then as shown
        self._place = np.zeros((0, 1))
        self._picked = np.zeros(0, np.int64)
        self._grade = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._ranked)

    def add(self, answered: pa.RecordBatch) -> None:
        """Append *answered* outcomes."""
        size = int(answered.column("shown").value_lengths().to_numpy().max(initial=1))
        shown, given = (_matrix(answered.column(name), size) for name in ("shown", "order"))
        grade = answered.column("grade").fill_null(0).to_numpy(zero_copy_only=False)
        self._grade = np.concatenate([self._grade, grade.astype(np.int64)])
        ranked, place, picked = _ranked(shown, given)
        self._ranked = _stacked(self._ranked, ranked, -1)
        self._place = _stacked(self._place, place, 0.0)
        self._picked = np.concatenate([self._picked, picked])

    def pairs(self, present: Bools) -> tuple[Ints, Ints, Ints]:
        """Return first item, second item and grade of every answered pair of present items."""
        kept = present[self._ranked[:, :2]].all(1)
        return self._ranked[kept, 0], self._ranked[kept, 1], self._grade[kept]

    def lists(self, present: Bools) -> tuple[Ints, Ints, Floats]:
        """Return every answered list as `ListLikelihood` takes it, absent items removed."""
        there = (self._ranked >= 0) & present[self._ranked]
        picked = (there & (np.arange(self._ranked.shape[1]) < self._picked[:, None])).sum(1)
        ranked = np.where(there, self._ranked, -1)
        front = np.argsort(~there, axis=1, kind="stable")
        place = np.take_along_axis(self._place, front, 1)
        return np.take_along_axis(ranked, front, 1).T.copy(), picked, place.T.copy()


def _stacked(above: NDArray[T], below: NDArray[T], filler: float) -> NDArray[T]:
    """Return the rows of both, the narrower ones filled up."""
    width = max(above.shape[1], below.shape[1])
    both = np.full((len(above) + len(below), width), filler, below.dtype)
    both[: len(above), : above.shape[1]] = above
    both[len(above) :, : below.shape[1]] = below
    return both


def _matrix(lists: pa.ListArray, size: int) -> Ints:
    """Return *lists* as rows of *size*, padded with -1."""
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    rows = np.full((len(lists), size), -1)
    rows[np.arange(size) < lengths[:, None]] = lists.flatten().to_numpy(zero_copy_only=False)
    return rows


def _ranked(shown: Ints, given: Ints) -> tuple[Ints, Floats, Ints]:
    """Return the *shown* items in the order *given*, where each was shown, and how many it has."""
    if not (given >= 0).any():
        return shown, np.zeros(shown.shape), np.zeros(len(shown), np.int64)
    rank = np.full(shown.shape, given.shape[1])
    for place in reversed(range(given.shape[1])):
        rank[shown == given[:, place, None]] = place
    picked = (rank < given.shape[1]).sum(1)
    rank[shown < 0] = given.shape[1] + 1
    order = np.argsort(rank, axis=1, kind="stable")
    sizes = (shown >= 0).sum(1)
    where = np.zeros(shown.shape)
    for size in np.unique(sizes):
        where[sizes == size, :size] = places(int(size))
    return np.take_along_axis(shown, order, 1), np.take_along_axis(where, order, 1), picked
