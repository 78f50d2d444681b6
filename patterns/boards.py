"""What verdicts on outputs say about the systems that made them: leaderboards and their intervals.

Pure functions of arrays. Verdicts about one item share its peculiarity, so every interval takes an
item as one observation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from .intervals import NORMAL, student_quantile
from .ranking.likelihood import Floats, Ints
from .ranking.posterior import best_chances, rank_intervals
from .ranking.robust import Strengths, Verdicts, fit_robust, root

DRAWS: Final = 4_000
GROUPS: Final = 20
"""Groups of items that are left out in turn, where several criteria make one score."""


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard, one entry a system: its score, the score's and the rank's 90% intervals.

    *p_best* is the chance to be the best of all, *parts* the score by each criterion (columns).
    """

    score: Floats
    low: Floats
    high: Floats
    rank_low: Floats
    rank_high: Floats
    p_best: Floats
    parts: Floats

    @property
    def order(self) -> list[int]:
        """The systems, best first; those without a score come last."""
        known = np.where(np.isnan(self.score), -np.inf, self.score)
        return [int(system) for system in np.argsort(-known, kind="stable")]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table of outputs: which *system* made each, of which *item*."""

    system: Ints
    item: Ints
    systems: int
    items: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on pairs of outputs, and by which *criterion* each was said."""

    verdicts: Verdicts
    criterion: Ints

    def by(self, criterion: int) -> Verdicts:
        """Return the verdicts by one criterion."""
        return self.verdicts.take(np.flatnonzero(self.criterion == criterion))


def verdicts_of(outcomes: pa.RecordBatch, rows: Rows) -> Judged:
    """Return *outcomes* (OUTCOMES) as verdicts on pairs; a list's answer counts for each pair.

    Of a prefix of an order, those who are in it come before those who are not.
    """
    found: list[tuple[int, int, int, float, int, int, int]] = []
    names = ("shown", "grade", "order", "judge", "criterion", "status")
    columns = (outcomes.column(name).to_pylist() for name in names)
    for shown, grade, order, judge, criterion, status in zip(*columns, strict=True):
        if status != "ok":
            continue
        item = int(rows.item[shown[0]])
        for better, worse, said, lead in _pairs(shown, grade, order):
            pair = (int(rows.system[better]), int(rows.system[worse]))
            found.append((*pair, said, lead, item, judge, criterion))
    whole = np.array(found, np.float64).reshape(-1, 7)
    one, other, grades, _, cluster, judges, criteria = whole.astype(np.int64).T
    return Judged(Verdicts(one, other, grades, whole[:, 3], cluster, judges), criteria)


def wins_of(verdicts: Verdicts, systems: int) -> tuple[Ints, Ints]:
    """Return how often each system (row) beat each other (column), and how often they tied."""
    wins, ties = (np.zeros((systems, systems), np.int64) for _ in range(2))
    won, lost = verdicts.grade > 0, verdicts.grade < 0
    np.add.at(wins, (verdicts.one[won], verdicts.other[won]), 1)
    np.add.at(wins, (verdicts.other[lost], verdicts.one[lost]), 1)
    tied = verdicts.grade == 0
    for one, other in ((verdicts.one, verdicts.other), (verdicts.other, verdicts.one)):
        np.add.at(ties, (one[tied], other[tied]), 1)
    return wins, ties


def points_of(judged: Judged, rows: Rows, weights: Sequence[float]) -> tuple[Floats, Floats, Ints]:
    """Return the points of each output against others, how many there were to win, and in how many
    pairs, each of shape (items, systems); a tie is half a point."""
    v, size = judged.verdicts, rows.items * rows.systems
    weight = np.array(weights, np.float64)[judged.criterion]
    points, worth = np.zeros(size), np.zeros(size)
    count = np.zeros(size, np.int64)
    for side, way in ((v.one, 1), (v.other, -1)):
        key = v.cluster * rows.systems + side
        points += np.bincount(key, weight * (np.sign(way * v.grade) + 1.0) / 2.0, size)
        worth += np.bincount(key, weight, size)
        count += np.bincount(key, minlength=size)
    shape = (rows.items, rows.systems)
    return points.reshape(shape), worth.reshape(shape), count.reshape(shape)


def shares_of(judged: Judged, rows: Rows, weights: Sequence[float]) -> tuple[Floats, Ints]:
    """Return each system's share of the points on each item, shape (items, systems), and of how
    many pairs; nan where it was never compared."""
    points, worth, count = points_of(judged, rows, weights)
    with np.errstate(invalid="ignore"):
        return points / worth, count


def winners_of(share: Floats) -> list[int | None]:
    """Return the system that did best on each item; None where no single one did."""
    found: list[int | None] = []
    for row in share:
        highest = np.max(row, where=~np.isnan(row), initial=-np.inf)
        best = np.flatnonzero(row == highest)
        found.append(int(best[0]) if len(best) == 1 else None)
    return found


def board_of_verdicts(
    judged: Judged, systems: int, weights: Sequence[float], *, judges: int, seed: int
) -> Board:
    """Return the leaderboard of *systems*: strengths in logits, around 0.

    By several criteria it is the mean of their strengths by *weights*, each in units of its own
    scale. Its covariance is then a jackknife over groups of items (Efron 1982), for the verdicts
    about one item are one observation whatever they are about. Systems that were never compared
    have no score (nan).
    """
    v = judged.verdicts
    there = np.unique(np.concatenate([v.one, v.other]))
    if not len(there):
        return spread(None, there, systems, len(weights))
    fits = [_fit(judged, number, systems, judges) for number in range(len(weights))]
    score = _total(fits, weights, there)
    if len(fits) == 1:
        middle = np.eye(len(there)) - 1.0 / len(there)
        own = fits[0].covariance[np.ix_(there, there)]
        covariance = np.einsum("ij,jk,kl->il", middle, own, middle)
    else:
        covariance = _jackknife(judged, systems, weights, judges, there, score)
    parts = np.stack([fit.mean[there] - fit.mean[there].mean() for fit in fits], 1)
    return spread(_board(score, covariance, parts, seed), there, systems, len(weights))


def spread(board: Board | None, there: Ints, systems: int, parts: int) -> Board:
    """Return *board*, which is of the systems *there*, as one of all: nan elsewhere."""
    columns = {name: np.full(systems, np.nan) for name in Board.__slots__[:-1]}
    columns["parts"] = np.full((systems, parts), np.nan)
    for name, column in columns.items():
        if board is not None:
            column[there] = getattr(board, name)
    return Board(**columns)


def _pairs(
    shown: list[int], grade: int | None, order: list[int] | None
) -> list[tuple[int, int, int, float]]:
    """Return the pairs of one answer: one, other, grade of one, how far ahead it was shown."""
    if order is None:
        assert grade is not None
        return [(shown[0], shown[1], grade, 1.0)]
    place = {row: at for at, row in enumerate(shown)}
    rest = [row for row in shown if row not in order]
    span = max(len(shown) - 1, 1)
    return [
        (best, worse, 1, (place[worse] - place[best]) / span)
        for at, best in enumerate(order)
        for worse in [*order[at + 1 :], *rest]
    ]


def _fit(judged: Judged, criterion: int, systems: int, judges: int) -> Strengths:
    verdicts = judged.by(criterion)
    if not len(verdicts):
        return Strengths.unknown(systems)
    return fit_robust(systems, verdicts, judges=judges)


def _total(fits: Sequence[Strengths], weights: Sequence[float], there: Ints) -> Floats:
    """Return the scores of the systems *there*, around 0: of several fits each by its own scale."""
    total = np.zeros(len(there))
    for weight, fit in zip(weights, fits, strict=True):
        unit = 1.0 if len(fits) == 1 else weight / fit.scale
        total += unit * (fit.mean[there] - fit.mean[there].mean())
    return total


def _jackknife(
    judged: Judged,
    systems: int,
    weights: Sequence[float],
    judges: int,
    there: Ints,
    score: Floats,
) -> Floats:
    items = np.unique(judged.verdicts.cluster)
    groups = min(GROUPS, len(items))
    if groups < 2:
        return np.eye(len(score))
    group = (np.searchsorted(items, judged.verdicts.cluster) % groups).astype(np.int64)
    found = []
    for left_out in range(groups):
        kept = np.flatnonzero(group != left_out)
        part = Judged(judged.verdicts.take(kept), judged.criterion[kept])
        fits = [_fit(part, number, systems, judges) for number in range(len(weights))]
        found.append(_total(fits, weights, there))
    apart = np.stack(found) - score
    covariance = (groups - 1.0) / groups * np.einsum("gs,gt->st", apart, apart)
    return np.asarray(covariance * (student_quantile(groups - 1) / NORMAL) ** 2)


def _board(score: Floats, covariance: Floats, parts: Floats, seed: int) -> Board:
    n = len(score)
    reach = NORMAL * np.sqrt(np.diag(covariance))
    if n < 2:
        whole = np.ones(n)
        return Board(score, score - reach, score + reach, whole, whole, whole, parts)
    noise = np.random.default_rng([seed % 2**63, *b"board"]).standard_normal((n, DRAWS))
    sample = score[:, None] + np.einsum("ij,jk->ik", root(covariance), noise)
    ranks = rank_intervals(sample)
    return Board(score, score - reach, score + reach, *ranks, best_chances(sample), parts)
