"""What scores of single outputs say about the systems that made them, some outputs being missing.

Means over different items say which items were easy. So a score is fitted as an item's level plus a
system's: by least squares, on what is there. Pure functions of arrays.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from .boards import DRAWS, Board, spread
from .intervals import NORMAL, student_quantile, wilson_ends
from .ranking.likelihood import Floats, Ints
from .ranking.posterior import best_chances, rank_intervals
from .ranking.robust import invert, root

FAR: Final = 1e4
"""How far apart systems may stand that nothing compares, in units of the values."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What each system would score on all items: the mean where it has them all, nan where none.

    *pull* is how far each item (row) moves each score, *own_pull* how far it moves the system
    against the others: their squares add up to variances. *group* numbers systems that items
    connect (-1: no value), *count* the values of each.
    """

    score: Floats
    pull: Floats
    own_pull: Floats
    group: Ints
    count: Ints


def adjusted(values: Floats) -> Adjusted:
    """Return what *values*, shape (items, systems), nan where missing, say of each system.

    Between groups of systems that no item connects nothing is known; each has the scores of its
    own items.
    """
    known = ~np.isnan(values)
    group = _groups(known)
    score, pull, own = np.full(len(group), np.nan), np.zeros(values.shape), np.zeros(values.shape)
    for number in range(int(group.max(initial=-1)) + 1):
        systems = np.flatnonzero(group == number)
        items = np.flatnonzero(known[:, systems].any(1))
        place = np.ix_(items, systems)
        score[systems], pull[place], own[place] = _fit(values[place], known[place] * 1.0)
    return Adjusted(score, pull, own, group, known.sum(0).astype(np.int64))


def board_of_values(
    values: Floats, *, by_quality: Floats | None = None, is_share: bool, seed: int
) -> Board:
    """Return the leaderboard by the `adjusted` scores of *values*, shape (items, systems).

    *is_share* says that values are 0 or 1: then intervals are Wilson's (1927). Others are
    Student's over items. *by_quality* has the values by several qualities (the last axis). One more
    item is always taken to be possible where two systems differ: few items that all agree are
    not certain.
    """
    found = adjusted(values)
    cube = values[:, :, None] if by_quality is None else by_quality
    parts = np.stack([adjusted(cube[:, :, n]).score for n in range(cube.shape[2])], 1)
    there, unit = np.flatnonzero(found.group >= 0), unit_of(values)
    if not len(there):
        return spread(None, there, len(found.score), parts.shape[1])
    score = np.clip(found.score, 0.0, 1.0) if is_share else found.score
    low, high = _shares(score, found) if is_share else _means(score, found, unit)
    sample = _draws(found, there, unit, seed)
    ranks = (*rank_intervals(sample), best_chances(sample))
    board = Board(score[there], low[there], high[there], *ranks, parts[there])
    return spread(board, there, len(score), parts.shape[1])


def unit_of(values: Floats) -> float:
    """Return how far two values that differ are apart in the mean; 1 where all are the same."""
    known = np.sort(values[~np.isnan(values)])
    n = len(known)
    _, counts = np.unique(known, return_counts=True)
    pairs = (n**2 - float(np.sum(counts.astype(np.float64) ** 2))) / 2.0
    apart = float(np.sum(known * (2.0 * np.arange(n) - n + 1.0)))
    return apart / pairs if pairs and apart > 0.0 else 1.0


def _groups(known: Floats) -> Ints:
    """Return a number for each system, the same for those that items connect; -1 without value."""
    group = np.full(known.shape[1], -1, np.int64)
    number = 0
    for system in np.flatnonzero(known.any(0)).tolist():
        if group[system] >= 0:
            continue
        own = np.zeros(len(group), np.bool_)
        own[system] = True
        while (more := known[known[:, own].any(1)].any(0) | own).sum() > own.sum():
            own = more
        group[own], number = number, number + 1
    return group


def _fit(values: Floats, has: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the scores of connected systems, and how far each item moves them (see Adjusted)."""
    y, size = np.where(has > 0, values, 0.0), has.sum(1)[:, None]
    share = has / size
    met = np.diag(has.sum(0)) - np.einsum("is,it->st", has, share)
    level = max(float(np.trace(met)), 1.0) / len(met) ** 2  # of all in common: any number will do
    inverse = invert(met + level)
    apart = has * (y - y.sum(1)[:, None] / size)
    effect = np.einsum("st,t->s", inverse, apart.sum(0))
    effect -= effect.mean()
    item = (has * (y - effect)).sum(1)[:, None] / size
    left = has * (y - item - effect)
    own = np.einsum("is,st->it", left, inverse)
    pull = (item - item.mean()) / len(y) + own
    pull -= np.einsum("is,s->i", own, share.mean(0))[:, None]
    return item.mean() + effect, pull, own


def _variance(found: Adjusted) -> Floats:
    """Return the variance of each score, without the correction for few items."""
    return np.asarray((found.pull**2).sum(0), np.float64)


def _shares(score: Floats, found: Adjusted) -> tuple[Floats, Floats]:
    """Return the ends by Wilson, of as many values as would leave a share as uncertain as it is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        worth = score * (1.0 - score) / _variance(found)
    count = np.fmin(np.where(worth > 0.0, worth, found.count), found.count)
    return wilson_ends(score, count)


def _means(score: Floats, found: Adjusted, unit: float) -> tuple[Floats, Floats]:
    n = np.maximum(found.count, 1)
    least = unit**2 / (n * (n + 1.0))
    error = np.sqrt(np.maximum(_variance(found) * _few(n), least))
    reach = _quantiles(n) * error
    return score - reach, score + reach


def _draws(found: Adjusted, there: Ints, unit: float, seed: int) -> Floats:
    """Return joint draws of the scores of the systems *there*: what items have in common, which
    moves all alike, left out; the differences between groups anywhere."""
    n = np.maximum(found.count[there], 1)
    pull = found.own_pull[:, there] * np.sqrt(_few(n)) * _quantiles(n) / NORMAL
    one_more = (unit * _quantiles(n) / NORMAL) ** 2 / (2.0 * n * (n + 1.0))
    covariance = np.einsum("is,it->st", pull, pull) + np.diag(one_more)
    rng = np.random.default_rng([seed % 2**63, *b"board"])
    noise = rng.standard_normal((len(there), DRAWS))
    sample = found.score[there][:, None] + np.einsum("ij,jk->ik", root(covariance), noise)
    groups = int(found.group.max(initial=0)) + 1
    if groups > 1:
        sample += FAR * unit * rng.standard_normal((groups, DRAWS))[found.group[there]]
    return np.asarray(sample)


def _few(count: Ints) -> Floats:
    """Return the factor by which few values show too small a variance."""
    n = np.maximum(count, 2)
    return np.asarray(n / (n - 1.0))


def _quantiles(count: Ints) -> Floats:
    return np.array([student_quantile(max(int(each) - 1, 1)) for each in count])
