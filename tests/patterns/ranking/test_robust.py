"""Strengths with a robust covariance: the estimates of others, and intervals that hold."""

from dataclasses import replace
from pathlib import Path

import choix
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.benchmarks.judgments import read_rankings
from commedia.patterns.ranking.likelihood import Floats, Ints, sigmoid
from commedia.patterns.ranking.robust import (
    Strengths,
    Verdicts,
    Worth,
    fit_robust,
    invert,
    root,
)

SYSTEMS = 6


def verdicts(
    rng: np.random.Generator,
    strength: Floats,
    rows: int,
    *,
    items: int = 0,
    spread: float = 0.0,
    bias: float = 0.0,
    tie: float = 0.0,
    much: float = 60.0,
) -> Verdicts:
    """Return simulated verdicts: items, if any, favour systems of their own by *spread*."""
    n = len(strength)
    one = rng.integers(0, n, rows)
    other = (one + rng.integers(1, n, rows)) % n
    cluster = rng.integers(0, items, rows) if items else np.arange(rows)
    own = spread * rng.standard_normal((items or rows, n))
    lead = rng.choice([-1.0, 1.0], rows)
    gap = strength[one] - strength[other] + own[cluster, one] - own[cluster, other]
    latent = gap + bias * lead + rng.logistic(size=rows)
    grade = np.sign(latent) * ((np.abs(latent) > tie) + 0 + (np.abs(latent) > much))
    return Verdicts(one, other, grade.astype(np.int64), lead, cluster, np.zeros(rows, np.int64))


def centred(mean: Floats) -> Floats:
    """Return strengths around 0: only their differences mean anything."""
    return np.asarray(mean - mean.mean())


@pytest.mark.parametrize("seed", range(3))
def test_plain_pairs_are_fitted_as_choix_fits_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    some = verdicts(rng, rng.standard_normal(SYSTEMS), 3000)

    won = np.where(some.grade > 0, some.one, some.other)
    lost = np.where(some.grade > 0, some.other, some.one)
    data = [tuple(pair) for pair in np.stack([won, lost], 1).tolist()]
    theirs = choix.ilsr_pairwise(SYSTEMS, data, alpha=1e-6)
    assert centred(fit_robust(SYSTEMS, some).mean) == pytest.approx(centred(theirs), abs=0.02)


def test_bias_and_thresholds_of_a_judge_are_found() -> None:
    rng = np.random.default_rng(1)
    strength = centred(rng.standard_normal(SYSTEMS))
    some = verdicts(rng, strength, 20_000, bias=0.8, tie=0.4, much=1.6)

    found = fit_robust(SYSTEMS, some)

    judge = found.judges[0]
    assert (judge.bias, judge.tie, judge.much) == pytest.approx((0.8, 0.4, 1.6), abs=0.06)
    assert abs(judge.bias - 0.8) < 3.0 * found.bias_errors[0] < 0.2
    assert centred(found.mean) == pytest.approx(strength, abs=0.1)


def test_a_judge_who_sees_half_as_sharply_is_half_as_keen() -> None:
    rng = np.random.default_rng(2)
    strength = rng.standard_normal(SYSTEMS)
    parts = [verdicts(rng, keen * strength, 8000, tie=0.2) for keen in (1.0, 0.5)]
    both = Verdicts.all(parts)
    judge = np.repeat([0, 1], 8000)

    found = fit_robust(
        SYSTEMS,
        Verdicts(both.one, both.other, both.grade, both.lead, np.arange(16_000), judge),
        judges=2,
    )

    assert found.judges[1].keen == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(("spread", "least", "most"), [(0.0, 0.8, 1.3), (1.5, 0.7, 1.35)])
def test_squared_errors_are_as_large_as_the_variances(
    spread: float, least: float, most: float
) -> None:
    """Also where verdicts about one item agree with each other more than a model expects; the
    model's own variances are too small then."""
    strength, ours, own = np.linspace(-1.0, 1.0, SYSTEMS), [], []
    upper = np.triu_indices(SYSTEMS, 1)
    shrunk = centred(_seen(strength, spread))
    for seed in range(60):
        some = verdicts(np.random.default_rng(seed), strength, 1200, items=60, spread=spread)
        found = fit_robust(SYSTEMS, some)
        gap, variance = found.gaps()
        error = ((gap - (shrunk[:, None] - shrunk[None, :])) ** 2)[upper]
        ours.append(error / variance[upper])
        own.append(error / unaware(found)[upper])

    assert least < np.mean(ours) < most
    assert np.mean(own) > (1.5 if spread else 0.7)


def unaware(found: Strengths) -> Floats:
    """Return the variances of all differences as the model has them, clusters or no."""
    return replace(found, covariance=found.own).gaps()[1]


def _seen(strength: Floats, spread: float) -> Floats:
    """Return the strengths that so many verdicts would fit: items that differ blur them."""
    some = verdicts(np.random.default_rng(99), strength, 100_000, items=100_000, spread=spread)
    return fit_robust(len(strength), some).mean


def test_a_verdict_said_twice_counts_once() -> None:
    """Copies of the verdicts about an item make nothing surer."""
    some = verdicts(np.random.default_rng(4), np.linspace(-1, 1, 4), 800, items=80)
    copies = Verdicts.all([some, some, some])
    once, thrice = fit_robust(4, some), fit_robust(4, copies)

    assert np.diag(thrice.gaps()[1], 1) == pytest.approx(np.diag(once.gaps()[1], 1), rel=0.1)
    assert np.diag(unaware(thrice), 1) == pytest.approx(np.diag(unaware(once), 1) / 3.0, rel=0.1)


def test_nothing_is_known_without_verdicts() -> None:
    found = fit_robust(4, Verdicts.all([]))

    assert not found.mean.any()
    assert found.tau(np.arange(4)) == pytest.approx(0.0, abs=1e-9)


def test_a_system_that_always_wins_has_a_finite_strength() -> None:
    rows = np.arange(50)
    some = Verdicts(rows * 0, rows * 0 + 1, rows * 0 + 1, np.ones(50), rows, rows * 0)

    found = fit_robust(2, some)

    assert 1.0 < found.mean[0] - found.mean[1] < 40.0
    assert np.isfinite(found.covariance).all()


def test_win_chances_are_those_of_the_decided_verdicts() -> None:
    """Whatever ties do to the strengths, how often the favourite wins is right."""
    rng = np.random.default_rng(5)
    strength = np.linspace(-1.5, 1.5, SYSTEMS)
    some = verdicts(rng, strength, 20_000)
    grade = np.where(rng.random(20_000) < 0.4, 0, some.grade)  # ties at random, far apart or not
    tied = Verdicts(some.one, some.other, grade, some.lead, some.cluster, some.judge)

    chance = fit_robust(SYSTEMS, tied).win_chances(some)

    gap = strength[some.one] - strength[some.other]
    assert chance == pytest.approx(sigmoid(gap), abs=0.05)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_matrix_times_its_inverse_is_one_and_its_root_squares_to_it(n: int, seed: int) -> None:
    part = np.random.default_rng(seed).standard_normal((n, n + 2))
    matrix = part @ part.T + 0.01 * np.eye(n)

    assert matrix @ invert(matrix) == pytest.approx(np.eye(n), abs=1e-6)
    assert root(matrix) @ root(matrix).T == pytest.approx(matrix, abs=1e-9)


def test_a_verdict_on_neighbours_in_doubt_is_worth_more() -> None:
    mean = np.array([2.0, 0.1, 0.0, -2.0])
    known = Strengths(mean, 0.05 * np.eye(4), 0.05 * np.eye(4), 1.5)
    worth = Worth(known, np.ones(4, np.bool_))

    gain = worth.gain()
    best = np.unravel_index(np.argmax(gain), gain.shape)
    assert set(best) == {1, 2}

    met: Ints = np.zeros((4, 4), np.int64)
    met[1, 2] = met[2, 1] = 100
    worth.expect(met.astype(np.float64))
    assert worth.gain()[1, 2] < 0.2 * gain[1, 2]


@pytest.mark.shared_data
def test_a_tenth_of_real_rankings_says_how_far_it_is_from_the_rest(shared_data: Path) -> None:
    n, some = read_rankings(
        shared_data / "judgments_unlicensed_facts" / "wmt13_human_rankings.parquet"
    )
    upper, errors = np.triu_indices(n, 1), []
    for seed in range(12):
        few = (np.random.default_rng(seed).random(int(some.cluster.max()) + 1) < 0.1)[some.cluster]
        one, rest = (fit_robust(n, some.take(np.flatnonzero(part))) for part in (few, ~few))
        (gap, variance), (true, its) = one.gaps(), rest.gaps()
        errors.append(float(np.mean(((gap - true) ** 2)[upper] / (variance + its)[upper])))

    assert 0.6 < np.mean(errors) < 1.5
