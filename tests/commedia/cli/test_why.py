"""Why an item has its rank: every match is told from its side."""

from typing import Any

import pytest

from commedia.cli.why import explain, meetings


def match(**values: Any) -> dict[str, Any]:
    """Return a row of a run's matches."""
    row = {"round": 1, "question": "pair", "status": "ok", "grade": None, "order": None}
    return {**row, **values}


RANKS = {"a": 1, "b": 2, "c": 3, "d": 4}


@pytest.mark.parametrize(
    ("grade", "first", "second"),
    [
        (2, "much more than", "much less than"),
        (1, "more than", "less than"),
        (0, "a tie with", "a tie with"),
        (-1, "less than", "more than"),
        (-2, "much less than", "much more than"),
    ],
)
def test_a_grade_is_seen_from_the_item_shown_first(grade: int, first: str, second: str) -> None:
    rows = [match(ids=["a", "b"], question="graded", grade=grade)]
    (of_a,), (of_b,) = meetings(rows, "a"), meetings(rows, "b")

    assert (of_a.answer, of_b.answer) == (first, second)
    assert (of_a.place_shown, of_b.place_shown) == (1, 2)
    assert of_a.above == (("b",) if grade > 0 else ())
    assert of_b.above == (("a",) if grade < 0 else ())
    assert of_a.level == (("b",) if grade == 0 else ())


def test_a_list_puts_an_item_between_others() -> None:
    rows = [match(ids=["d", "c", "b", "a"], question="list:4", order=["b", "a", "c", "d"])]

    (met,) = meetings(rows, "a")

    assert (met.answer, met.place_shown) == ("place 2 of 4", 4)
    assert (met.below, met.above) == (("b",), ("c", "d"))
    assert met.against(RANKS, "a") == 1


def test_what_a_prefix_leaves_out_stands_below_it() -> None:
    rows = [match(ids=["a", "b", "c"], question="list:3", order=["c"])]
    (of_a,), (of_c,) = meetings(rows, "a"), meetings(rows, "c")

    assert (of_a.below, of_a.above, of_a.answer) == (("c",), (), "not among the best 1 of 3")
    assert of_c.above == ("a", "b")


def test_those_nearest_to_an_item_are_named_with_how_it_fared() -> None:
    rows = [
        match(ids=["b", "c"], grade=1),
        match(ids=["c", "b"], grade=1),
        match(ids=["a", "b"], grade=1),
    ]
    lines = explain(
        {"id": "b", "rank": 2, "rank_low": 1.0, "rank_high": 3.0, "score": 0.5},
        meetings(rows, "b"),
        RANKS,
    )

    assert (
        "nearest that it met: a (rank 1) above it 1 of 1 times; c (rank 3) above it 1 of 2 times"
        in lines
    )


def test_a_match_without_an_answer_says_nothing_but_that() -> None:
    rows = [match(ids=["a", "b"], status="timeout"), match(ids=["b", "c"], grade=1)]

    (met,) = meetings(rows, "a")

    assert (met.above, met.below, met.level, met.answer) == ((), (), (), "")


def test_the_explanation_counts_and_marks_surprises() -> None:
    rows = [
        match(ids=["a", "b"], grade=1),
        match(ids=["c", "b"], round=2, grade=1),
        match(ids=["b", "d"], round=2, status="refused"),
    ]
    item = {"id": "b", "rank": 2, "rank_low": 1.2, "rank_high": 3.4, "score": 0.5}

    lines = explain(item, meetings(rows, "b"), RANKS)

    assert lines == [
        "b: rank 2 of 4 (90% interval 1 - 3), score 0.500",
        "3 matches: put above 0 others, below 2, level with 0; 1 without an answer",
        "1 of these 2 verdicts stand against the final order",
        "nearest that it met: a (rank 1) above it 1 of 1 times; c (rank 3) above it 1 of 1 times",
        "",
        "round 1, pair, shown 2nd: less than a (rank 1)",
        "round 2, pair, shown 2nd: less than c (rank 3)   [against the final order]",
        "round 2, pair, shown 1st: no answer (refused)",
    ]
