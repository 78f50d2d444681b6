"""What is true in a simulated world: utilities made from a column of truth."""

from statistics import NormalDist

import numpy as np

from .keyed import Floats

_CELLS = 4096


def utilities(truth: Floats, accuracy: float) -> Floats:
    """Return utilities in logits for *truth* (higher = more), one an item.

    They are the normal scores of the truth's mid-ranks, Phi^-1((r - 1/2) / n), times the scale at
    which a judge with logistic noise and no bias is right on *accuracy* of the random pairs with
    unequal truth. All zero where all truths are equal.
    """
    if not 0.5 < accuracy < 1.0:
        raise ValueError(f"accuracy {accuracy} is not between 0.5 and 1")
    _, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return np.zeros(len(truth))
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    quantile = NormalDist().inv_cdf
    levels = np.array([quantile(share) for share in (mid_ranks - 0.5) / len(truth)])
    scale = _scale(levels, counts.astype(float), accuracy)
    return np.asarray(scale * levels[place], np.float64)


def _scale(levels: Floats, counts: Floats, accuracy: float) -> float:
    step = (levels[-1] - levels[0]) / (_CELLS - 1)
    mass = np.bincount(((levels - levels[0]) / step).round().astype(int), counts)
    pairs = np.correlate(mass, mass, "full")[_CELLS - 1 :]  # by distance in cells: whole numbers
    pairs[0] = (pairs[0] - (counts**2).sum()) / 2  # unequal truths in the same cell
    gaps = np.arange(_CELLS) * step
    gaps[0] = step / 3  # what two random points of a cell are apart
    weights = pairs / pairs.sum()
    low, high = 0.0, 1e9
    while high - low > 1e-9 * (1.0 + high):  # accuracy grows with the scale
        middle = (low + high) / 2
        is_low = (weights / (1.0 + np.exp(-middle * gaps))).sum() < accuracy
        low, high = (middle, high) if is_low else (low, middle)
    return (low + high) / 2
