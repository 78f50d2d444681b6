"""Scores of single outputs: what is missing moves nobody, and what is equal is not told apart."""

import numpy as np
import pytest

from commedia.patterns.intervals import wilson
from commedia.patterns.value_board import adjusted, board_of_values, unit_of

NAN = float("nan")


def test_a_mean_of_values_has_an_interval_that_narrows_with_items() -> None:
    values = np.tile([[1.0, 7.0], [3.0, 8.0], [2.0, NAN]], (10, 1))

    few = board_of_values(values[:6], is_share=False, seed=0)
    many = board_of_values(values, is_share=False, seed=0)

    assert few.score == pytest.approx([2.0, 7.5]) and many.score == pytest.approx([2.0, 7.5])
    assert (many.high - many.low < few.high - few.low).all()
    assert many.order == [1, 0]
    assert many.rank_low == pytest.approx([2.0, 1.0]) == many.rank_high


def test_with_every_value_the_score_is_the_mean() -> None:
    values = np.random.default_rng(3).normal(size=(40, 5))

    found = adjusted(values)

    assert found.score == pytest.approx(values.mean(0))
    assert (found.pull**2).sum(0) == pytest.approx(values.var(0) / 40)


@pytest.mark.parametrize("is_share", [True, False])
def test_equal_systems_share_their_ranks(is_share: bool) -> None:
    values = np.repeat([[1.0]] * 18 + [[0.0]] * 12, 3, axis=1)

    board = board_of_values(values, is_share=is_share, seed=0)

    assert board.score == pytest.approx([0.6] * 3)
    assert board.rank_low.tolist() == [1.0] * 3 and board.rank_high.tolist() == [3.0] * 3
    assert board.p_best == pytest.approx([1 / 3] * 3, abs=0.05)


def test_three_items_that_agree_are_no_certainty() -> None:
    values = np.tile([[1.0, 0.0]], (3, 1))

    board = board_of_values(values, is_share=True, seed=0)

    assert 0.9 < board.p_best[0] < 0.99


def test_what_is_missing_moves_nobody() -> None:
    """One that is worse wherever both have an output is worse, though it has the easy items."""
    values = np.array([[9.0, 8.0]] * 10 + [[4.0, NAN]] * 10)

    board = board_of_values(values, is_share=False, seed=0)

    assert board.score == pytest.approx([6.5, 5.5])
    assert board.p_best[0] > 0.95
    assert board.parts[:, 0] == pytest.approx([6.5, 5.5])


def test_systems_without_a_common_item_are_not_told_apart() -> None:
    """However far their means lie apart; those that are connected are."""
    values = np.array([[9.0, 5.0, NAN]] * 20 + [[NAN, NAN, 1.0]] * 20)

    board = board_of_values(values, is_share=False, seed=0)

    assert adjusted(values).group.tolist() == [0, 0, 1]
    assert board.score == pytest.approx([9.0, 5.0, 1.0])
    assert (board.rank_low[2], board.rank_high[2]) == (1.0, 3.0)
    assert board.p_best == pytest.approx([0.5, 0.0, 0.5], abs=0.05)


def test_rank_intervals_hold_where_outputs_are_missing_by_difficulty() -> None:
    """Of ranks: the truth is inside 90% intervals in 80 to 100% of cases, seeded."""
    strength = np.array([-0.5, -0.2, 0.1, 0.6])
    held = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        hard = rng.normal(0, 2, 30)
        values = strength + hard[:, None] + rng.normal(0, 1, (30, 4))
        values[hard < 0, 0] = NAN  # the worst shirks what is hard
        values[rng.random((30, 4)) < 0.2] = NAN
        board = board_of_values(values, is_share=False, seed=seed)
        rank = np.argsort(np.argsort(-strength)) + 1
        held += ((board.rank_low - 0.5 <= rank) & (rank <= board.rank_high + 0.5)).tolist()

    assert 0.8 <= np.mean(held) <= 1.0


def test_a_share_of_all_is_not_certain() -> None:
    board = board_of_values(np.tile([[1.0, 0.0]], (9, 1)), is_share=True, seed=0)

    assert board.high[0] == pytest.approx(1.0) and 0.7 < board.low[0] < 0.8
    assert (board.low[0], board.high[0]) == pytest.approx(wilson(9, 9))


def test_an_adjusted_share_is_no_surer_than_its_own_values() -> None:
    values = np.array([[1.0, 1.0]] * 6 + [[0.0, 0.0]] * 6 + [[1.0, NAN]] * 12)

    board = board_of_values(values, is_share=True, seed=0)

    low, high = wilson(9, 12)
    assert board.score == pytest.approx([0.75, 0.75])
    assert board.low[1] <= low + 1e-9 and board.high[1] >= high - 1e-9


def test_a_system_without_a_value_has_no_score_and_comes_last() -> None:
    values = np.array([[NAN, 1.0], [NAN, 2.0]])
    board = board_of_values(values, is_share=False, seed=0)

    assert np.isnan(board.score[0]) and board.score[1] == 1.5
    assert board.order == [1, 0]


def test_nothing_scored_is_a_board_without_scores() -> None:
    board = board_of_values(np.full((3, 2), NAN), is_share=True, seed=0)

    assert np.isnan(board.score).all() and np.isnan(board.parts).all()


@pytest.mark.parametrize(
    ("values", "unit"), [([1, 0, 0, 1], 1), ([8, 7, NAN], 1), ([4, 4], 1), ([0, 10, 20], 40 / 3)]
)
def test_the_unit_is_how_far_values_that_differ_are_apart(values: list[float], unit: float) -> None:
    assert unit_of(np.array([values])) == pytest.approx(unit)
