"""The posterior over strengths and judge: Newton steps on arrays, joint draws, what they say."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, stdtrit

from .graph import Graph, Precision
from .likelihood import Floats, Ints, Judge, Likelihood, PairLikelihood
from .thresholds import fit_thresholds

SCALE_GUESS = 1.5
"""The spread of strengths before any outcome; it weighs as much as one item."""

SILENCE = 0.001
"""The scale of a judge whose outcomes differ between items by no more than chance."""

COLD_STEPS, WARM_STEPS = 12, 6

CLOSE = 1e-2
"""Newton steps end when one moves the strengths by less than this share of their deviation."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A Gaussian posterior: means and variances of strengths, the judge, the prior's scale.

    *inflation* is how much larger variances are than the inverse of the precision's diagonal,
    *tau* the expected Kendall tau of the order of the means.
    """

    mean: Floats
    variance: Floats
    judge: Judge
    scale: float
    inflation: float
    tau: float

    @classmethod
    def prior(cls, n: int) -> "Estimate":
        """Return what is believed before the first outcome."""
        spread = np.full(n, SCALE_GUESS**2)
        return cls(np.zeros(n), spread, Judge(), SCALE_GUESS, 1.2, float(n < 2))


def fit(
    likelihood: Likelihood,
    graph: Graph,
    start: Estimate,
    rng: np.random.Generator,
    *,
    draws: int = 4,
    scale: float | None = None,
) -> tuple[Estimate, Precision]:
    """Return the posterior given *likelihood*, from *start*; *scale* fixes the prior's."""
    now = start if scale is None else replace(start, scale=scale)
    silent = scale is None and _carries_no_signal(likelihood, graph, now.judge)
    cold = not now.mean.any()
    spread = likelihood.spread(1.0 / now.variance, np.zeros(graph.edges))
    for step in range(COLD_STEPS if cold else WARM_STEPS):
        now, spread, moved = _step(likelihood, graph, now, spread)
        if scale is None and not (cold and step < 3):
            now = replace(now, scale=SILENCE if silent else _fit_scale(graph, now))
        if isinstance(likelihood, PairLikelihood) and step < 3:
            now = replace(now, judge=fit_thresholds(likelihood, now.mean, spread, now.judge))
        if moved < CLOSE and step >= (5 if cold else 1):
            break
    terms = likelihood.terms(now.mean, spread, now.judge)
    precision = graph.weigh(terms.weights, now.scale**-2)
    sample = precision.draws(rng, draws)
    inflation = float(np.mean(sample**2 * precision.diagonal[:, None]))
    variance = np.minimum(inflation / precision.diagonal, now.scale**2)
    tau = _expected_tau(now.mean, 1.0 / precision.diagonal, sample)
    return replace(now, inflation=inflation, variance=variance, tau=tau), precision


def _step(
    likelihood: Likelihood, graph: Graph, now: Estimate, spread: Floats
) -> tuple[Estimate, Floats, float]:
    terms = likelihood.terms(now.mean, spread, now.judge)
    precision = graph.weigh(terms.weights, now.scale**-2)
    downhill = terms.gradient - now.mean / now.scale**2
    change = precision.solve(downhill[:, None], tolerance=3e-2)[:, 0]
    change *= min(1.0, 3.0 / max(float(np.abs(change).max(initial=0.0)), 1e-300))
    bias = now.judge.bias
    width = 2.0 / (1.0 + bias * bias)  # a Cauchy prior: no judge is too biased to be seen
    shift = (terms.bias_gradient - width * bias) / (terms.bias_information + width)
    mean = now.mean + change
    variance = np.minimum(now.inflation / precision.diagonal, now.scale**2)
    judge = replace(now.judge, bias=bias + max(-3.0, min(3.0, shift)))
    moved = float(np.sqrt(np.mean(change**2))) / max(float(np.std(mean)), SILENCE)
    moved += abs(shift) / (1.0 + abs(bias))
    now = replace(now, mean=mean, variance=variance, judge=judge)
    return now, likelihood.spread(1.0 / variance, terms.weights), moved


def _fit_scale(graph: Graph, now: Estimate) -> float:
    """Return the prior's scale at which the evidence is stationary (MacKay 1992)."""
    determined = 1.0 - now.variance / now.scale**2
    square = (float(np.sum(now.mean**2)) + SCALE_GUESS**2) / (float(determined.sum()) + 1.0)
    return max(SILENCE, min(20.0, float(np.sqrt(square))))


def _carries_no_signal(likelihood: Likelihood, graph: Graph, judge: Judge) -> bool:
    """Whether outcomes vary between items no more than chance, where a weak judge's would.

    The score test of a zero scale: at equal strengths the squared gradient of an item has its
    information as expectation (Commenges & Jacqmin-Gadda 1997).
    """
    equal, certain = np.zeros(graph.n), np.zeros(len(likelihood))
    if isinstance(likelihood, PairLikelihood):
        for _ in range(3):
            judge = fit_thresholds(likelihood, equal, certain, judge)
    terms = likelihood.terms(equal, certain, judge)
    information = graph.weigh(terms.weights, 0.0).diagonal
    noise = float(np.sqrt(2.0 * np.sum(information**2)))
    excess = float(np.sum(terms.gradient**2 - information))
    return excess < 2.0 * noise and noise > 32.0


def _expected_tau(mean: Floats, variance: Floats, sample: Floats) -> float:
    """Return the expected Kendall tau between the order of *mean* and the judge's consensus.

    Averaged by lag in the order, on lags that grow geometrically; draws (*sample*) say by how much
    differences of neighbours are more uncertain than *variance* has it.
    """
    n = len(mean)
    if n < 2:
        return 1.0
    order = np.argsort(-mean, kind="stable")
    mean, variance, sample = mean[order], variance[order], sample[order]
    near = np.unique(np.geomspace(1, max(1, n // 20), 6).astype(np.int64))
    found = sum(float(np.sum((sample[:-lag] - sample[lag:]) ** 2)) for lag in near)
    known = sum(float(np.sum(variance[:-lag] + variance[lag:])) for lag in near)
    growth = found / known / sample.shape[1]
    lags = np.unique(np.geomspace(1, n - 1, min(n - 1, 30)).astype(np.int64))
    agreed = [_agreement(mean, growth * variance, lag) for lag in lags]
    every = np.arange(1.0, n)
    agreement = np.interp(np.log(every), np.log(lags), agreed)
    return float(np.sum(agreement * (n - every)) / np.sum(n - every))


def _agreement(mean: Floats, variance: Floats, lag: int) -> float:
    gap = (mean[:-lag] - mean[lag:]) / np.sqrt(variance[:-lag] + variance[lag:])
    return float(np.mean(2.0 * ndtr(gap) - 1.0))


def rank_intervals(
    estimate: Estimate,
    precision: Precision,
    items: Ints,
    rng: np.random.Generator,
    *,
    draws: int = 32,
) -> tuple[Floats, Floats]:
    """Return both ends of the 90% interval of the rank of each of *items* (1 = best among them).

    Mean rank plus or minus Student's 95% quantile times the deviation over joint draws.
    """
    n = len(items)
    sample = (estimate.mean[:, None] + precision.draws(rng, draws))[items]
    ranks = np.empty((n, draws))
    np.put_along_axis(ranks, np.argsort(-sample, axis=0), np.arange(1.0, n + 1.0)[:, None], 0)
    middle = ranks.mean(1)
    reach = stdtrit(draws - 1, 0.95) * ranks.std(1, ddof=1)
    return np.clip(middle - reach, 1.0, n), np.clip(middle + reach, 1.0, n)
