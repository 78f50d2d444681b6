"""What a question is worth: how much one answer to it tells, beside one answer about a pair."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np

from ...actors.questions import Question
from .likelihood import FAR, Judge, bounds, sigmoid

LIST_NOISE: Final = 1.0 + 0.15 * float(np.log2(5.0))
"""How noisy a list of ten is beside a pair, where nobody has measured it (an assumption)."""

TYPICAL_GRADES: Final = Judge(tie=0.3, much=2.0)
"""The thresholds of grades where nobody has measured them, in units of a pair's noise."""

_MEASURED: Final = 1.15
"""By so much lists tell more than their Fisher information says (research/sorting.md 3)."""

_NODES, _MASS = np.polynomial.hermite_e.hermegauss(15)
"""Differences of neighbours while a ranking goes on: normal, about one unit of noise wide."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a judge before it is asked: from a pilot, or assumed.

    *list_noise* is the noise of a list of ten beside a pair's, *tie* and *much* are the thresholds
    of its grades; *is_graded* says whether these follow the strength of its preference.
    """

    list_noise: float = LIST_NOISE
    tie: float = TYPICAL_GRADES.tie
    much: float = TYPICAL_GRADES.much
    is_graded: bool = True
    flips: float | None = None
    """The share of pairs on which it changed its mind when their order was swapped."""

    def told(self) -> dict[str, float]:
        """Return these traits as numbers, by name; what is not known is left out."""
        return {name: float(value) for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, told: Mapping[str, float]) -> "Traits":
        """Return the traits that `told` wrote."""
        names = {field.name for field in fields(cls)} - {"is_graded"}
        known: dict[str, Any] = {name: told[name] for name in names if name in told}
        return cls(**known, is_graded=bool(told.get("is_graded", True)))


Prices = Mapping[str, float]
"""What one call of each question costs, by the question's text; only ratios matter."""


def list_noise(size: int, ten: float) -> float:
    """Return the noise of a list of *size*, where one of *ten* has that of ten: it grows with
    log2(k / 2) (research/sorting.md 1)."""
    return 1.0 + (ten - 1.0) * float(np.log2(size / 2)) / float(np.log2(5.0))


def worth(question: Question, traits: Traits = Traits()) -> float:
    """Return how many answers about pairs one answer to *question* is worth.

    A list: the Fisher information of a Plackett-Luce order over that of a pair, 1.15 measured. A
    graded pair: that of an ordered logit over a plain one, over differences of neighbours.
    """
    if question.kind == "list":
        size = question.size
        harmonic = float(np.sum(1.0 / np.arange(1, size + 1)))
        told = 2.0 * (size - harmonic) * (_MEASURED if size > 2 else 1.0)
        return told / list_noise(size, traits.list_noise) ** 2
    if question.kind == "graded" and traits.is_graded:
        return _information(Judge(tie=traits.tie, much=traits.much)) / _information(Judge())
    return 1.0


def value(question: Question, traits: Traits, prices: Prices) -> float:
    """Return what *question* is worth for its price."""
    return worth(question, traits) / prices[str(question)]


def _information(judge: Judge) -> float:
    """Return the mean information of a graded answer about a difference of neighbours."""
    grades = np.arange(-2, 3) if judge.much < FAR else np.array([-1, 0, 1])
    low, high = bounds(grades, judge)
    below, above = (sigmoid(np.clip(cut - _NODES[:, None], -60, 60)) for cut in (high, low))
    chance = np.maximum(below - above, 1e-12)
    slope = below * (1.0 - below) - above * (1.0 - above)
    return float(np.sum(_MASS[:, None] * slope**2 / chance) / np.sum(_MASS))
