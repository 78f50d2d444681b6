"""Matches become requests: the same question again is a repetition, and reasons are not trusted."""

import numpy as np
import pyarrow as pa
import pytest

from commedia.actors.questions import Question
from commedia.actors.tables import CLOSED, INPUT, ITEMS, UNTRUSTED, batch
from commedia.supervisor.judging import Matter, integrity_of_answers, matches_of, requests_of


def requested(shown: list[list[int]], task: str, *, items: int = 5) -> pa.RecordBatch:
    columns = {"id": [str(n) for n in range(items)], "text": ["word"] * items}
    table = batch(ITEMS, columns, rows=items, integrity=UNTRUSTED, provenance=INPUT)
    matches = matches_of(pa.array(shown, pa.list_(pa.int32())), Question.parse(task))
    asked = {"first": 0, "path": "/map[]", "judges": ["a"], "by": ["worth"]}
    return requests_of(Matter(0, table), matches, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "repeat"),
    [
        ([[0, 1], [2, 3], [4, 0]], [0, 0, 0]),
        ([[0, 1], [1, 0], [0, 1], [2, 3], [0, 1], [1, 0]], [0, 0, 1, 0, 2, 1]),
        ([], []),
    ],
)
def test_votes_are_repetitions_of_one_order(shown: list[list[int]], repeat: list[int]) -> None:
    assert requested(shown, "pair").column("repeat").to_pylist() == repeat


def test_scores_of_one_item_are_repetitions_too() -> None:
    found = requested([[3], [1], [3]], "score")

    assert found.column("repeat").to_pylist() == [0, 0, 1]
    assert found.column("task").cast(pa.string()).to_pylist() == ["score"] * 3


def test_pairs_of_very_many_items_are_told_apart() -> None:
    many = 100_000
    rng = np.random.default_rng(0)
    shown = rng.integers(0, many, (50, 2)).tolist()

    assert requested(shown, "graded", items=many).column("repeat").to_pylist() == [0] * 50


@pytest.mark.parametrize(("task", "label"), [("pair", CLOSED), ("pair+why", UNTRUSTED)])
def test_reasons_are_free_text(task: str, label: int) -> None:
    assert integrity_of_answers(requested([[0, 1]], task)) == label
