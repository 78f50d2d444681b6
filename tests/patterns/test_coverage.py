"""Whether an answer holds an item is looked up, in whatever shape the answer has."""

from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from commedia.patterns.coverage import held_by, quoted_in


class Cause(BaseModel):
    service: str
    rows: list[str] = []


@dataclass(frozen=True)
class Report:
    causes: tuple[Cause, ...]


A, B, C = Cause(service="a"), Cause(service="b", rows=["1"]), Cause(service="c")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([C, A], [0, 2]),
        ({"best": A, "rest": [B]}, [0, 1]),
        (Report((A, B)), [0, 1]),
        ({"a": 1}, []),
        (3, []),
    ],
    ids=str,
)
def test_values_are_found_wherever_they_stand(answer: object, expected: list[int]) -> None:
    assert held_by(answer, [A, B, C]) == expected


def test_long_texts_are_found_inside_a_text_and_short_ones_only_as_a_whole() -> None:
    answer = {"text": "We hold that THE CART SERVICE IS SLOW, and more.", "tags": ["Cold"]}

    assert quoted_in(answer, ["the cart service is slow", "cold", "old", "hold"]) == {0, 1}
