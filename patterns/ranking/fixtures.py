"""The matches of a league: who can meet on which item, who has met there, and who meets next."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Final

import numpy as np

from ...actors.errors import UsageError
from ...actors.questions import Question
from .likelihood import Bools, Floats, Ints
from .robust import Worth
from .schedule import places

STAGES: Final = 8
"""A round is planned in so many parts, each knowing what those before it will tell."""

FEW_SETS, TRIES = 300, 8
"""Of so many sets of systems each is looked at; of more, so many are drawn for an item."""


class Fixtures:
    """Who can meet on which item, who has met there, and how often each was shown ahead."""

    def __init__(self, system: Ints, item: Ints, n: int, question: Question) -> None:
        self._n, self._question = n, question
        self._row = np.full((n, int(item.max(initial=-1)) + 1), -1)
        self._row[system, item] = np.arange(len(system))
        if (self._row >= 0).sum() < len(system):
            raise UsageError("a system has two outputs on one item: a league takes one")
        self._has = self._row >= 0
        self._met: dict[int, list[int]] = {}  # sets of systems by item; of pairs, items by pair
        self._used = np.zeros(self._row.shape[1], np.int64)
        self._ahead = np.zeros((n, n))

    def room(self) -> int:
        """Return how many matches there are, each set of systems meeting once on an item."""
        sizes = self._has.sum(0).tolist()
        return sum(comb(size, self._size(size)) for size in sizes if size > 1)

    def keep(self, rows: Bools) -> None:
        """Show only these *rows* of the item table from now on."""
        self._has = (self._row >= 0) & rows[self._row]

    def hand_out(self, worth: Worth, count: int, rng: np.random.Generator) -> list[Ints]:
        """Return at most *count* new matches: the rows to show, as matrices of one width each."""
        chosen: dict[int, list[Ints]] = {}
        left, stage, found = count, STAGES, 1
        draw = self._draw_lists if self._question.kind == "list" else self._draw_pairs
        while left and found:
            met, found = np.zeros((self._n, self._n)), 0
            for item, company in draw(worth.gain() ** 2, -(-left // stage), rng):
                shown = self._order(company, rng)
                chosen.setdefault(len(shown), []).append(self._row[shown, item])
                self._used[item] += 1
                met[np.ix_(shown, shown)] += 1.0 / (len(shown) - 1.0)
                found += 1
            left, stage = left - found, max(stage - 1, 1)
            np.fill_diagonal(met, 0.0)
            worth.expect(met)
        return [np.stack(rows)[rng.permutation(len(rows))] for rows in chosen.values()]

    def _size(self, available: int) -> int:
        return min(self._question.size, available)

    def _draw_pairs(
        self, weight: Floats, count: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, Ints]]:
        """Yield at most *count* items with two systems that are new to each other there, as often
        as the two weigh, and the items least used first."""
        has = self._has.astype(np.float64)
        room = has @ has.T  # whole numbers, exact in any order
        for pair, items in self._met.items():
            room[divmod(pair, self._n)] -= int(
                self._has[:, items][list(divmod(pair, self._n))].all(0).sum()
            )
        upper = np.triu_indices(self._n, 1)
        is_open = room[upper] > 0
        numbers = np.minimum(_dealt(weight[upper] * is_open, is_open, count, rng), room[upper])
        for place in rng.permutation(np.flatnonzero(numbers)).tolist():
            both = np.array([upper[0][place], upper[1][place]])
            met = self._met.setdefault(int(both[0] * self._n + both[1]), [])
            free = np.setdiff1d(np.flatnonzero(self._has[both].all(0)), met)
            order = np.lexsort((rng.random(len(free)), self._used[free]))
            for item in free[order[: int(numbers[place])]].tolist():
                met.append(item)
                yield item, both

    def _draw_lists(
        self, weight: Floats, count: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, Ints]]:
        """Yield at most *count* items, least used first, and systems not yet listed for each."""
        order = np.lexsort((rng.random(len(self._used)), self._used))
        for item in order.tolist():
            if count and (company := self._company(item, weight, rng)) is not None:
                self._met.setdefault(item, []).append(int(self._codes(company)))
                count -= 1
                yield item, company

    def _company(self, item: int, weight: Floats, rng: np.random.Generator) -> Ints | None:
        """Return a new set of systems for *item*, drawn by their *weight* in pairs, if any is."""
        there = np.flatnonzero(self._has[:, item])
        size = self._size(len(there))
        if size < 2:
            return None
        met, mine = self._met.get(item, []), weight[np.ix_(there, there)]
        if comb(len(there), size) > FEW_SETS:
            for _ in range(TRIES):
                drawn = there[_gather(mine, size, rng)]
                if int(self._codes(drawn)) not in met:
                    return np.asarray(drawn)
            return None
        sets = _subsets(len(there), size)
        sets = sets[~np.isin(self._codes(there[sets]), met)]
        value = mine[sets[:, :, None], sets[:, None, :]].sum((1, 2))
        return np.asarray(there[sets[_pick(value, rng)]]) if len(sets) else None

    def _codes(self, company: Ints) -> Ints:
        """Return a number for each set of systems (the last axis, in their order)."""
        code = np.zeros(company.shape[:-1], np.int64)
        for place in range(company.shape[-1]):
            code = code * self._n + company[..., place]  # two large sets may share one: rare
        return code

    def _order(self, company: Ints, rng: np.random.Generator) -> Ints:
        """Return *company* as it is shown: first who was shown behind these others so far, then
        behind all."""
        within = self._ahead[np.ix_(company, company)].sum(1)
        in_all = self._ahead[company].sum(1) / (10.0 + np.abs(self._ahead).sum())
        chance = 1e-6 if len(company) == 2 else 0.5
        urge = within + in_all + chance * rng.random(len(company))
        shown = company[np.argsort(urge, kind="stable")]
        place = places(len(shown))
        self._ahead[np.ix_(shown, shown)] += place[:, None] - place[None, :]
        return shown


def _dealt(weight: Floats, is_open: Bools, count: int, rng: np.random.Generator) -> Ints:
    """Return *count* dealt to places in proportion to their *weight*, or evenly where all are 0."""
    weight = weight if weight.any() else is_open.astype(np.float64)
    order = rng.permutation(len(weight))
    ends = np.cumsum(weight[order])
    if not len(ends) or not ends[-1]:
        return np.zeros(len(weight), np.int64)
    steps = np.floor(ends / ends[-1] * count + rng.random())
    dealt = np.zeros(len(weight), np.int64)
    dealt[order] = np.diff(steps, prepend=0.0).astype(np.int64)
    return dealt


@lru_cache(maxsize=64)
def _subsets(count: int, size: int) -> Ints:
    """Return all sets of *size* of the places below *count*, as rows."""
    return np.array(list(combinations(range(count), size)), np.int64)


def _gather(weight: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Return *size* different places in their order, each drawn by its *weight* with the others."""
    company = list(divmod(_pick(weight.ravel(), rng), len(weight)))
    while len(company) < size:
        value = weight[company].sum(0) + 1e-200
        value[company] = 0.0
        company.append(_pick(value, rng))
    return np.sort(np.array(company))


def _pick(weight: Floats, rng: np.random.Generator) -> int:
    """Return a place, drawn by *weight*; any where all weigh nothing."""
    ends = np.cumsum(weight if weight.any() else np.ones(len(weight)))
    place = np.searchsorted(ends, rng.random() * ends[-1], side="right")
    return min(int(place), len(ends) - 1)
