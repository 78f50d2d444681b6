"""Scores against a truth are fair to its ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau

from commedia.patterns.ranking import score_against
from commedia.patterns.ranking.score import FEW, tau_b


def test_the_truth_itself_scores_the_most_there_is() -> None:
    truth = np.random.default_rng(0).standard_normal(50)

    score = score_against(truth, 3 * truth + 1)

    assert score.tau_b == pytest.approx(1.0)
    assert score.tau_b_cap == 1.0
    assert score.recall_at_10 == 1.0
    assert score.ndcg_at_10 == pytest.approx(1.0)
    assert score_against(truth, -truth).tau_b == pytest.approx(-1.0)
    assert score_against(truth, -truth).recall_at_10 == 0.0


def test_the_cap_is_what_an_order_without_ties_can_reach() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 5, 200).astype(float)
    best = truth + 0.1 * rng.random(200)

    score = score_against(truth, best)

    assert score.tau_b == pytest.approx(score.tau_b_cap)
    assert score.tau_b_cap < 1.0
    assert score.tau_b == pytest.approx(kendalltau(truth, best).statistic)


@given(arrays(np.float64, (2, 30), elements=st.integers(-4, 4).map(float)))
def test_tau_b_has_its_usual_meaning(both: np.ndarray) -> None:
    truth, scores = both
    if np.ptp(truth) and np.ptp(scores):
        assert tau_b(truth, scores) == pytest.approx(kendalltau(truth, scores).statistic)


def test_tau_b_is_the_same_for_many_items() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat(rng.integers(0, 20, FEW).astype(float), 2)
    scores = np.repeat(truth[::2] + rng.standard_normal(FEW), 2)

    # Each item twice: tau-b of the halves, less what ties of the twins are worth.
    assert tau_b(truth[::2], scores[::2]) == pytest.approx(tau_b(truth, scores), abs=1e-3)


def test_any_of_the_items_tied_at_the_tenth_place_counts_for_recall() -> None:
    truth = np.array([1.0] * 30 + [0.0] * 30)

    assert score_against(truth, np.arange(60.0)[::-1]).recall_at_10 == 1.0
    assert score_against(truth, np.roll(np.arange(60.0)[::-1], 25)).recall_at_10 == 0.5
    assert score_against(truth, np.arange(60.0)).recall_at_10 == 0.0


def test_ndcg_does_not_depend_on_which_of_the_tied_comes_first() -> None:
    truth = np.repeat([3.0, 2.0, 1.0, 0.0], 10)
    scores = np.random.default_rng(2).random((5, 40)) * 0.1 + truth

    assert len({round(score_against(truth, row).ndcg_at_10, 12) for row in scores}) == 1


def test_fewer_than_ten_items_are_scored_on_all_of_them() -> None:
    assert score_against(np.arange(4.0), np.arange(4.0)).recall_at_10 == 1.0


@pytest.mark.parametrize("n", [0, 1, 5])
def test_nothing_to_tell_apart_scores_no_agreement(n: int) -> None:
    score = score_against(np.ones(n), np.arange(float(n)))

    assert (score.tau_b, score.tau_b_cap) == (0.0, 0.0)
