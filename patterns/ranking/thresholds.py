"""The thresholds of grades: how near is a tie, how far is 'much more'."""

from dataclasses import replace

import numpy as np

from .likelihood import FAR, Floats, Ints, Judge, PairLikelihood, bounds, sharpness, sigmoid

SAMPLE = 4000
"""Thresholds are shared by all matches: a sample of this size fixes them well."""


def fit_thresholds(likelihood: PairLikelihood, mean: Floats, spread: Floats, judge: Judge) -> Judge:
    """Return *judge* with the thresholds moved by one step of Fisher scoring each.

    Without ties among the grades the tie's half-width is 0, without 'much' the second is FAR.
    """
    part = slice(None, None, max(1, len(likelihood) // SAMPLE))
    grade = likelihood.grade[part]
    ties, much = bool((grade == 0).any()), bool((np.abs(grade) == 2).any())
    if not ties and not much:
        return replace(judge, tie=0.0, much=FAR)
    tie = (judge.tie or 0.3) if ties else 0.0
    far = (judge.much if judge.much < FAR else 2.0) if much else FAR
    sharp = sharpness(spread[part], judge)
    d = likelihood.differences(mean, judge)[part]
    trial = replace(judge, tie=tie, much=far)
    gradient, information = _derivatives(grade, d, sharp, trial)
    if ties:
        tie *= float(np.exp(np.clip(gradient[0] * tie / (information[0] * tie**2 + 1), -0.5, 0.5)))
    if much:
        far *= float(np.exp(np.clip(gradient[1] * far / (information[1] * far**2 + 1), -0.5, 0.5)))
    return replace(judge, tie=tie, much=max(far, tie + 0.05) if much else FAR)


def _derivatives(grade: Ints, d: Floats, sharp: Floats, judge: Judge) -> tuple[Floats, Floats]:
    """Return gradient and information by (tie, much): each bounds an interval from either side."""
    low, high = bounds(grade, judge)
    gap = -np.expm1(-(high - low) * sharp)
    up = sharp * (1.0 - sigmoid(sharp * (high - d)) + (1.0 - gap) / gap)
    down = sharp * (sigmoid(sharp * (low - d)) + (1.0 - gap) / gap)
    gradient = np.zeros(2)
    information = np.zeros(2)
    for which in (0, 1):
        score = _moves(grade, which, high=True) * up - _moves(grade, which, high=False) * down
        gradient[which], information[which] = score.sum(), (score * score).sum()
    return gradient, information


def _moves(grade: Ints, which: int, *, high: bool) -> Floats:
    """Return how the upper (or lower) bound of each grade moves with threshold *which*."""
    table = ([0.0, -1.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 1.0, 0.0])[which]
    if not high:
        table = ([0.0, 0.0, -1.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0, 1.0])[which]
    return np.asarray(np.array(table)[grade + 2], np.float64)
