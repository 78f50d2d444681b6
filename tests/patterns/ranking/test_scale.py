"""The prior's scale: found where outcomes show one, next to nothing where they show none."""

import numpy as np
import pytest

from commedia.patterns.ranking.evidence import Evidence
from commedia.patterns.ranking.graph import Graph
from commedia.patterns.ranking.likelihood import PairLikelihood
from commedia.patterns.ranking.scale import (
    OBVIOUS,
    SCALE_GUESS,
    SILENCE,
    Signal,
    fit_scale,
    measure_signal,
)


def signal_of(scale: float, bias: float, *, n: int = 200, each: int = 10, seed: int = 0) -> Signal:
    """Measure the signal in random pairs of items whose strengths have this *scale*."""
    rng = np.random.default_rng(seed)
    strength = scale * rng.standard_normal(n)
    first = rng.permuted(np.tile(np.arange(n), each))
    second = (first + rng.integers(1, n, len(first))) % n
    gap = strength[first] - strength[second] + bias + rng.logistic(size=len(first))
    likelihood = PairLikelihood(n, first, second, np.where(gap > 0, 1, -1))
    return measure_signal(Evidence({(0, "pair"): likelihood}), Graph(n, first, second), {})


@pytest.mark.parametrize("bias", [0.0, 0.8, 3.0])
def test_chance_is_no_signal_however_biased_the_judge(bias: float) -> None:
    signals = [signal_of(0.0, bias, seed=seed) for seed in range(10)]

    assert sum(signal.is_weak for signal in signals) >= 9
    assert abs(np.mean([signal.excess / signal.noise for signal in signals])) < 1.0


@pytest.mark.parametrize("scale", [0.5, 1.2, 4.0])
def test_a_judge_who_judges_is_seen(scale: float) -> None:
    signal = signal_of(scale, 0.4)

    assert not signal.is_weak
    assert signal.doubt < 0.01


def test_a_weak_signal_suggests_its_scale_and_a_strong_one_keeps_what_is_known() -> None:
    assert signal_of(0.3, 0.0, n=2000).start(0.001) == pytest.approx(0.3, abs=0.05)
    assert Signal(excess=0.0, noise=100.0).start(1.5) < 0.1
    assert Signal(excess=900.0, noise=100.0).start(1.5) == 1.5
    assert OBVIOUS.start(2.3) == 2.3


def test_without_signal_the_scale_is_next_to_nothing() -> None:
    mean, variance = np.full(50, 0.1), np.full(50, 0.2)

    assert fit_scale(mean, variance, 0.5, Signal(excess=1.0, noise=50.0)) == SILENCE


def test_the_scale_is_that_of_strengths_known_exactly() -> None:
    mean = np.random.default_rng(1).standard_normal(500) * 3.0

    assert fit_scale(mean, np.zeros(500), 1.0, OBVIOUS) == pytest.approx(mean.std(), rel=0.02)


def test_before_anything_is_known_the_guess_stands() -> None:
    nothing_seen = Signal(excess=0.0, noise=1e-6)
    variance = np.full(4, SCALE_GUESS**2)

    assert fit_scale(np.zeros(4), variance, SCALE_GUESS, nothing_seen) == pytest.approx(SCALE_GUESS)
