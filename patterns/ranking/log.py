"""The log of outcomes as arrays: all else in a ranking is a function of it."""

import numpy as np
import pyarrow as pa

from .likelihood import Floats, Ints
from .schedule import Bools, places


class Log:
    """Outcomes in the order they came, and what they say about each item's matches."""

    def __init__(self, n: int, size: int) -> None:
        self._size = size
        self._shown = np.zeros((0, size), np.int64)
        self._grade = np.zeros(0, np.int64)
        self._ranked = np.zeros((0, size), np.int64)
        self._picked = np.zeros(0, np.int64)
        self.answered: Ints = np.zeros(n, np.int64)
        self.failed: Ints = np.zeros(n, np.int64)
        self.present = np.ones(n, bool)
        self.silence = 0
        self.version = 0

    def __len__(self) -> int:
        return len(self._shown)

    def add(self, outcomes: pa.RecordBatch) -> None:
        """Append *outcomes* (schema OUTCOMES): answers as data, the rest as failures."""
        self.version += 1
        shown = _matrix(outcomes.column("shown"), self._size)
        status = outcomes.column("status").to_numpy(zero_copy_only=False)
        ok = status == "ok"
        self._count(shown, ok)
        self._shown = np.concatenate([self._shown, shown[ok]])
        grade = outcomes.column("grade").fill_null(0).to_numpy(zero_copy_only=False)
        self._grade = np.concatenate([self._grade, grade[ok].astype(np.int64)])
        ranked, picked = _orders(outcomes.column("order"), shown)
        self._ranked = np.concatenate([self._ranked, ranked[ok]])
        self._picked = np.concatenate([self._picked, picked[ok]])

    def exclude(self, item: int) -> None:
        """Forget *item*: it is absent from now on, in what was answered as well."""
        self.present[item] = False
        self.version += 1

    def pairs(self) -> tuple[Ints, Ints, Ints]:
        """Return first item, second item and grade of every answered pair of present items."""
        kept = self.present[self._shown].all(1)
        return self._shown[kept, 0], self._shown[kept, 1], self._grade[kept]

    def lists(self) -> tuple[Ints, Ints, Floats]:
        """Return every answered list as ListLikelihood takes it, absent items removed."""
        place = np.broadcast_to(places(self._size), self._shown.shape)
        where = (self._ranked[:, :, None] == self._shown[:, None, :]).argmax(2)
        ranked = np.where(self.present[self._ranked], self._ranked, -1)
        first = np.argsort(ranked < 0, axis=1, kind="stable")
        picked = (self.present[self._ranked] & (np.arange(self._size) < self._picked[:, None])).sum(
            1
        )
        ordered = np.take_along_axis(ranked, first, 1)
        shown_at = np.take_along_axis(np.take_along_axis(place, where, 1), first, 1)
        return ordered.T.copy(), picked, shown_at.T.copy()

    def keeps_failing(self) -> Bools:
        """Return which items' matches keep failing while others' succeed."""
        return (self.failed >= 3) & (self.failed > 2 * self.answered) & bool(len(self))

    def _count(self, shown: Ints, ok: Bools) -> None:
        n = len(self.answered)
        self.answered += np.bincount(shown[ok].ravel(), minlength=n)
        self.failed += np.bincount(shown[~ok].ravel(), minlength=n)
        last = np.flatnonzero(ok)
        self.silence = len(ok) - 1 - int(last[-1]) if len(last) else self.silence + len(ok)


def _matrix(lists: pa.ListArray, size: int) -> Ints:
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.int64).reshape(-1, size)


def _orders(orders: pa.ListArray, shown: Ints) -> tuple[Ints, Ints]:
    """Return each order completed by its unranked items, and how many the judge ranked."""
    picked = orders.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = orders.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
    size = shown.shape[1]
    given = np.full(shown.shape, -1)
    given[np.arange(size) < picked[:, None]] = flat
    match = given[:, :, None] == shown[:, None, :]
    rank = np.where(match.any(1), match.argmax(1), size)
    order = np.argsort(rank, axis=1, kind="stable")
    return np.take_along_axis(shown, order, 1), picked
