"""Rows that are alike: every row in one group, and groups in the order of their columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.grouping import alike


@pytest.mark.parametrize(
    ("columns", "groups"),
    [
        ([[]], []),
        ([[7]], [[0]]),
        ([[1, 1, 1], [2, 2, 2]], [[0, 1, 2]]),
        ([[1, 0, 1, 0]], [[1, 3], [0, 2]]),
        ([[1, 1, 0], [5, 4, 9]], [[2], [1], [0]]),
    ],
)
def test_rows_are_grouped_by_all_columns(columns: list[list[int]], groups: list[list[int]]) -> None:
    found = alike(*(np.array(column, np.int64) for column in columns))

    assert [group.tolist() for group in found] == groups


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2)), max_size=30))
def test_every_row_is_in_the_group_of_its_kind(rows: list[tuple[int, int]]) -> None:
    pairs = np.array(rows, np.int64).reshape(-1, 2)

    groups = alike(pairs[:, 0], pairs[:, 1])

    expected = {kind: [p for p, row in enumerate(rows) if row == kind] for kind in sorted({*rows})}
    assert [group.tolist() for group in groups] == list(expected.values())
