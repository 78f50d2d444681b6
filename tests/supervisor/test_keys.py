"""A step's key: the same for the same code and content, and none where content cannot be told."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from commedia.supervisor.keys import key_of


def scaled(x: int, by: int = 2) -> int:
    return x * by


def closing(n: int) -> Any:
    return lambda x: x + n


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((scaled, {"x": 1}), (scaled, {"x": 2})),
        ((closing(1), {"x": 1}), (closing(2), {"x": 1})),
        ((partial(scaled, 1), {}), (partial(scaled, 2), {})),
        ((scaled, {"x": pa.table({"a": [1]})}), (scaled, {"x": pa.table({"a": [2]})})),
        ((scaled, {"x": Path("a")}), (scaled, {"x": Path("b")})),
        ((scaled, {"x": 1}), (closing(1), {"x": 1})),
    ],
    ids=["argument", "closure", "partial", "table", "path", "function"],
)
def test_another_call_has_another_key(one: Any, other: Any) -> None:
    assert key_of(*one) == key_of(*one) is not None
    assert key_of(*one) != key_of(*other)


@pytest.mark.parametrize("value", [np.zeros(5_000), object()], ids=["array", "object"])
def test_what_has_no_content_that_can_be_told_has_no_key(value: Any) -> None:
    assert key_of(scaled, {"x": value}) is None
    assert key_of(closing(value), {"x": 1}) is None
