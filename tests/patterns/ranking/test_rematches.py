"""The same systems meet again on an item in every other way there is, as long as that teaches."""

from collections import Counter

import numpy as np
import pytest

from commedia.patterns.ranking.rematches import Rematches, Seen, teaches
from commedia.patterns.ranking.robust import Strengths, Worth

ALL = np.ones(6, np.bool_)
SYSTEM = np.array([0, 1, 2, 0, 1, 2])


def worth() -> Worth:
    """Return what matches are worth before anything is known."""
    return Worth(Strengths.unknown(3), np.ones(3, np.bool_))


def again(judges: int) -> Rematches:
    """Return three meetings on two items."""
    found = Rematches(SYSTEM, 3, judges)
    found.note(np.array([[0, 1], [4, 3]]), np.array([0, judges - 1]))
    found.note(np.array([[2, 1, 0]]), np.array([0]))
    return found


@pytest.mark.parametrize("judges", [1, 2, 3, 4])
def test_each_judge_sees_a_set_in_both_orders_and_no_more(judges: int) -> None:
    ways = Counter({(0, 0, 1): 1, (judges - 1, 4, 3): 1, (0, 2, 1, 0): 1})
    meetings, rng = again(judges), np.random.default_rng(1)
    while found := meetings.hand_out(worth(), 2, ALL, rng):
        for rows, judge in found:
            ways.update((int(j), *row) for j, row in zip(judge, rows.tolist(), strict=True))

    assert set(ways.values()) == {1}
    assert len(ways) == 3 * meetings.most == 3 * 2 * judges
    assert not meetings.is_open(ALL)


def test_another_judge_is_asked_before_the_same_one_again() -> None:
    meetings = again(3)
    rng = np.random.default_rng(1)

    seen = [dict(_first(meetings.hand_out(worth(), 3, ALL, rng))) for _ in range(2)]

    assert [each[frozenset((0, 1))] for each in seen] == [1, 2]


def _first(found: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[frozenset[int], int]]:
    return [
        (frozenset(row), int(by))
        for rows, judge in found
        for row, by in zip(rows.tolist(), judge, strict=True)
    ]


def test_a_set_meets_once_in_a_round_and_never_without_all_its_outputs() -> None:
    meetings = again(3)
    rows = ALL.copy()
    rows[2] = False

    found = meetings.hand_out(worth(), 99, rows, np.random.default_rng(0))

    assert [frozenset(row) for shown, _ in found for row in shown.tolist()].count(
        frozenset((0, 1))
    ) == 1
    assert {row for shown, _ in found for row in shown.ravel().tolist()} == {0, 1, 3, 4}


def test_what_tells_more_is_drawn_more_often() -> None:
    system = np.tile([0, 1, 2], 40)
    meetings = Rematches(system, 3, 3)
    rows = np.arange(120).reshape(40, 3)
    meetings.note(rows[:, :2], np.zeros(40, np.int64))
    meetings.note(rows[:, 1:], np.zeros(40, np.int64))
    mean = np.array([0.1, 0.0, -9.0])
    now = Strengths(mean, 0.3 * np.eye(3), 0.3 * np.eye(3), 1.0)

    [(shown, _)] = meetings.hand_out(
        Worth(now, np.ones(3, np.bool_)), 20, np.ones(120, np.bool_), np.random.default_rng(0)
    )

    assert np.mean(system[shown].max(1) == 1) > 0.9


NOTHING_YET: list[dict[int, float]] = [{}, {40: 1.0}, {40: 1.0, 50: 1.0}, {20: 1.0, 50: 0.9}]
GOES_ON: list[dict[int, float]] = [*NOTHING_YET, {40: 1.0, 60: 0.67}]
IS_OVER = [{40: 1.0, 60: 0.97}, {40: 1.0, 60: 1.2}, {40: 1.0, 60: 0.6, 100: 0.58}]


@pytest.mark.parametrize(
    ("variances", "goes_on"), [*((v, True) for v in GOES_ON), *((v, False) for v in IS_OVER)]
)
def test_it_teaches_as_long_as_variances_fall(
    variances: dict[int, float], *, goes_on: bool
) -> None:
    history = [Seen(asked, variance) for asked, variance in variances.items()]

    assert teaches(history, once=40) is goes_on
