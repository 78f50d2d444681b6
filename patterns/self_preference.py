"""Whether a judge favours what its own model made: its view of it beside that of the other judges.

Panickssery et al. (2024) find that models prefer their own outputs beyond what others see in them.

What is fitted over all items is less than what is held within one: there outputs are better and
worse by chance, which counts as noise and draws every logit towards 0 (Zeger, Liang & Albert 1988).
How much chance there is shows in what different judges say of the same output; that is undone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .boards import Judged
from .intervals import NORMAL
from .ranking.likelihood import Floats, Ints, sigmoid
from .ranking.robust import LONGEST, Strengths, Verdicts, fit_robust, invert

STEPS = 60
BELIEVED = np.array([1.0, 0.0, 0.0])
"""What is believed of a judge beforehand: how sharply it sees beside the others, the pull of the
position, and what it holds for its own."""

PRIOR = np.array([0.4, 0.1, 0.1])
"""How precisely that is believed: the precision of normals."""

MOST_SHARED = 0.4
"""The most that two views which share one output are taken to correlate: half would be all."""


@dataclass(frozen=True, slots=True)
class Favour:
    """What a *judge* holds for its own *system* (their numbers), in logits beside the other outputs
    on the same item, with a 90% interval.

    *pairs* were judged by it; None is its *effect* where there is no other judge to compare with,
    or one of them has not judged the system.
    """

    judge: int
    system: int
    effect: float | None
    low: float = 0.0
    high: float = 0.0
    pairs: int = 0


def favours_of(
    judged: Judged, systems: int, own: Sequence[tuple[int, int]], *, judges: int
) -> tuple[Favour, ...]:
    """Return the favour of each judge for each system in *own*; criteria are taken together."""
    return tuple(_favour(judged.verdicts, systems, *each, judges) for each in own)


def _favour(verdicts: Verdicts, systems: int, judge: int, system: int, judges: int) -> Favour:
    """Explain the judge's verdicts by the strengths that the others see, by how sharply it sees
    them, by the position, and by what it holds for its own system: a logistic regression."""
    is_about = (verdicts.one == system) | (verdicts.other == system)
    is_own = verdicts.judge == judge
    pairs = int(np.count_nonzero(is_about & is_own))
    if judges < 2 or not pairs or not (is_about & ~is_own).any():
        return Favour(judge, system, None, pairs=pairs)
    fit = fit_robust(systems, verdicts.take(np.flatnonzero(~is_own)), judges=judges)
    own = verdicts.take(np.flatnonzero(is_own))
    side = (own.one == system) * 1.0 - (own.other == system) * 1.0
    causes = np.stack([fit.mean[own.one] - fit.mean[own.other], own.lead, side], 1)
    said = (np.sign(own.grade) + 1.0) / 2.0  # a tie is half a win
    held = BELIEVED.copy()
    for _ in range(STEPS):
        p = sigmoid(np.einsum("ij,j->i", causes, held))
        slope = np.einsum("ij,i->j", causes, said - p) - PRIOR * (held - BELIEVED)
        step = np.einsum("ij,j->i", invert(_information(causes, p)), slope)
        held += step * min(1.0, LONGEST / max(float(np.abs(step).max()), LONGEST))
    p = sigmoid(np.einsum("ij,j->i", causes, held))
    variance = float(_covariance(own, causes, said - p, p, fit, held)[-1, -1])
    others = verdicts.take(np.flatnonzero(~is_own))
    chances = np.concatenate([p, fit.win_chances(others)])
    factor, error = within_items(Verdicts.all([own, others]), chances, systems, judges)
    effect = factor * float(held[-1])
    reach = NORMAL * float(np.sqrt(factor**2 * variance + (error * float(held[-1])) ** 2))
    return Favour(judge, system, effect, effect - reach, effect + reach, pairs)


def within_items(
    verdicts: Verdicts, chances: Floats, systems: int, judges: int
) -> tuple[float, float]:
    """Return how many times a logit over all items counts within one, and that factor's error.

    *chances* are what is expected of each verdict. Where different judges depart from it together
    on one output of an item, this is better or worse there than its system is. A correlation r of
    two judges' latent views that share one output makes the factor 1 / sqrt(1 - 2 r).
    """
    kept = np.flatnonzero(verdicts.grade != 0)
    v, p = verdicts.take(kept), chances[kept]
    apart, weight = (v.grade > 0) - p, 4.0 * p * (1.0 - p)
    _, item = np.unique(v.cluster, return_inverse=True)
    items = int(item.max(initial=-1)) + 1
    way = np.where(v.one < v.other, 1.0, -1.0)
    pair = item * systems**2 + np.minimum(v.one, v.other) * systems + np.maximum(v.one, v.other)
    both = _by_item(pair, way * apart, weight, v.judge, item, judges)
    side = np.concatenate([item * systems + v.one, item * systems + v.other])
    again = np.tile(np.arange(len(v)), 2)
    signed = np.concatenate([apart, -apart])
    any_ = _by_item(side, signed, weight[again], v.judge[again], item[again], judges)
    seen, room = any_[0] - both[0], any_[1]  # a pair met twice is in both sides: it shares both
    if items < 2 or room.sum() <= 0.0:
        return 1.0, 0.0
    found = float(seen.sum() / room.sum())
    noise = float(np.sum((seen - found * room) ** 2)) * items / (items - 1.0) / room.sum() ** 2
    share = max(1.0 - noise / max(found**2, 1e-300), 0.0) if found > 0.0 else 0.0
    r = min(float(np.sin(min(2.0 * np.pi * share * found, np.pi / 2.0))), MOST_SHARED)
    factor = (1.0 - 2.0 * r) ** -0.5
    return factor, factor**3 * 2.0 * np.pi * share * noise**0.5


def _by_item(
    key: Ints, apart: Floats, weight: Floats, judge: Ints, item: Ints, judges: int
) -> tuple[Floats, Floats]:
    """Return for each item the sum of the products of what verdicts of different judges on the same
    *key* are *apart* from what is expected, and the sum of the products of their weights."""
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    size = len(first)
    found = np.zeros((2, int(item.max(initial=-1)) + 1))
    for sums, value in zip(found, (apart, weight), strict=True):
        own = np.bincount(number * judges + judge, value, size * judges).reshape(size, judges)
        np.add.at(sums, item[first], (own.sum(1) ** 2 - (own**2).sum(1)) / 2.0)
    return found[0], found[1]


def _information(causes: Floats, p: Floats) -> Floats:
    return np.asarray(np.einsum("i,ij,ik->jk", p * (1.0 - p), causes, causes) + np.diag(PRIOR))


def _covariance(
    own: Verdicts, causes: Floats, apart: Floats, p: Floats, fit: Strengths, held: Floats
) -> Floats:
    """Return the covariance of what a judge holds: of its verdicts, an item being one observation
    (at least what the model expects), and of the strengths, which are known no better than so."""
    _, item = np.unique(own.cluster, return_inverse=True)
    items = int(item.max()) + 1
    pulls = np.zeros((items, 3))
    np.add.at(pulls, item, causes * apart[:, None])
    information = _information(causes, p)
    inverse = invert(information)
    seen = np.einsum("ij,ik->jk", pulls, pulls) * items / max(items - 1, 1)
    by_items, by_model = (
        np.einsum("ij,jk,kl->il", inverse, meat, inverse)
        for meat in (seen + np.diag(PRIOR), information)
    )
    moved = np.zeros((3, len(fit.mean)))
    weight = causes * (p * (1.0 - p) * held[0])[:, None]
    np.add.at(moved.T, own.one, weight)
    np.add.at(moved.T, own.other, -weight)
    moved = np.einsum("ij,jk->ik", inverse, moved)
    strengths = np.einsum("ij,jk,lk->il", moved, fit.covariance, moved)
    return np.asarray(np.maximum(by_items, by_model) + strengths)
