"""Strengths of few systems from verdicts on many items, with a covariance that holds on real data.

Verdicts about one item share its peculiarity, judges differ, and no model of them is quite right:
the model's own covariance is too narrow then. The sandwich takes the scores of each cluster (an
item, or a ranking) as one observation (Liang & Zeger 1986). A list counts as all of its pairs: a
composite likelihood, whose estimate is consistent for Plackett-Luce as well (Azari Soufiani et al.
2013). Explicit sums alone, no threaded BLAS: the same bits everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .likelihood import Bools, Floats, Ints, Judge, bounds, sigmoid
from .scale import LARGEST_SCALE, SCALE_GUESS

STEPS: Final = 100
STILL: Final = 1e-9
LONGEST: Final = 2.0
"""The furthest that one Newton step moves any parameter."""

PRIORS: Final = {"bias": 0.25, "tie": 1e-3, "much": 1e-3, "keen": 4.0}
"""The precision of each judge's parameters beforehand: of a normal around 0 (keenness: its
logarithm)."""

LEAST_TIE, LEAST_GAP = 0.01, 0.05


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Verdicts on pairs: *grade* is -2 to 2 from the side of *one* against *other*.

    *lead* is how far ahead *one* was shown: 1 first of two, -1 second, 0 unknown, a share of 1
    between places of a list. *cluster* numbers what shares a peculiarity, *judge* who said it.
    """

    one: Ints
    other: Ints
    grade: Ints
    lead: Floats
    cluster: Ints
    judge: Ints

    def __len__(self) -> int:
        return len(self.one)

    @classmethod
    def all(cls, parts: "Sequence[Verdicts]") -> "Verdicts":
        """Return the verdicts of all *parts*, one after the other."""
        kinds = {"lead": np.float64}
        columns = [[getattr(part, name) for part in parts] for name in cls.__slots__]
        empty = [np.zeros(0, kinds.get(name, np.int64)) for name in cls.__slots__]
        return cls(*(np.concatenate([e, *c]) for e, c in zip(empty, columns, strict=True)))

    def take(self, kept: Ints) -> "Verdicts":
        """Return the verdicts at these places."""
        return Verdicts(*(getattr(self, name)[kept] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Strengths:
    """Fitted strengths in logits: *covariance* is the sandwich's, *own* the model's. Both hold what
    only the prior says, the level common to all: differences alone mean anything.

    *judges* are what is fitted of each, *bias_errors* the standard errors of their position biases;
    *dispersion* is how many times the variance that the model expects the clusters' scores have.
    A verdict that is no tie falls as if differences counted *decided* times.
    """

    mean: Floats
    covariance: Floats
    own: Floats
    scale: float
    judges: tuple[Judge, ...] = (Judge(),)
    bias_errors: tuple[float, ...] = (1.0,)
    dispersion: float = 1.0
    decided: float = 1.0

    @classmethod
    def unknown(cls, n: int, judges: int = 1) -> "Strengths":
        """Return what is believed of *n* systems before the first verdict."""
        prior = np.diag(np.full(n, SCALE_GUESS**2))
        error = float(PRIORS["bias"] ** -0.5)
        return cls(np.zeros(n), prior, prior, SCALE_GUESS, (Judge(),) * judges, (error,) * judges)

    def draws(self, among: Ints, rng: np.random.Generator, count: int) -> Floats:
        """Return *count* joint draws of the strengths of the systems *among*, as columns."""
        noise = rng.standard_normal((len(among), count))
        spread = root(self.covariance[np.ix_(among, among)])
        return np.asarray(self.mean[among][:, None] + np.einsum("ij,jk->ik", spread, noise))

    def gaps(self) -> tuple[Floats, Floats]:
        """Return the differences of all strengths (row less column), and their variances."""
        variance = np.diag(self.covariance)
        spread = variance[:, None] + variance[None, :] - 2.0 * self.covariance
        return self.mean[:, None] - self.mean[None, :], np.maximum(spread, 0.0)

    def tau(self, among: Ints) -> float:
        """Return the expected Kendall tau between the order of the means and the true one."""
        from scipy.special import ndtr  # here, as matches are asked before it is needed

        gap, spread = (each[np.ix_(among, among)] for each in self.gaps())
        upper = np.triu_indices(len(among), 1)
        z = np.abs(gap[upper]) / np.sqrt(np.maximum(spread[upper], 1e-300))
        return float(np.mean(2.0 * ndtr(z) - 1.0)) if len(z) else 1.0

    def spread(self, among: Ints) -> float:
        """Return the variance of a difference between two systems *among* all: a typical one."""
        upper = np.triu_indices(len(among), 1)
        variance = self.gaps()[1][np.ix_(among, among)][upper]
        return (
            float(np.exp(np.mean(np.log(np.maximum(variance, 1e-300))))) if len(variance) else 0.0
        )

    def win_chances(self, verdicts: Verdicts) -> Floats:
        """Return the chance that *one* wins each of *verdicts*, given that it is no tie."""
        return sigmoid(self.decided * _differences(self.mean, self.judges, verdicts))


def fit_robust(n: int, verdicts: Verdicts, *, judges: int = 1) -> Strengths:
    """Return the strengths of *n* systems, by Newton steps on an ordered logit with normal priors.

    P(grade >= g) falls at thresholds -much, -tie, tie, much. Each judge has a position bias and
    thresholds of its own, and beside the first a keenness. The prior's scale is that at which the
    evidence is stationary (MacKay 1992), where the usual guess counts as one system.
    """
    model = _Model(n, verdicts, judges)
    theta, scale = model.start(), SCALE_GUESS
    for _ in range(STEPS):
        near, prior = model.near(theta), model.prior(scale)
        inverse = invert(model.information(near) + np.diag(prior))
        step = np.einsum("ij,j->i", inverse, model.scores(near).sum(0) - prior * theta)
        step *= min(1.0, LONGEST / max(float(np.abs(step).max(initial=0.0)), 1e-300))
        theta = model.inside(theta + step)
        before, scale = scale, _scale(theta[:n], np.diag(inverse)[:n], scale)
        if np.abs(step).max(initial=0.0) + abs(scale - before) < STILL:
            break
    near, prior = model.near(theta), model.prior(scale)
    information = model.information(near)
    inverse = invert(information + np.diag(prior))
    meat, dispersion = _meat(model.scores(near), information, inverse, len(verdicts))
    whole = np.einsum("ij,jk->ik", np.einsum("ij,jk->ik", inverse, meat + np.diag(prior)), inverse)
    judged = model.judges(theta)
    errors = tuple(float(whole[place, place] ** 0.5) for place in model.places("bias"))
    own, decided = inverse[:n, :n], _decided(_differences(theta, judged, verdicts), verdicts.grade)
    return Strengths(theta[:n], whole[:n, :n], own, scale, judged, errors, dispersion, decided)


class Worth:
    """What one more verdict on each two systems would tell of the order.

    The fall of the variances of all differences, each weighed by how much its sign is in doubt:
    a step of weighted A-optimal design.
    """

    def __init__(self, now: Strengths, there: Bools) -> None:
        gap, spread = now.gaps()
        doubt = np.exp(-(gap**2) / (4.0 * np.maximum(spread, 1e-12))) / np.maximum(spread, 1e-12)
        doubt *= there[:, None] & there[None, :] & ~np.eye(len(gap), dtype=bool)
        self._doubt = _laplacian(doubt)
        self._told: Floats = sigmoid(gap) * sigmoid(-gap) / now.dispersion
        self._covariance = now.covariance
        self._precision = invert(now.covariance)

    def gain(self) -> Floats:
        """Return what a verdict on each two (row, column) would tell, in no unit."""
        covariance = self._covariance
        moved = np.einsum("ij,jk->ik", covariance, self._doubt)
        moved = np.einsum("ij,jk->ik", moved, covariance)
        gained, spread = (np.diag(x)[:, None] + np.diag(x) - 2.0 * x for x in (moved, covariance))
        return np.asarray(np.maximum(self._told * gained / (1.0 + self._told * spread), 0.0))

    def expect(self, met: Floats) -> None:
        """Take into account that each two will have *met* so many times more."""
        self._precision = self._precision + _laplacian(self._told * met)
        self._covariance = invert(self._precision)


def invert(matrix: Floats) -> Floats:
    """Return the inverse of a symmetric positive *matrix*, by Gauss and Jordan without pivots."""
    found: Floats = matrix.copy()
    for k in range(len(found)):
        pivot = found[k, k]
        row, column = found[k] / pivot, found[:, k].copy()
        found -= column[:, None] * row
        found[k], found[:, k] = row, -column / pivot
        found[k, k] = 1.0 / pivot
    return 0.5 * (found + found.T)


def root(matrix: Floats) -> Floats:
    """Return the lower triangle whose square is a symmetric *matrix* without negative variance."""
    left, found = matrix.copy(), np.zeros_like(matrix)
    for k in range(len(left)):
        if left[k, k] > 1e-12 * matrix[k, k]:
            column = left[:, k] / left[k, k] ** 0.5
            column[:k] = 0.0
            found[:, k] = column
            left -= column[:, None] * column
    return found


def _laplacian(weights: Floats) -> Floats:
    return np.asarray(np.diag(weights.sum(0)) - weights)


@dataclass(frozen=True, slots=True)
class _Near:
    """The verdicts seen from one place: log P = log s(up) + log s(down) + log(1 - exp(-up - down)),
    where *up* and *down* are the ways to the upper and to the lower threshold.

    *upwards* and *downwards* hold how both move with each judge's parameters (columns).
    """

    keen: Floats
    up: Floats
    down: Floats
    upwards: Floats
    downwards: Floats


class _Model:
    """Derivatives of the ordered logit as dense arrays: by strengths, then by judges' parameters.

    A judge has only those parameters that its grades say something of.
    """

    def __init__(self, n: int, verdicts: Verdicts, judges: int) -> None:
        self._n, self._v, self._judges = n, verdicts, judges
        names, self._cluster = np.unique(verdicts.cluster, return_inverse=True)
        self._clusters = len(names)
        self._own: list[tuple[int, str]] = []
        for judge in range(judges):
            grades = set(np.abs(verdicts.grade[verdicts.judge == judge]).tolist())
            has = {"bias": True, "tie": 0 in grades, "much": 2 in grades, "keen": judge > 0}
            self._own += [(judge, name) for name in PRIORS if has[name]]

    def places(self, name: str) -> list[int]:
        """Return where the parameter *name* of each judge stands."""
        return [self._n + at for at, (_, own) in enumerate(self._own) if own == name]

    def start(self) -> Floats:
        """Return where the steps begin."""
        first = {"bias": 0.0, "tie": 0.3, "much": 2.0, "keen": 0.0}
        return np.array([0.0] * self._n + [first[name] for _, name in self._own])

    def prior(self, scale: float) -> Floats:
        """Return the precision of every parameter beforehand."""
        return np.array([scale**-2] * self._n + [PRIORS[name] for _, name in self._own])

    def judges(self, theta: Floats) -> tuple[Judge, ...]:
        """Return the judges that the parameters *theta* describe."""
        found = [Judge()] * self._judges
        for (judge, name), value in zip(self._own, theta[self._n :].tolist(), strict=True):
            value = float(np.exp(value)) if name == "keen" else value
            found[judge] = replace(found[judge], **{name: value})
        return tuple(found)

    def inside(self, theta: Floats) -> Floats:
        """Return *theta* with every judge's thresholds in their order."""
        found, judges = theta.copy(), self.judges(theta)
        for at, (judge, name) in enumerate(self._own, self._n):
            tie = max(judges[judge].tie, LEAST_TIE)
            least = {"tie": LEAST_TIE, "much": tie + LEAST_GAP}.get(name)
            found[at] = found[at] if least is None else max(found[at], least)
        return found

    def near(self, theta: Floats) -> _Near:
        """Return the verdicts as seen from *theta*."""
        v, judges, rows = self._v, self.judges(theta), len(self._v)
        keen = np.array([judge.keen for judge in judges])[v.judge]
        gap = keen * (theta[v.one] - theta[v.other])
        d = _differences(theta, judges, v)
        low, high = np.zeros(rows), np.zeros(rows)
        moves = np.zeros((2, rows, len(self._own)))
        for number, judge in enumerate(judges):
            its = v.judge == number
            low[its], high[its] = bounds(v.grade[its], judge)
        for at, (number, name) in enumerate(self._own):
            by_d = {"bias": v.lead, "keen": gap}.get(name)
            for way, sign, edge in ((0, 1.0, v.grade), (1, -1.0, v.grade - 1)):
                move = -sign * by_d if by_d is not None else sign * _threshold(name, edge)
                moves[way, :, at] = np.where(v.judge == number, move, 0.0)
        return _Near(keen, high - d, d - low, moves[0], moves[1])

    def scores(self, near: _Near) -> Floats:
        """Return the gradient of the log likelihood of each cluster (rows)."""
        up, down, squeeze = sigmoid(-near.up), sigmoid(-near.down), _squeeze(near)
        found = np.zeros((self._clusters, self._n + len(self._own)))
        pull = near.keen * (down - up)
        for system, way in ((self._v.one, pull), (self._v.other, -pull)):
            key = self._cluster * self._n + system
            summed = np.bincount(key, way, self._clusters * self._n)
            found[:, : self._n] += summed.reshape(self._clusters, self._n)
        for at in range(len(self._own)):
            value = (up + squeeze) * near.upwards[:, at] + (down + squeeze) * near.downwards[:, at]
            found[:, self._n + at] = np.bincount(self._cluster, value, self._clusters)
        return found

    def information(self, near: _Near) -> Floats:
        """Return minus the second derivatives; keenness counts by what it does at first."""
        n, v = self._n, self._v
        up, down = (sigmoid(x) * sigmoid(-x) for x in (near.up, near.down))
        squeeze = _squeeze(near)
        whole = np.zeros((n + len(self._own),) * 2)
        met = np.bincount(v.one * n + v.other, near.keen**2 * (up + down), n * n).reshape(n, n)
        whole[:n, :n] = _laplacian(np.asarray(met + met.T, np.float64))
        cross = near.keen[:, None] * (down[:, None] * near.downwards - up[:, None] * near.upwards)
        for at in range(len(self._own)):
            by = np.bincount(v.one, cross[:, at], n) - np.bincount(v.other, cross[:, at], n)
            whole[n + at, :n] = whole[:n, n + at] = by
        both = near.upwards + near.downwards
        for weight, moves in (
            (up, near.upwards),
            (down, near.downwards),
            (squeeze * (1.0 + squeeze), both),
        ):
            whole[n:, n:] += np.einsum("i,ij,ik->jk", weight, moves, moves)
        return whole


def _differences(mean: Floats, judges: Sequence[Judge], verdicts: Verdicts) -> Floats:
    """Return how far *one* is above *other* in the judge's eyes."""
    keen, bias = np.array([[judge.keen, judge.bias] for judge in judges])[verdicts.judge].T
    gap = mean[verdicts.one] - mean[verdicts.other]
    return np.asarray(keen * gap + bias * verdicts.lead)


def _decided(difference: Floats, grade: Ints) -> float:
    """Return how many times *difference* counts where there is no tie: by logistic regression.

    Ties that fall where the model expects few pull the strengths together; this undoes it.
    """
    d, factor = (difference * np.sign(grade))[grade != 0], 1.0
    for _ in range(STEPS if (grade == 0).any() else 0):
        loses = sigmoid(-factor * d)
        slope = float(np.sum(loses * d)) - PRIORS["tie"] * (factor - 1.0)
        step = slope / (float(np.sum(loses * (1.0 - loses) * d * d)) + PRIORS["tie"])
        factor += max(-0.5, min(0.5, step))
        if abs(step) < STILL:
            break
    return factor


def _squeeze(near: _Near) -> Floats:
    """Return the derivative of log(1 - exp(-x)) at the distance x of both thresholds."""
    return np.asarray(1.0 / np.expm1(np.minimum(near.up + near.down, 500.0)))


def _threshold(name: str, edge: Ints) -> Floats:
    """Return how each threshold moves with tie or much; *edge* numbers them: -2 to 1 from below,
    and what lies outside is no threshold."""
    lower, upper = (-1, 0) if name == "tie" else (-2, 1)
    return np.where(edge == upper, 1.0, 0.0) - np.where(edge == lower, 1.0, 0.0)


def _scale(mean: Floats, variance: Floats, scale: float) -> float:
    determined = float(np.sum(np.maximum(1.0 - variance / scale**2, 0.0)))
    square = float(np.sum(mean**2)) + SCALE_GUESS**2
    return min(LARGEST_SCALE, float(np.sqrt(square / (determined + 1.0))))


def _meat(
    parts: Floats, information: Floats, inverse: Floats, verdicts: int
) -> tuple[Floats, float]:
    """Return the variance of the gradient as the clusters' scores *parts* show it, and how many
    times that of the model it is.

    Few clusters show it badly: it is drawn to a multiple (at least 1) of the model's own, as far as
    its noise goes (Ledoit & Wolf 2004, in units of *inverse*), and widened by the usual correction
    for few clusters and by Student's quantile.
    """
    clusters, size = parts.shape
    if clusters < 2:
        return information, 1.0
    seen = np.einsum("ci,cj->ij", parts, parts)
    length = np.einsum("ci,ci->c", np.einsum("ci,ij->cj", parts, inverse), parts)
    ratio = float(np.sum(length)) / max(float(np.sum(inverse * information)), 1e-300)
    dispersion = max(ratio, 1.0)
    noise = float(np.sum(length**2)) - _square(seen, inverse) / clusters
    away = _square(seen - dispersion * information, inverse)
    share = min(max(noise / max(away, 1e-300), 0.0), 1.0)
    mixed = share * dispersion * information + (1.0 - share) * seen
    from scipy.special import stdtrit

    few = clusters / (clusters - 1.0) * max((verdicts - 1.0) / max(verdicts - size, 1.0), 1.0)
    return mixed * few * (float(stdtrit(clusters - 1, 0.95)) / 1.6448536269514722) ** 2, dispersion


def _square(matrix: Floats, metric: Floats) -> float:
    """Return the squared length of a symmetric *matrix* in units of *metric*."""
    turned = np.einsum("ij,jk->ik", metric, matrix)
    return float(np.sum(turned * turned.T))
