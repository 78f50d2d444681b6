"""Whether a judge favours what its own model made: its view of it beside that of the other judges.

Panickssery et al. (2024) find that models prefer their own outputs beyond what others see in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .boards import Judged
from .intervals import NORMAL
from .ranking.likelihood import Floats, sigmoid
from .ranking.robust import LONGEST, Strengths, Verdicts, fit_robust, invert

STEPS = 60
BELIEVED = np.array([1.0, 0.0, 0.0])
"""What is believed of a judge beforehand: how sharply it sees beside the others, the pull of the
position, and what it holds for its own."""

PRIOR = np.array([0.4, 0.1, 0.1])
"""How precisely that is believed: the precision of normals."""


@dataclass(frozen=True, slots=True)
class Favour:
    """What a *judge* holds for its own *system* (their numbers), in logits, with a 90% interval.

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
    reach = NORMAL * float(np.sqrt(_covariance(own, causes, said - p, p, fit, held)[-1, -1]))
    effect = float(held[-1])
    return Favour(judge, system, effect, effect - reach, effect + reach, pairs)


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
