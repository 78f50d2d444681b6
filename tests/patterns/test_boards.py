"""A leaderboard says what verdicts say, no more surely than they say it."""

import numpy as np
import pyarrow as pa
import pytest

from commedia.actors.tables import OUTCOMES
from commedia.patterns.boards import (
    Judged,
    Rows,
    board_of_verdicts,
    shares_of,
    verdicts_of,
    winners_of,
    wins_of,
)
from commedia.patterns.ranking.robust import Verdicts

ROWS = Rows(np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1]), 3, 2)


def outcomes(*answers: dict[str, object]) -> pa.RecordBatch:
    """Return *answers* as OUTCOMES."""
    whole = {
        "task": "pair",
        "judge": 0,
        "criterion": 0,
        "status": "ok",
        "grade": None,
        "order": None,
    }
    rows = [{**whole, **answer} for answer in answers]
    columns = [pa.array([row[f.name] for row in rows]).cast(f.type) for f in OUTCOMES]
    return pa.record_batch(columns, schema=OUTCOMES)


def test_pairs_and_lists_are_verdicts_on_systems_and_failures_are_none() -> None:
    judged = verdicts_of(
        outcomes(
            {"shown": [1, 0], "grade": 2},
            {"shown": [3, 4, 5], "order": [5, 3]},
            {"shown": [4, 5], "status": "refused"},
        ),
        ROWS,
    )

    v = judged.verdicts
    found = list(
        zip(*(c.tolist() for c in (v.one, v.other, v.grade, v.lead, v.cluster)), strict=True)
    )
    assert found == [
        (1, 0, 2, 1.0, 0),
        (2, 0, 1, -1.0, 1),
        (2, 1, 1, -0.5, 1),
        (0, 1, 1, 0.5, 1),
    ]


def test_wins_ties_and_shares_are_counted() -> None:
    judged = verdicts_of(
        outcomes(
            {"shown": [0, 1], "grade": 1},
            {"shown": [1, 2], "grade": 0},
            {"shown": [2, 0], "grade": 2},
            {"shown": [3, 4], "grade": -1},
        ),
        ROWS,
    )

    wins, ties = wins_of(judged.verdicts, 3)
    share, pairs = shares_of(judged, ROWS, [1.0])
    assert wins.tolist() == [[0, 1, 0], [1, 0, 0], [1, 0, 0]]
    assert ties.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert np.nan_to_num(share, nan=-1).tolist() == [[0.5, 0.25, 0.75], [0.0, 1.0, -1.0]]
    assert pairs.tolist() == [[2, 2, 2], [1, 1, 0]]
    assert winners_of(share) == [2, 1]


@pytest.mark.parametrize(
    ("row", "winner"),
    [([0.5, 0.5], None), ([np.nan, np.nan], None), ([np.nan, 0.0], 1), ([0.2, 0.9], 1)],
)
def test_an_item_has_a_winner_where_a_single_one_did_best(
    row: list[float], winner: int | None
) -> None:
    assert winners_of(np.array([row])) == [winner]


def test_a_system_that_was_never_compared_has_no_score() -> None:
    board = board_of_verdicts(
        verdicts_of(outcomes({"shown": [0, 1], "grade": 1}), ROWS), 3, [1.0], judges=1, seed=0
    )

    assert np.isnan(board.score).tolist() == [False, False, True]
    assert board.order == [0, 1, 2]
    assert board.score[:2].sum() == pytest.approx(0)


def test_nothing_answered_is_a_board_without_scores() -> None:
    board = board_of_verdicts(verdicts_of(outcomes(), ROWS), 3, [0.5, 0.5], judges=1, seed=0)

    assert np.isnan(board.score).all()
    assert board.order == [0, 1, 2]


def played(rng: np.random.Generator, strength: np.ndarray, *, items: int, criteria: int) -> Judged:
    """Return verdicts on all pairs of systems on each item, which moves all that is said of it."""
    found = []
    for criterion in range(criteria):
        for item in range(items):
            moved = strength + rng.normal(0, 0.5, len(strength))
            for one in range(len(strength)):
                for other in range(one):
                    p = 1 / (1 + np.exp(moved[other] - moved[one]))
                    found.append((one, other, 1 if rng.random() < p else -1, item, criterion))
    one, other, grade, item, criterion = np.array(found).T
    zero = np.zeros(len(one))
    return Judged(Verdicts(one, other, grade, zero, item, zero.astype(np.int64)), criterion)


@pytest.mark.parametrize("criteria", [1, 2])
def test_intervals_cover_the_differences_about_as_often_as_they_say(criteria: int) -> None:
    """Of rank: the truth is inside 90% intervals in 80 to 100% of cases, seeded."""
    strength = np.array([-0.8, -0.2, 0.3, 0.7])
    inside = []
    for draw in range(30 // criteria):
        judged = played(np.random.default_rng([draw, 7]), strength, items=25, criteria=criteria)
        weights = [1.0 / criteria] * criteria
        board = board_of_verdicts(judged, 4, weights, judges=1, seed=draw)
        rank = np.argsort(np.argsort(-strength)) + 1
        inside += ((board.rank_low <= rank + 0.5) & (rank - 0.5 <= board.rank_high)).tolist()

    assert 0.8 <= np.mean(inside) <= 1.0
