"""How close a ranking came to a known truth."""

from dataclasses import dataclass

import numpy as np

from .likelihood import Floats

TOP = 10
CUTS = (0.25, 0.10, 0.05, 0.02, 0.01)
"""Grades of relevance: each of these top shares of the truth is worth one grade more."""

FEW = 2_000
"""So many items are compared pair by pair, sooner than `scipy.stats` is imported (a second)."""


@dataclass(frozen=True, slots=True)
class TruthScore:
    """Agreement with the truth; *tau_b_cap* is the most that an order without ties can reach."""

    tau_b: float
    tau_b_cap: float
    recall_at_10: float
    ndcg_at_10: float


def score_against(truth: Floats, scores: Floats) -> TruthScore:
    """Score the order of *scores* (higher is better) against *truth*, whose ties are fair to all.

    Kendall's tau-b; recall counts an item whose truth reaches the tenth highest; NDCG (Jarvelin &
    Kekalainen 2002) has the gain 2^grade - 1. Nothing to tell apart scores 0, and the cap says so.
    """
    if len(truth) == 0:
        return TruthScore(0.0, 0.0, 0.0, 0.0)
    top = min(TOP, len(truth))
    best = np.argsort(-scores, kind="stable")[:top]
    gain = 2.0 ** _relevance(truth) - 1.0
    discount = 1.0 / np.log2(np.arange(2, top + 2))
    ideal = float(np.sum(np.sort(gain)[::-1][:top] * discount))
    ndcg = float(np.sum(gain[best] * discount)) / ideal if ideal else 1.0
    cap = _tau_cap(truth)
    tau = tau_b(truth, scores) if cap and np.ptp(scores) else 0.0
    return TruthScore(tau, cap, recall_of_best(truth, scores, TOP), ndcg)


def recall_of_best(truth: Floats, scores: Floats, top: int) -> float:
    """Return the share of the best *top* by *scores* whose truth is among the best *top*."""
    top = min(top, len(truth))
    if not top:
        return 0.0
    best = np.argsort(-scores, kind="stable")[:top]
    least = np.sort(truth)[::-1][top - 1]
    return float(np.minimum((truth[best] >= least).sum(), top) / top)


def tau_b(truth: Floats, scores: Floats) -> float:
    """Return Kendall's tau-b (Kendall 1945) of two orders, neither of which may be all ties."""
    if len(truth) > FEW:
        from scipy.stats import kendalltau

        return float(kendalltau(truth, scores).statistic)
    one, other = (np.sign(values[:, None] - values) for values in (truth, scores))
    return float(np.sum(one * other) / np.sqrt(np.sum(one * one) * np.sum(other * other)))


def _tau_cap(truth: Floats) -> float:
    """Return sqrt((n0 - n1) / n0): tau-b of an order without ties that breaks no tie wrongly."""
    _, sizes = np.unique(truth, return_counts=True)
    pairs = len(truth) * (len(truth) - 1) / 2.0
    tied = float(np.sum(sizes * (sizes - 1) / 2.0))
    return float(np.sqrt((pairs - tied) / pairs)) if pairs else 0.0


def _relevance(truth: Floats) -> Floats:
    """Return each item's grade, 0 to 5: a tie has the grade of its best place."""
    place = 1 + np.searchsorted(np.sort(-truth), -truth)
    cut = np.array([max(1, round(share * len(truth))) for share in CUTS])
    return np.asarray((place[:, None] <= cut).sum(1), np.float64)
