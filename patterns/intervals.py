"""Intervals of shares and means: the quantiles behind every 90% that an evaluation prints."""

from typing import Final

import numpy as np

from .ranking.likelihood import Floats

NORMAL: Final = 1.6448536269514722
"""The quantile of a normal that leaves 5% above."""


def wilson(successes: float, count: float) -> tuple[float, float]:
    """Return the 90% interval of a share (Wilson 1927)."""
    low, high = wilson_ends(np.array([successes / count]), np.array([count]))
    return float(low[0]), float(high[0])


def wilson_ends(share: Floats, count: Floats) -> tuple[Floats, Floats]:
    """Return both ends of the 90% interval of each *share* of *count*, which may be a fraction."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = NORMAL**2 / count
        middle = (share + z / 2.0) / (1.0 + z)
        reach = np.sqrt(z * share * (1.0 - share) + z**2 / 4.0) / (1.0 + z)
    return middle - reach, middle + reach


def student_quantile(freedom: int) -> float:
    """Return the quantile of Student's distribution that leaves 5% above."""
    from scipy.special import stdtrit  # here, because it is needed at the end of a run alone

    return float(stdtrit(freedom, 0.95))
