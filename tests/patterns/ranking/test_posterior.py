"""The fit finds the posterior that dense algebra finds, and its draws and ranks are its own."""

import choix
import numpy as np
import pytest
from scipy.stats import kendalltau

from commedia.actors.questions import Kind
from commedia.patterns.ranking.evidence import Evidence
from commedia.patterns.ranking.graph import Graph
from commedia.patterns.ranking.likelihood import (
    FAR,
    Judge,
    Likelihood,
    ListLikelihood,
    PairLikelihood,
)
from commedia.patterns.ranking.posterior import Estimate, draw, fit, rank_intervals
from commedia.patterns.ranking.schedule import places
from commedia.patterns.ranking.thresholds import fit_thresholds


def pairs(n: int, count: int, rng: np.random.Generator, judge: Judge) -> PairLikelihood:
    """Judge *count* random pairs of items with strengths spread over [-2, 2]."""
    first = rng.integers(0, n, count)
    second = (first + rng.integers(1, n, count)) % n
    strength = np.linspace(2, -2, n)
    gap = strength[first] - strength[second] + judge.bias + rng.logistic(size=count)
    size = np.abs(gap)
    grade = np.sign(gap) * np.where(size < judge.tie, 0, np.where(size < judge.much, 1, 2))
    return PairLikelihood(n, first, second, grade.astype(np.int64))


def lists(n: int, count: int, size: int, rng: np.random.Generator, slope: float) -> ListLikelihood:
    """Judge *count* random lists; the judge prefers what is shown early by *slope*."""
    shown = rng.random((count, n)).argsort(1)[:, :size]
    value = np.linspace(2, -2, n)[shown] + slope * places(size) + rng.gumbel(size=shown.shape)
    order = np.argsort(-value, 1)
    where = np.take_along_axis(np.broadcast_to(places(size), shown.shape), order, 1)
    ranked = np.take_along_axis(shown, order, 1)
    return ListLikelihood(n, ranked.T, np.full(count, size), where.T)


def evidence_of(likelihood: Likelihood) -> Evidence:
    kind: Kind = "list" if isinstance(likelihood, ListLikelihood) else "graded"
    return Evidence({(0, kind): likelihood})


def fitted(likelihood: Likelihood, n: int) -> Estimate:
    """Fit again and again, as rounds do, until nothing moves."""
    graph = Graph(n, *likelihood.edges())
    estimate = Estimate.prior(n)
    for _ in range(20):
        estimate, _ = fit(evidence_of(likelihood), graph, estimate, np.random.default_rng(0))
    return estimate


def dense_newton(likelihood: Likelihood, n: int, estimate: Estimate) -> np.ndarray:
    """Solve for the strengths by plain dense Newton steps, all else as *estimate* has it."""
    one, other = likelihood.edges()
    mean, prior = np.zeros(n), estimate.scale**-2
    spread = likelihood.spread(np.full(n, prior), np.zeros(len(one)))
    for _ in range(60):
        terms = likelihood.terms(mean, spread, estimate.judge)
        matrix = np.diag(np.full(n, prior))
        np.add.at(matrix, (one, one), terms.weights)
        np.add.at(matrix, (other, other), terms.weights)
        np.add.at(matrix, (one, other), -terms.weights)
        np.add.at(matrix, (other, one), -terms.weights)
        mean = mean + np.linalg.solve(matrix, terms.gradient - prior * mean)
        variance = np.minimum(estimate.inflation / np.diag(matrix), estimate.scale**2)
        spread = likelihood.spread(1 / variance, terms.weights)
    return mean


@pytest.mark.parametrize("question", ["pair", "graded", "list"])
def test_the_fit_agrees_with_dense_newton(question: str) -> None:
    rng = np.random.default_rng(1)
    likelihood: Likelihood
    if question == "list":
        likelihood = lists(100, 150, 10, rng, 0.6)
    else:
        judge = Judge(0.4) if question == "pair" else Judge(0.4, 0.3, 2.0)
        likelihood = pairs(100, 1500, rng, judge)
    estimate = fitted(likelihood, 100)

    dense = dense_newton(likelihood, 100, estimate)

    assert np.abs(estimate.mean - dense).max() < 1e-3 * np.ptp(dense)


def test_plain_pairs_are_ordered_as_choix_orders_them() -> None:
    rng = np.random.default_rng(2)
    likelihood = pairs(60, 3000, rng, Judge())
    won = likelihood.grade > 0
    data = np.where(
        won, (likelihood.first, likelihood.second), (likelihood.second, likelihood.first)
    )
    theirs = choix.ilsr_pairwise(60, [tuple(row) for row in data.T], alpha=1e-3)

    ours = fitted(likelihood, 60).mean

    assert kendalltau(ours, theirs).statistic > 0.98
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999


@pytest.mark.parametrize("bias", [-0.8, 0.0, 1.5])
def test_the_judges_bias_and_thresholds_are_recovered(bias: float) -> None:
    likelihood = pairs(100, 6000, np.random.default_rng(3), Judge(bias, 0.4, 2.0))

    judge = fitted(likelihood, 100).judge

    assert judge.bias == pytest.approx(bias, abs=0.15)
    assert judge.tie == pytest.approx(0.4, abs=0.06)
    assert judge.much == pytest.approx(2.0, abs=0.15)


def test_the_slope_of_lists_and_the_scale_are_recovered() -> None:
    estimate = fitted(lists(100, 600, 8, np.random.default_rng(4), 0.6), 100)

    assert estimate.judge.bias == pytest.approx(0.6, abs=0.12)
    assert estimate.scale == pytest.approx(np.linspace(2, -2, 100).std(), abs=0.15)


def test_thresholds_are_absent_where_grades_do_not_use_them() -> None:
    likelihood = pairs(20, 300, np.random.default_rng(5), Judge())

    judge = fit_thresholds(likelihood, np.zeros(20), np.zeros(300), Judge(0.2, 0.3, 2.0))

    assert judge == Judge(0.2, 0.0, FAR)


def test_draws_have_the_inverse_precision_as_covariance() -> None:
    rng = np.random.default_rng(6)
    one = rng.integers(0, 8, 40)
    other = (one + rng.integers(1, 8, 40)) % 8
    weights = rng.random(40)
    matrix = np.diag(np.full(8, 0.5))
    for a, b, weight in zip(one, other, weights, strict=True):
        matrix[[a, b], [a, b]] += weight
        matrix[[a, b], [b, a]] -= weight

    draws = Graph(8, one, other).weigh(weights, 0.5).draws(rng, 40_000)

    assert np.abs(np.cov(draws) - np.linalg.inv(matrix)).max() < 0.02


def test_unranked_items_of_a_list_share_the_last_place() -> None:
    ranked = np.array([[0], [1], [2], [3]])
    likelihood = ListLikelihood(4, ranked, np.array([2]), places(4)[:, None])
    estimate, _ = fit(
        evidence_of(likelihood),
        Graph(4, *likelihood.edges()),
        Estimate.prior(4),
        np.random.default_rng(7),
    )

    assert estimate.mean[0] > estimate.mean[1] > estimate.mean[2]
    assert estimate.mean[2] == pytest.approx(estimate.mean[3], abs=0.05)


def test_rank_intervals_are_ranks_and_contain_the_mean_rank() -> None:
    likelihood = pairs(50, 600, np.random.default_rng(8), Judge())
    graph = Graph(50, *likelihood.edges())
    start, rng = Estimate.prior(50), np.random.default_rng(0)
    estimate, precision = fit(evidence_of(likelihood), graph, start, rng)

    sample = draw(estimate, precision, np.arange(50), np.random.default_rng(1), 24)
    low, high = rank_intervals(sample)

    assert np.all((low >= 1) & (low <= high) & (high <= 50))
    rank = np.argsort(np.argsort(-estimate.mean)) + 1
    assert np.all((low - 1 <= rank) & (rank <= high + 1))
