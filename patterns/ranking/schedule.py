"""Which matches to ask next: neighbours in sampled orders, never the same question twice."""

from collections.abc import Iterable

import numpy as np

from .likelihood import Bools, Floats, Ints


class Ledger:
    """What was handed out: who met whom, and how often each item stood first rather than last."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._runs: list[Ints] = []  # of pairs; sorted, each at least twice as long as the next
        self._lists: set[bytes] = set()
        self.balance: Floats = np.zeros(n)

    def has_met(self, one: Ints, other: Ints) -> Bools:
        """Return which of these pairs were handed out already, in either order."""
        key = self._key(one, other)
        met = np.zeros(len(key), bool)
        for run in self._runs:
            met |= run[np.minimum(np.searchsorted(run, key), len(run) - 1)] == key
        return met

    def hand_out(self, one: Ints, other: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Note these pairs, no item twice among them; return which to show first and second.

        First goes who stood first less often: an item's orders balance, and none is asked twice.
        """
        ahead = self.balance[one] - self.balance[other]
        swap = (ahead > 0.0) | ((ahead == 0.0) & (rng.random(len(one)) < 0.5))
        first, second = np.where(swap, other, one), np.where(swap, one, other)
        self.note_pairs(first, second)
        return first, second

    def note_pairs(self, first: Ints, second: Ints) -> None:
        """Note that these pairs were handed out, in this order."""
        self.balance += np.bincount(first, minlength=self._n)
        self.balance -= np.bincount(second, minlength=self._n)
        run = np.sort(self._key(first, second))
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        if len(run):
            self._runs.append(run)

    def note_lists(self, shown: Ints) -> Ints:
        """Note that these lists (rows) were handed out; return those that are new orders."""
        fresh = []
        for row, key in enumerate(shown.astype(np.int32)):
            if (text := key.tobytes()) not in self._lists:
                self._lists.add(text)
                fresh.append(row)
        new = shown[fresh]
        place = np.broadcast_to(places(shown.shape[1]), new.shape)
        self.balance += np.bincount(new.ravel(), place.ravel(), self._n)
        return new

    def _key(self, one: Ints, other: Ints) -> Ints:
        return np.minimum(one, other) * np.int64(self._n) + np.maximum(one, other)


def places(size: int) -> Floats:
    """Return where each item of a list of *size* is shown: 0.5 is first, -0.5 is last."""
    return np.linspace(0.5, -0.5, size) if size > 1 else np.zeros(size)


def match_pairs(
    orders: Iterable[Ints], ledger: Ledger, count: int, rng: np.random.Generator
) -> Ints:
    """Hand out at most *count* new pairs (rows) of near neighbours in *orders*."""
    rows = [np.zeros((0, 2), np.int64)]
    for order in orders:
        one, other = _neighbours(order, ledger, rng)
        new = np.flatnonzero(~ledger.has_met(one, other))
        new = new[rng.permutation(len(new))[: count - sum(map(len, rows))]]
        rows.append(np.stack(ledger.hand_out(one[new], other[new], rng), 1))
        if sum(map(len, rows)) >= count:
            break
    return np.concatenate(rows)


def match_strangers(order: Ints, ledger: Ledger, count: int, rng: np.random.Generator) -> Ints:
    """Hand out at most *count* pairs (rows) that never met, nearest in *order* first."""
    rows = [np.zeros((0, 2), np.int64)]
    left = count
    place = np.arange(len(order))
    for lag in range(1, len(order)):
        for phase in (0, 1):
            start = place[:-lag][place[:-lag] // lag % 2 == phase]  # so that no item is in twice
            one, other = order[start], order[start + lag]
            new = np.flatnonzero(~ledger.has_met(one, other))[:left]
            rows.append(np.stack(ledger.hand_out(one[new], other[new], rng), 1))
            left -= len(new)
        if left == 0:
            break
    return np.concatenate(rows)


def match_lists(
    orders: Iterable[Ints], size: int, ledger: Ledger, count: int, rng: np.random.Generator
) -> Ints:
    """Hand out at most *count* lists (rows) of *size* neighbours in *orders*, in new orders."""
    rows = [np.zeros((0, size), np.int64)]
    for order in orders:
        windows = _windows(order, size, rng)
        windows = windows[rng.permutation(len(windows))[: count - sum(map(len, rows))]]
        rows.append(ledger.note_lists(_shuffle(windows, ledger.balance, rng)))
        if sum(map(len, rows)) >= count:
            break
    return np.concatenate(rows)


def match_all_once(order: Ints, size: int, ledger: Ledger, rng: np.random.Generator) -> Ints:
    """Hand out lists (rows) of *size* in which every item of *order* is shown, one or two twice."""
    starts = np.minimum(np.arange(0, len(order), size), len(order) - size)
    return ledger.note_lists(
        _shuffle(order[starts[:, None] + np.arange(size)], ledger.balance, rng)
    )


def match_windows(
    orders: Iterable[Ints],
    k: int,
    size: int,
    ledger: Ledger,
    count: int,
    rng: np.random.Generator,
) -> Ints:
    """Hand out at most *count* matches of *size*, each about the *k*-th place of one of *orders*.

    Pairs that have met are not matched again, lists only in another order.
    """
    rows: list[Ints] = []
    jitter = max(1, size // 4)
    for order in orders:
        middle = k + int(rng.integers(-jitter, jitter + 1))
        start = min(max(middle - size // 2, 0), len(order) - size)
        window = order[start : start + size][None, :]
        if size == 2:
            one, other = window[:, 0], window[:, 1]
            if ledger.has_met(one, other)[0]:
                continue
            rows.append(np.stack(ledger.hand_out(one, other, rng), 1))
        else:
            rows.append(ledger.note_lists(_shuffle(window, ledger.balance, rng)))
        if len(rows) >= count:
            break
    return np.concatenate([np.zeros((0, size), np.int64), *rows])


def _neighbours(order: Ints, ledger: Ledger, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Match *order* in blocks of four, each in the first of three ways in which no two have met."""
    start = int(rng.integers(4))
    blocks = order[start:][: (len(order) - start) // 4 * 4].reshape(-1, 4)
    rest = np.concatenate([order[:start], order[start + blocks.size :]])
    one, other = [rest[: len(rest) // 2 * 2 : 2]], [rest[1::2]]
    for a, b, c, d in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2)):
        met = ledger.has_met(blocks[:, a], blocks[:, b]) | ledger.has_met(
            blocks[:, c], blocks[:, d]
        )
        one += [blocks[~met, a], blocks[~met, c]]
        other += [blocks[~met, b], blocks[~met, d]]
        blocks = blocks[met]
    one += [blocks[:, 0], blocks[:, 2]]
    other += [blocks[:, 1], blocks[:, 3]]
    return np.concatenate(one), np.concatenate(other)


def _windows(order: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Cut *order* into windows of *size* neighbours from a random start.

    Both ends get a window of their own, so that the best item is asked about as often as any.
    """
    last = len(order) - size
    starts = np.arange(int(rng.integers(min(size, last + 1))), last + 1, size)
    starts = np.unique(np.r_[0, starts, last])
    return np.asarray(order[starts[:, None] + np.arange(size)])


def _shuffle(shown: Ints, balance: Floats, rng: np.random.Generator) -> Ints:
    """Show first what was shown late so far, with chance enough that no order is a habit."""
    urge = balance[shown] + rng.standard_normal(shown.shape)
    return np.take_along_axis(shown, np.argsort(urge, axis=1, kind="stable"), 1)
