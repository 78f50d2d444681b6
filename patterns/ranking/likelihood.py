"""What outcomes say about the items' strengths: gradient and curvature of their likelihood.

Both likelihoods see strengths only through differences, so the curvature of either is the
Laplacian of a weighted graph over the items (graph.py): a match adds an edge for each pair in it.
Each is *smoothed*: it is averaged over the current uncertainty of the strengths, which replaces
sigmoid(x) by sigmoid(k x), k = (1 + pi v / 8) ** -0.5 for a difference of variance v
(Spiegelhalter & Lauritzen 1990). Without it, few outcomes an item make the prior scale too small.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...actors.questions import Kind

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Key = tuple[int, Kind]
"""Outcomes that share the parameters of a `Judge`: one of the panel, asked one kind of question."""

FAR = 60.0
"""A threshold beyond every difference of strengths: stands for infinity."""


@dataclass(frozen=True, slots=True)
class Terms:
    """First and second derivatives of a log likelihood, by strength and by position bias."""

    gradient: Floats
    weights: Floats
    bias_gradient: float
    bias_information: float


@dataclass(frozen=True, slots=True)
class Judge:
    """What is fitted of the judge: pull of the position, tie half-width, 'much more' threshold.

    *keen* is how sharply it sees: differences of strengths count so many times, its noise is 1.
    """

    bias: float = 0.0
    tie: float = 0.0
    much: float = FAR
    keen: float = 1.0


class Likelihood(Protocol):
    """Outcomes of one question: a graph of matches, and their likelihood's derivatives."""

    def __len__(self) -> int:
        """Return the number of outcomes."""
        ...

    def edges(self) -> tuple[Ints, Ints]:
        """Return the two ends of every edge, in the order of `Terms.weights`."""
        ...

    def spread(self, precision: Floats, weights: Floats) -> Floats:
        """Return the variance of the differences in each outcome, given the items' *precision*.

        Items of one outcome covary, the more the higher its own *weights* (exact in a tree).
        """
        ...

    def terms(self, mean: Floats, spread: Floats, judge: Judge) -> Terms:
        """Return the derivatives at strengths *mean*, smoothed by *spread*."""
        ...


def sigmoid(x: Floats) -> Floats:
    """Return the logistic function of *x*, for x above -700."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


class PairLikelihood:
    """Ordered logit of grades: P(grade >= g) falls at thresholds -much, -tie, tie, much.

    With a tie of 0 and `much` FAR away it is Bradley-Terry with a bias to the item shown first.
    """

    def __init__(self, n: int, first: Ints, second: Ints, grade: Ints) -> None:
        self._n, self.first, self.second, self.grade = n, first, second, grade

    def __len__(self) -> int:
        return len(self.first)

    def edges(self) -> tuple[Ints, Ints]:
        """Return the items shown first and those shown second."""
        return self.first, self.second

    def differences(self, mean: Floats, judge: Judge) -> Floats:
        """Return how far each first item is above the second in the judge's eyes."""
        return judge.keen * (mean[self.first] - mean[self.second]) + judge.bias

    def spread(self, precision: Floats, weights: Floats) -> Floats:
        """Return the variance of the difference in each pair."""
        own = 0.5 * (precision[self.first] + precision[self.second]) + weights
        return np.asarray(2.0 / own)

    def terms(self, mean: Floats, spread: Floats, judge: Judge) -> Terms:
        """Return the derivatives; log P(lo < d < hi) is log s(hi - d) + log s(d - lo) + const."""
        low, high = bounds(self.grade, judge)
        sharp = sharpness(spread, judge)
        d = self.differences(mean, judge)
        below, above = sigmoid(sharp * (high - d)), sigmoid(sharp * (low - d))
        slope = below + above - 1.0
        weights = sharp * (below * (1.0 - below) + above * (1.0 - above))
        pull = judge.keen * slope
        return Terms(
            _scatter(self.first, pull, self._n) - _scatter(self.second, pull, self._n),
            judge.keen**2 * weights,
            float(slope.sum()),
            float(weights.sum()),
        )


def sharpness(spread: Floats, judge: Judge) -> Floats:
    """Return the factor that smooths a logistic over a difference of variance *spread*."""
    return np.asarray(1.0 / np.sqrt(1.0 + np.pi / 8.0 * (judge.keen**2 * spread)))


def bounds(grade: Ints, judge: Judge) -> tuple[Floats, Floats]:
    """Return the thresholds between which each graded difference lies."""
    cuts = np.array([-FAR, -judge.much, -judge.tie, judge.tie, judge.much, FAR])
    return cuts[grade + 2], cuts[grade + 3]


class ListLikelihood:
    """Plackett-Luce of orders: items are picked one after the other, each against the rest.

    *ranked* holds one list a column, best first, padded with -1; *picked* says how many of its
    items the judge ordered (the rest share the last place); *place* is where each was shown, from
    0.5 (first) to -0.5 (last): the judge's bias is a slope on it.
    """

    def __init__(self, n: int, ranked: Ints, picked: Ints, place: Floats) -> None:
        self._n, self.ranked, self.place = n, ranked, place
        size = (ranked >= 0).sum(0)
        rank = np.arange(len(ranked))[:, None]
        self._item = np.maximum(ranked, 0)
        self._there = (ranked >= 0).astype(np.float64)
        self._stage = (rank < np.minimum(picked, size - 1)).astype(np.float64)
        self._sizes = np.maximum(size, 1)
        self._upper, self._lower = np.triu_indices(len(ranked), 1)

    def __len__(self) -> int:
        return int(self.ranked.shape[1])

    def edges(self) -> tuple[Ints, Ints]:
        """Return every pair of items in every list (padding pairs weigh nothing)."""
        return self._item[self._upper].ravel(), self._item[self._lower].ravel()

    def spread(self, precision: Floats, weights: Floats) -> Floats:
        """Return the typical variance of a difference in each list."""
        typical = (precision[self._item] * self._there).sum(0) / self._sizes
        pairs = np.maximum(self._sizes * (self._sizes - 1), 2)
        return np.asarray(
            2.0 / (typical + 2.0 * weights.reshape(len(self._upper), -1).sum(0) / pairs)
        )

    def terms(self, mean: Floats, spread: Floats, judge: Judge) -> Terms:
        """Return the derivatives, from suffix sums over the ranks of each list."""
        sharp = sharpness(spread, judge)
        force = sharp * (judge.keen * mean[self._item] + judge.bias * self.place)
        force -= np.where(self._there > 0.0, force, -np.inf).max(0)
        mass = np.exp(np.maximum(force, -300.0)) * self._there
        share = self._stage / np.maximum(_suffix_sums(mass), 1e-300)
        slope = self._stage - mass * np.cumsum(share, 0)
        pull = mass * np.cumsum(share * share, 0)
        weights = np.empty((len(self._upper), len(self)))
        for row, one, other in zip(weights, self._upper, self._lower, strict=True):
            np.multiply(pull[one], sharp, out=row)  # the largest array of a fit: row by row
            row *= mass[other]  # it stays in a core's cache
            row *= judge.keen**2
        seen = _suffix_sums(mass * self.place) * share
        seen_square = _suffix_sums(mass * self.place * self.place) * share
        return Terms(
            _scatter(self._item.ravel(), judge.keen * slope.ravel(), self._n),
            weights.reshape(-1),
            float((slope * self.place).sum()),
            float((sharp * (seen_square - seen * seen)).sum()),
        )


def _scatter(item: Ints, value: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(item, value, n), np.float64)


def _suffix_sums(x: Floats) -> Floats:
    return np.asarray(np.cumsum(x[::-1], 0)[::-1])
