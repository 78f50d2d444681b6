"""The posterior over strengths and judge: Newton steps on arrays, joint draws, what they say."""

from dataclasses import dataclass, field, replace

import numpy as np

from .evidence import Evidence, Joint, Judges, measured_by_the_keenest
from .graph import Graph, Precision
from .likelihood import Bools, Floats, Ints, Judge, Key
from .scale import (
    OBVIOUS,
    SCALE_GUESS,
    SILENCE,
    Signal,
    fit_biases,
    fit_scale,
    measure_signal,
)

CLEAR = 0.5
"""From this predicted tau on nobody need ask whether there is an order at all."""

DRAWS, RANK_DRAWS = 4, 24
"""Joint draws: after each round for how uncertain differences are, at last for rank intervals."""

FEW, BEST_DRAWS = 64, 1000
"""Among so few items so many draws tell which is the best; among more, those for ranks do."""

COLD_STEPS, WARM_STEPS = 12, 6

CLOSE = 1e-2
"""Newton steps end when one moves the strengths by less than this share of their deviation."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A Gaussian posterior: means and variances of strengths, the prior's scale, the judges.

    *signal* says whether the outcomes differ between items by more than chance; *inflation* is how
    much larger variances are than the inverse of the precision's diagonal, *tau* the expected
    Kendall tau of the order of the means.
    """

    mean: Floats
    variance: Floats
    scale: float
    inflation: float
    tau: float
    judges: dict[Key, Judge] = field(default_factory=dict)
    signal: Signal = OBVIOUS

    @classmethod
    def prior(cls, n: int) -> "Estimate":
        """Return what is believed before the first outcome."""
        spread = np.full(n, SCALE_GUESS**2)
        return cls(np.zeros(n), spread, SCALE_GUESS, 1.2, float(n < 2))

    @property
    def judge(self) -> Judge:
        """What is fitted of the first judge's first kind of question."""
        return next(iter(self.judges.values()), Judge())


def fit(
    evidence: Evidence,
    graph: Graph,
    start: Estimate,
    rng: np.random.Generator,
    present: Bools | None = None,
) -> tuple[Estimate, Precision]:
    """Return the posterior given *evidence*, and its precision; *start* is where to begin.

    Predicted tau is that of the items *present* (default: all).
    In a few Newton steps the scale, the judges and the smoothing move along with the strengths.
    """
    signal = OBVIOUS if start.tau >= CLEAR else measure_signal(evidence, graph, start.judges)
    now = replace(start, scale=signal.start(start.scale), signal=signal)
    cold = not now.mean.any()
    spread = evidence.spread(1.0 / now.variance, np.zeros(graph.edges))
    for step in range(COLD_STEPS if cold else WARM_STEPS):
        now, spread, moved = _step(evidence, graph, now, spread, fits_scale=not cold or step >= 3)
        if step < 3:
            now = replace(now, judges=evidence.fit_thresholds(now.mean, spread, now.judges))
        if moved < CLOSE and step >= (5 if cold else 1):
            break
    precision = graph.weigh(evidence.terms(now.mean, spread, now.judges).weights, now.scale**-2)
    sample = precision.draws(rng, DRAWS)
    inflation = float(np.mean(sample**2 * precision.diagonal[:, None]))
    variance = np.minimum(inflation / precision.diagonal, now.scale**2)
    items = slice(None) if present is None else present
    tau = expected_tau(now.mean[items], 1.0 / precision.diagonal[items], sample[items])
    return replace(now, inflation=inflation, variance=variance, tau=tau), precision


def _step(
    evidence: Evidence, graph: Graph, now: Estimate, spread: Floats, *, fits_scale: bool
) -> tuple[Estimate, Floats, float]:
    joint = evidence.terms(now.mean, spread, now.judges)
    precision = graph.weigh(joint.weights, now.scale**-2)
    downhill = joint.gradient - now.mean / now.scale**2
    change = precision.solve(downhill[:, None], tolerance=3e-2)[:, 0]
    change *= min(1.0, 3.0 / max(float(np.abs(change).max(initial=0.0)), 1e-300))
    judges = fit_biases(joint, now.judges)
    mean = now.mean + change
    variance = np.minimum(now.inflation / precision.diagonal, now.scale**2)
    moved = float(np.sqrt(np.mean(change**2))) / max(float(np.std(mean)), SILENCE)
    moved += _how_far(now.judges, judges)
    now = replace(now, mean=mean, variance=variance, judges=judges)
    spread = evidence.spread(1.0 / variance, joint.weights)
    if fits_scale:
        scale = fit_scale(now.mean, now.variance, now.scale, now.signal)
        now = replace(now, scale=scale)
        if len(evidence.parts) > 1:
            judges = evidence.fit_keenness(now.mean, spread, joint, judges)
            now, unit = _measured(now, judges, joint)
            spread = unit**2 * spread
    return now, spread, moved


def _measured(now: Estimate, judges: Judges, joint: Joint) -> tuple[Estimate, float]:
    """Return *now* in units of the noise of the part that says most."""
    judges, unit = measured_by_the_keenest(joint, judges)
    mean, variance = unit * now.mean, unit**2 * now.variance
    return replace(now, mean=mean, variance=variance, scale=unit * now.scale, judges=judges), unit


def _how_far(before: Judges, after: Judges) -> float:
    """Return how far the biases of judges moved, the furthest of all."""
    moves = [
        abs(judge.bias - before.get(key, Judge()).bias) / (1.0 + abs(judge.bias))
        for key, judge in after.items()
    ]
    return max(moves, default=0.0)


def expected_tau(mean: Floats, variance: Floats, sample: Floats) -> float:
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
    lags = np.unique(np.geomspace(1, n - 1, min(n - 1, 24)).astype(np.int64))
    agreed = [_agreement(mean, growth * variance, lag) for lag in lags]
    every = np.arange(1.0, n)
    agreement = np.interp(np.log(every), np.log(lags), agreed)
    return float(np.sum(agreement * (n - every)) / np.sum(n - every))


def _agreement(mean: Floats, variance: Floats, lag: int) -> float:
    gap = (mean[:-lag] - mean[lag:]) / np.sqrt(variance[:-lag] + variance[lag:])
    from scipy.special import ndtr  # here, as matches are asked before it is needed

    return float(np.mean(2.0 * ndtr(gap) - 1.0))


def draw(
    estimate: Estimate, precision: Precision, items: Ints, rng: np.random.Generator, count: int
) -> Floats:
    """Return *count* joint draws of the strengths of *items*, as columns."""
    sample: Floats = (estimate.mean[:, None] + precision.draws(rng, count))[items]
    return sample


def best_chances(sample: Floats) -> Floats:
    """Return the share of draws (columns) in which each row of *sample* is the largest."""
    firsts = np.bincount(np.argmax(sample, axis=0), minlength=len(sample))
    return np.asarray(firsts / sample.shape[1], np.float64)


def rank_draws(sample: Floats) -> Floats:
    """Return the rank (1 = best) of each row of *sample* in each draw (column)."""
    ranks = np.empty(sample.shape)
    places = np.arange(1.0, len(sample) + 1.0)[:, None]
    np.put_along_axis(ranks, np.argsort(-sample, axis=0), places, 0)
    return ranks


def rank_intervals(sample: Floats) -> tuple[Floats, Floats]:
    """Return both ends of the 90% interval of the rank of each row of *sample* (1 = best).

    Mean rank plus or minus Student's 95% quantile times the deviation over joint draws.
    """
    n, count = sample.shape
    ranks = rank_draws(sample)
    middle = ranks.mean(1)
    from scipy.special import stdtrit

    reach = stdtrit(count - 1, 0.95) * ranks.std(1, ddof=1)
    return np.clip(middle - reach, 1.0, n), np.clip(middle + reach, 1.0, n)
