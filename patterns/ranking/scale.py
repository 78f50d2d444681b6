"""How far apart the items are in the judge's eyes: the prior's scale, and whether there is any."""

from dataclasses import dataclass, replace

import numpy as np

from .evidence import Evidence, Joint, Judges
from .graph import Graph
from .likelihood import Floats, Judge, Key, Terms

SCALE_GUESS = 1.5
"""The spread of strengths before any outcome; it weighs as much as one item."""

LARGEST_SCALE = 20.0
SILENCE = 0.001
"""The scale of a judge whose outcomes differ between items by no more than chance."""


@dataclass(frozen=True, slots=True)
class Signal:
    """By how much outcomes vary between items beyond chance, and what chance does to that.

    The score test of a zero scale: at equal strengths the squared gradient of an item has its
    information as expectation (Commenges & Jacqmin-Gadda 1997).
    """

    excess: float
    noise: float

    @property
    def is_weak(self) -> bool:
        """Whether chance alone explains the outcomes."""
        return self.excess < 2.5 * self.noise

    @property
    def is_absent(self) -> bool:
        """Whether it is weak though a judge who is right on 60% of random pairs would be seen."""
        return self.is_weak and self.noise > 16.0

    @property
    def doubt(self) -> float:
        """How much a guess of the scale still counts, from 1 (nothing could be seen) to 0."""
        error = 2.0 / max(self.noise, 1e-9)  # of a squared scale estimated from the excess
        return error**2 / (error**2 + SCALE_GUESS**4)

    def start(self, scale: float) -> float:
        """Return where to look for the scale: *scale*, unless the excess speaks against it.

        The excess suggests a scale that is right if small, and too small if large.
        """
        if not self.noise:
            return scale
        square = 2.0 * max(self.excess, 0.0) / self.noise**2
        suggested = float(np.sqrt(max(square, self.doubt * SCALE_GUESS**2, SILENCE**2)))
        return min(scale, suggested) if self.is_weak else max(scale, suggested)


OBVIOUS = Signal(excess=1.0, noise=0.0)
"""An order so clear that nobody need ask whether there is one."""


def measure_signal(evidence: Evidence, graph: Graph, judges: Judges) -> Signal:
    """Return the signal in the outcomes, with the judges fitted as if all items were equal."""
    equal, certain = np.zeros(graph.n), np.zeros(len(evidence))
    joint = evidence.terms(equal, certain, judges)
    for _ in range(4):
        judges = fit_biases(joint, judges)
        judges = evidence.fit_thresholds(equal, certain, judges)
        joint = evidence.terms(equal, certain, judges)
    information = graph.weigh(joint.weights, 0.0).diagonal
    excess = float(np.sum(joint.gradient**2 - information))
    return Signal(excess, float(np.sqrt(2.0 * np.sum(information**2))))


def fit_biases(joint: Joint, judges: Judges) -> dict[Key, Judge]:
    """Return *judges* with the position bias of each part moved by one Newton step."""
    return {key: fit_bias(terms, judges.get(key, Judge())) for key, terms in joint.parts.items()}


def fit_bias(terms: Terms, judge: Judge) -> Judge:
    """Return *judge* with its position bias moved by one Newton step, at most 3."""
    width = 2.0 / (1.0 + judge.bias**2)  # a Cauchy prior: no judge is too biased to be seen
    step = (terms.bias_gradient - width * judge.bias) / (terms.bias_information + width)
    return replace(judge, bias=judge.bias + max(-3.0, min(3.0, step)))


def fit_scale(mean: Floats, variance: Floats, scale: float, signal: Signal) -> float:
    """Return the prior's scale at which the evidence is stationary (MacKay 1992).

    The guess counts as one item against a larger scale, and as far as in doubt against a smaller.
    """
    if signal.is_absent:
        return SILENCE
    determined = float(np.sum(1.0 - variance / scale**2))
    square = float(np.sum(mean**2))
    weight = 1.0 if square > SCALE_GUESS**2 * determined else signal.doubt
    found = (square + weight * SCALE_GUESS**2) / (determined + weight)
    return max(SILENCE, min(LARGEST_SCALE, float(np.sqrt(found))))
