"""What a ranking is after: the whole order, or the best few. Each chooses its matches, and says how
close it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from ...actors.questions import Question
from .graph import Precision
from .likelihood import Bools, Floats, Ints
from .posterior import Estimate, draw, rank_draws
from .schedule import (
    Ledger,
    match_all_once,
    match_lists,
    match_pairs,
    match_strangers,
    match_windows,
)
from .stopping import Plan, Point, expected_calls, round_size

BOLDNESS: Final = 0.5
"""How far a sampled order strays from the mean: 1 is the posterior itself."""

NEED: Final = 2.0
"""An item is asked about in proportion to its variance to this power, where some know more."""

UNKNOWN: Final = 0.98
"""Variances are compared with that of the items of which least is known."""

FAR_MORE: Final = 4.0
"""An item with so many times the variance of these is not passed over for being rare."""

LEAST_NEED: Final = 0.05
LEAST_FOCUS: Final = 0.2
DRAWS: Final = 64
DARING: Final = 1.3
"""Who might be among the best is looked for so much more boldly than the posterior has it: of 1,
1.3 and 1.6 this takes the fewest calls (453, 371, 376; simulated)."""

DEAD: Final = 0.02
"""So much of the best few's chances may lie with items that are not asked about any more."""


@dataclass(frozen=True, slots=True)
class View:
    """What a choice is made from: the posterior, who takes part, and who has met."""

    now: Estimate
    precision: Precision | None
    items: Ints
    ledger: Ledger
    rng: np.random.Generator


class Objective(Protocol):
    """The aim of a ranking."""

    def quality(self, view: View) -> float:
        """Return how close the ranking is to its aim, from 0 to 1: what the target is about."""
        ...

    def size(self, plan: Plan, history: list[Point], asked: int) -> int:
        """Return how many matches the next round should have."""
        ...

    def expected(self, plan: Plan, history: list[Point]) -> int | None:
        """Return how many matches it will have taken in all, if that can be told."""
        ...

    def choose(self, view: View, question: Question, count: int) -> Ints:
        """Return at most *count* matches for *question* (rows of items, as shown)."""
        ...


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """The order of all items: its quality is the expected Kendall tau.

    Where *is_uneven*, items of which much is known already are asked about less. *focus* is the
    share of items at the top that matter most: another is asked about by its chance to be there.
    """

    is_uneven: bool = False
    focus: float | None = None

    def quality(self, view: View) -> float:
        """Return the expected Kendall tau."""
        return view.now.tau

    def size(self, plan: Plan, history: list[Point], asked: int) -> int:
        """Return how many matches the next round should have."""
        return round_size(plan, history, asked)

    def expected(self, plan: Plan, history: list[Point]) -> int | None:
        """Return how many matches the target will have taken in all."""
        return expected_calls(plan, history)

    def choose(self, view: View, question: Question, count: int) -> Ints:
        """Return at most *count* matches of neighbours in sampled orders."""
        items, wanted = view.items, self._wanted(view)
        share = 1.0 if wanted is None else float(np.mean(wanted))
        most = 3 + int(2 * max(question.size, 2) * count / max(share * len(items), 1.0))
        orders = self._orders(view, wanted, most, least=min(max(question.size, 2), len(items)))
        if question.kind == "list":
            size = min(question.size, len(items))
            return match_lists(orders, size, view.ledger, count, view.rng)
        near = match_pairs(orders, view.ledger, count, view.rng)
        if len(near) == count:
            return near
        best = items[np.argsort(-view.now.mean[items], kind="stable")]
        more = match_strangers(best, view.ledger, count - len(near), view.rng)
        return np.concatenate([near, more])

    def _orders(
        self, view: View, wanted: Floats | None, count: int, *, least: int
    ) -> Iterator[Ints]:
        """Sample *count* orders of the items, best first, from a narrowed posterior.

        Of items that are *wanted* less some are left out, but *least* are always there.
        """
        now, items, rng = view.now, view.items, view.rng
        deviation = BOLDNESS * np.sqrt(now.variance[items])
        for _ in range(count):
            noise = deviation * rng.standard_normal(len(items))
            order = np.argsort(-(now.mean[items] + noise))
            if wanted is not None:
                luck = rng.random(len(order)) / wanted[order]
                order = order[_kept(luck, least, rng)]
            yield items[order]

    def _wanted(self, view: View) -> Floats | None:
        """Return how much each item is worth asking about, at most 1; None where all are alike."""
        now, items, wanted = view.now, view.items, np.ones(len(view.items))
        if self.is_uneven:
            variance = now.variance[items]
            unknown = max(np.quantile(variance, UNKNOWN), variance.max() / FAR_MORE)
            need = (variance / unknown) ** NEED
            wanted *= np.clip(need, LEAST_NEED, 1.0)
        if self.focus is not None and view.precision is not None:
            chance = top_chances(view, max(1, round(self.focus * len(items))))
            wanted *= np.maximum(chance / max(float(chance.max()), 1e-9), LEAST_FOCUS)
        return wanted if (wanted < 0.99).any() else None


@dataclass(frozen=True, slots=True)
class Best:
    """The best *k* items, in no order that is promised: its quality is their expected recall.

    Few matches a round take few calls in all; where *is_wide*, rounds are few and large.
    """

    k: int
    is_wide: bool = False

    def quality(self, view: View) -> float:
        """Return the expected share of the best *k* that the ranking has among its first *k*."""
        if view.precision is None or len(view.items) <= self.k:
            return float(len(view.items) <= self.k)
        mean = view.now.mean[view.items]
        ours = np.argpartition(-mean, self.k - 1)[: self.k]
        sample = draw(view.now, view.precision, view.items, view.rng, DRAWS)
        return float(np.mean(rank_draws(sample)[ours] <= self.k))

    def size(self, plan: Plan, history: list[Point], asked: int) -> int:
        """Return how many matches the next round should have; at first, all items once."""
        left = (plan.most if plan.budget is None else plan.budget) - asked
        if not history:
            return min(left, plan.once)
        return min(left, max(16, plan.once * 2 // 3 if self.is_wide else plan.once // 4))

    def expected(self, plan: Plan, history: list[Point]) -> int | None:
        """Return nothing: how fast the best come out depends on how close the next are."""
        return None

    def choose(self, view: View, question: Question, count: int) -> Ints:
        """Return at most *count* matches of items about whom it matters: around the k-th best."""
        size = min(question.size, len(view.items))
        if view.precision is None and size > 2:
            return match_all_once(view.rng.permutation(view.items), size, view.ledger, view.rng)
        if view.precision is None or len(view.items) <= self.k:
            return WholeOrder().choose(view, question, count)
        sample = draw(view.now, view.precision, view.items, view.rng, DRAWS)
        chance = _chances(view, sample, self.k)
        doubtful = np.argsort(chance, kind="stable")
        dead = int(np.searchsorted(np.cumsum(chance[doubtful]), DEAD * self.k))
        alive = np.sort(doubtful[min(dead, len(doubtful) - max(size, 2 * self.k)) :])
        orders = (view.items[alive[np.argsort(-each[alive])]] for each in _bolder(sample, count))
        return match_windows(orders, self.k, size, view.ledger, count, view.rng)


def _kept(luck: Floats, least: int, rng: np.random.Generator) -> Bools:
    """Return which places of an order are kept: where *luck* is below 1, and, where these are fewer
    than *least*, their neighbours, who tell most about them."""
    kept = luck < 1.0
    if np.count_nonzero(kept) >= least:
        return np.asarray(kept)
    kept[np.argmin(luck)] = True
    away = np.abs(np.arange(len(kept))[:, None] - np.flatnonzero(kept)).min(1)
    kept[np.argsort(away + rng.random(len(kept)))[:least]] = True
    return np.asarray(kept)


def top_chances(view: View, k: int) -> Floats:
    """Return each item's chance to be among the best *k*."""
    assert view.precision is not None
    return _chances(view, draw(view.now, view.precision, view.items, view.rng, DRAWS), k)


def _chances(view: View, sample: Floats, k: int) -> Floats:
    """Return the chances to be among the best *k*: how often each is above the cut of a draw."""
    from scipy.special import ndtr

    cut = np.partition(sample, len(sample) - k, axis=0)[len(sample) - k]
    deviation = np.sqrt(view.now.variance[view.items])
    above = (view.now.mean[view.items][:, None] - cut) / deviation[:, None]
    chance = np.asarray(ndtr(above).mean(1), np.float64)
    return chance * (k / max(float(chance.sum()), 1e-9))


def _bolder(sample: Floats, count: int) -> Iterator[Floats]:
    """Yield the draws (columns) one after the other, each further from their mean."""
    middle = sample.mean(1)
    for number in range(4 * count):
        yield middle + DARING * (sample[:, number % sample.shape[1]] - middle)
