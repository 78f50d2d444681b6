"""How many findings nobody has seen yet: estimated from how often each was seen (Chao).

Findings that one pass made and no other speak for more that none did. Sources: Chao 1987 and Chiu
et al. 2014 for the bias-corrected estimators and their variance, Chao & Jost 2012 for coverage,
Colwell's EstimateS 9 for the interval where nothing seems unseen. All are lower bounds where some
findings are far harder to see than others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Z90: Final = 1.6449


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many findings are *unseen*, with a 90% interval from *low* to *high*.

    Read it as "at least": where some are far harder to see than others, the interval holds the
    truth in some 60% of simulated loops. *coverage* is the chance that a sighting of the next pass
    is of a finding seen before.
    """

    seen: int
    unseen: float
    low: float
    high: float
    coverage: float


def chao1(counts: Sequence[int]) -> Estimate:
    """Estimate from how often each finding was seen in all, *counts*: for independent sightings."""
    return _estimate([count for count in counts if count], sum(counts))


def chao2(counts: Sequence[int], passes: int) -> Estimate:
    """Estimate from in how many of *passes* each finding was seen, *counts*."""
    return _estimate([count for count in counts if count], passes)


def _estimate(counts: Sequence[int], samples: int) -> Estimate:
    seen, once, twice = len(counts), counts.count(1), counts.count(2)
    share = (samples - 1) / samples if samples else 0.0
    unseen = share * (once * (once - 1)) / (2 * (twice + 1))
    low, high = _interval(seen, unseen, _variance(once, twice, share), sum(counts))
    return Estimate(seen, unseen, low, high, _coverage(once, twice, sum(counts), samples))


def _variance(once: int, twice: int, share: float) -> float:
    wide = twice + 1
    first = share * once * (once - 1) / (2 * wide)
    second = share**2 * once * (2 * once - 1) ** 2 / (4 * wide**2)
    third = share**2 * once**2 * twice * (once - 1) ** 2 / (4 * wide**4)
    return first + second + third


def _interval(seen: int, unseen: float, variance: float, sightings: int) -> tuple[float, float]:
    if not seen:
        return 0.0, 0.0
    if unseen > 0:
        ratio = math.exp(Z90 * math.sqrt(math.log1p(variance / unseen**2)))
        return unseen / ratio, unseen * ratio
    missed = math.exp(-sightings / seen)  # the chance of no sighting, at their mean number
    middle, reach = seen / (1 - missed), Z90 * math.sqrt(seen * missed) / (1 - missed)
    return max(middle - reach - seen, 0.0), middle + reach - seen


def _coverage(once: int, twice: int, sightings: int, samples: int) -> float:
    if not sightings:
        return 0.0
    if not once:
        return 1.0
    known = (samples - 1) * once
    rest = known / (known + 2 * twice) if known + 2 * twice else 1.0
    return 1.0 - once / sightings * rest
