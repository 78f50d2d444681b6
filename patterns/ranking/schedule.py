"""Which matches to ask next: neighbours in sampled orders, never the same question twice."""

import numpy as np

from .likelihood import Floats, Ints


class Ledger:
    """What was handed out: who met whom, and how often each item stood first rather than last."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._pairs = np.zeros(0, np.int64)
        self._lists: set[bytes] = set()
        self.balance: Floats = np.zeros(n)

    def has_met(self, one: Ints, other: Ints) -> np.ndarray:
        """Return which of these pairs were handed out already, in either order."""
        key = self._key(one, other)
        if not len(self._pairs):
            return np.zeros(len(key), bool)
        place = np.minimum(np.searchsorted(self._pairs, key), len(self._pairs) - 1)
        return np.asarray(self._pairs[place] == key)

    def add_pairs(self, first: Ints, second: Ints) -> None:
        """Note that these pairs were handed out, in this order."""
        self._pairs = np.union1d(self._pairs, self._key(first, second))
        self.balance += np.bincount(first, minlength=self._n)
        self.balance -= np.bincount(second, minlength=self._n)

    def add_lists(self, shown: Ints) -> Ints:
        """Note that these lists (rows) were handed out; return those that are new orders."""
        fresh = []
        for row in shown:
            key = row.astype(np.int32).tobytes()
            if key not in self._lists:
                self._lists.add(key)
                fresh.append(row)
        new = np.array(fresh, np.int64).reshape(len(fresh), shown.shape[1])
        np.add.at(self.balance, new, places(shown.shape[1]))
        return new

    def _key(self, one: Ints, other: Ints) -> Ints:
        return np.minimum(one, other) * np.int64(self._n) + np.maximum(one, other)


def places(size: int) -> Floats:
    """Return where each item of a list of *size* is shown: 0.5 is first, -0.5 is last."""
    return np.linspace(0.5, -0.5, size) if size > 1 else np.zeros(size)


def match_pairs(
    orders: list[Ints], ledger: Ledger, count: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return at most *count* new pairs of near neighbours in *orders*, counterbalanced."""
    left: list[Ints] = []
    total = 0
    pending = np.zeros(0, np.int64)
    n = len(ledger.balance)
    for order in orders:
        one, other = _neighbours(order, ledger, rng)
        key = np.minimum(one, other) * n + np.maximum(one, other)
        new = ~ledger.has_met(one, other) & ~np.isin(key, pending)
        pair = np.stack([one[new], other[new]])[:, rng.permutation(int(new.sum()))]
        pair = pair[:, : count - total]
        pending = np.concatenate([pending, key[new]])
        left.append(pair)
        total += pair.shape[1]
        if total >= count:
            break
    one, other = np.concatenate(left, 1) if left else np.zeros((2, 0), np.int64)
    return _orient(one, other, ledger.balance, rng)


def leftover_pairs(items: Ints, ledger: Ledger, count: int) -> tuple[Ints, Ints]:
    """Return pairs of neighbours that never met, nearest first: what is left when few are."""
    one: list[Ints] = []
    other: list[Ints] = []
    total = 0
    for lag in range(1, len(items)):
        a, b = items[:-lag], items[lag:]
        new = ~ledger.has_met(a, b)
        one.append(a[new][: count - total])
        other.append(b[new][: count - total])
        total += len(one[-1])
        if total >= count:
            break
    nothing = [np.zeros(0, np.int64)]
    return np.concatenate(one or nothing), np.concatenate(other or nothing)


def match_lists(
    orders: list[Ints], size: int, count: int, balance: Floats, rng: np.random.Generator
) -> Ints:
    """Return at most *count* lists (rows) of *size* neighbours in *orders*, counterbalanced."""
    lists: list[Ints] = []
    total = 0
    for order in orders:
        windows = _windows(order, size, rng)
        windows = windows[rng.permutation(len(windows))[: count - total]]
        lists.append(windows)
        total += len(windows)
        if total >= count:
            break
    shown = np.concatenate(lists) if lists else np.zeros((0, size), np.int64)
    return _shuffle(shown, balance, rng)


def _neighbours(order: Ints, ledger: Ledger, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Match *order* in blocks of four: of the three perfect matchings the one least met before."""
    start = int(rng.integers(4))
    blocks = order[start:][: (len(order) - start) // 4 * 4].reshape(-1, 4)
    ways = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
    met = np.empty((len(blocks), 3))
    for way, ((a, b), (c, d)) in enumerate(ways):
        met[:, way] = ledger.has_met(blocks[:, a], blocks[:, b]).astype(float)
        met[:, way] += ledger.has_met(blocks[:, c], blocks[:, d])
    chosen = met.argmin(1)
    rest = np.concatenate([order[:start], order[start + blocks.size :]])
    half = len(rest) // 2
    one, other = [rest[:half]], [rest[half : 2 * half]]
    for way, ((a, b), (c, d)) in enumerate(ways):
        some = blocks[chosen == way]
        one += [some[:, a], some[:, c]]
        other += [some[:, b], some[:, d]]
    return np.concatenate(one), np.concatenate(other)


def _orient(one: Ints, other: Ints, balance: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Show first whichever of each pair stood first less often; count within the round too."""
    count = balance.copy()
    coin = rng.random(len(one)) < 0.5
    swap = np.zeros(len(one), bool)
    for k, (a, b) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        swap[k] = coin[k] if count[a] == count[b] else count[a] > count[b]
        step = -1.0 if swap[k] else 1.0
        count[a] += step
        count[b] -= step
    return np.where(swap, other, one), np.where(swap, one, other)


def _windows(order: Ints, size: int, rng: np.random.Generator) -> Ints:
    """Cut *order* into windows of *size*; the two ends overlap their neighbours when they must."""
    n = len(order)
    if n <= size:
        return order[None, :]
    start = int(rng.integers(min(size, n - size + 1)))
    starts = np.arange(start, n - size + 1, size)
    return order[starts[:, None] + np.arange(size)]


def _shuffle(shown: Ints, balance: Floats, rng: np.random.Generator) -> Ints:
    """Show first what was shown late so far, with chance enough that no order is a habit."""
    if not shown.size:
        return shown
    urge = balance[shown] + rng.standard_normal(shown.shape)
    return np.take_along_axis(shown, np.argsort(urge, axis=1, kind="stable"), 1)
