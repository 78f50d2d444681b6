"""All that is known of one set of items: outcomes of several judges and kinds of question together.

Strengths are in units of the noise of the part that says most; every other part has a *keenness*,
which says how sharply it sees beside that one. Each part has a judge of its own to fit, while the
strengths are fitted to all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .likelihood import Floats, Ints, Judge, Key, Likelihood, PairLikelihood, Terms
from .thresholds import fit_thresholds

DULLEST: Final = 0.02
SHARPEST: Final = 50.0
STRANGER: Final = 4.0
"""What is believed of a new part's keenness beforehand counts as so much information."""

Judges = Mapping[Key, Judge]
"""What is fitted of each part's judge."""


@dataclass(frozen=True, slots=True)
class Joint:
    """First and second derivatives of all parts together: by strength, and of each part."""

    gradient: Floats
    weights: Floats
    parts: dict[Key, Terms]


class Evidence:
    """The outcomes of every part: a graph of matches, and their likelihood's derivatives."""

    def __init__(self, parts: Mapping[Key, Likelihood]) -> None:
        self.parts = dict(parts)
        self._single = next(iter(self.parts)) if len(self.parts) == 1 else None
        several = self.parts.values() if self._single is None else ()  # one holds its own
        edges = [part.edges() for part in several] or [(np.zeros(0, np.int64),) * 2]
        self._edges = edges
        self._edge_ends = np.cumsum([len(one) for one, _ in edges])[:-1]
        self._ends = np.cumsum([len(part) for part in self.parts.values()])[:-1]

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def edges(self) -> tuple[Ints, Ints]:
        """Return the two ends of every edge, in the order of `Joint.weights`."""
        if self._single is not None:
            return self.parts[self._single].edges()
        one, other = zip(*self._edges, strict=True)
        return np.concatenate(one), np.concatenate(other)

    def spread(self, precision: Floats, weights: Floats) -> Floats:
        """Return the variance of the differences in each outcome; see `Likelihood.spread`."""
        if not self.parts:
            return np.zeros(0)
        own = np.split(weights, self._edge_ends)
        found = [
            part.spread(precision, w) for part, w in zip(self.parts.values(), own, strict=True)
        ]
        return np.concatenate(found)

    def terms(self, mean: Floats, spread: Floats, judges: Judges) -> Joint:
        """Return the derivatives at strengths *mean*, smoothed by *spread*."""
        own = self._by_part(spread)
        found = {
            key: part.terms(mean, own[key], judges.get(key, Judge()))
            for key, part in self.parts.items()
        }
        if self._single is not None:
            terms = found[self._single]
            return Joint(terms.gradient, terms.weights, found)
        weights = np.concatenate([np.zeros(0), *(terms.weights for terms in found.values())])
        gradient = sum((terms.gradient for terms in found.values()), np.zeros(len(mean)))
        return Joint(gradient, weights, found)

    def _by_part(self, spread: Floats) -> dict[Key, Floats]:
        return dict(zip(self.parts, np.split(spread, self._ends), strict=False))

    def fit_thresholds(self, mean: Floats, spread: Floats, judges: Judges) -> dict[Key, Judge]:
        """Return *judges* with the thresholds of grades moved by one step."""
        own = self._by_part(spread)
        moved = {key: judges.get(key, Judge()) for key in self.parts}
        for key, part in self.parts.items():
            if isinstance(part, PairLikelihood):
                moved[key] = fit_thresholds(part, mean, own[key], moved[key])
        return moved

    def fit_keenness(
        self, mean: Floats, spread: Floats, joint: Joint, judges: Judges
    ) -> dict[Key, Judge]:
        """Return *judges* with the keenness of each part moved by one step.

        A step of Fisher scoring on the likelihood averaged over the strengths (as in EM: what is
        not known of a difference is taken off its square), so that no part is thought keen because
        the strengths were fitted to it.
        """
        moved = dict(judges)
        own = self._by_part(spread)
        for (key, terms), (one, other) in zip(joint.parts.items(), self._edges, strict=True):
            judge = judges[key]
            gap = mean[one] - mean[other]
            doubt = float(np.sum(terms.weights * _by_edge(own[key], len(terms.weights))))
            slope = float(np.sum(terms.gradient * mean)) - doubt
            curve = float(np.sum(terms.weights * gap * gap)) + doubt
            slope -= STRANGER * (judge.keen - 1.0) * judge.keen
            step = slope / (curve + STRANGER * judge.keen**2)
            keen = judge.keen * float(np.exp(np.clip(step, -0.5, 0.5)))
            moved[key] = replace(judge, keen=min(max(keen, DULLEST), SHARPEST))
        return moved


def measured_by_the_keenest(joint: Joint, judges: Judges) -> tuple[dict[Key, Judge], float]:
    """Return *judges* with keenness 1 for the part that says most, and what to multiply by.

    Strengths times that factor are in units of that part's noise.
    """
    said = {key: float(np.sum(terms.weights)) for key, terms in joint.parts.items()}
    unit = judges[max(said, key=said.__getitem__)].keen
    return {key: replace(judge, keen=judge.keen / unit) for key, judge in judges.items()}, unit


def _by_edge(spread: Floats, edges: int) -> Floats:
    """Return the *spread* of each edge's outcome: edges come pair by pair, outcome by outcome."""
    return np.tile(spread, edges // max(len(spread), 1))
