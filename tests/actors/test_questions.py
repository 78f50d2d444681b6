"""A question is read as it is written, or refused in one sentence."""

import pytest

from commedia.actors.errors import UsageError
from commedia.actors.questions import Question


@pytest.mark.parametrize(
    "text", ["pair", "graded", "score", "list:2", "list:50", "pair+why", "list:10+why"]
)
def test_a_question_reads_as_it_is_written(text: str) -> None:
    assert str(Question.parse(text)) == text


def test_a_list_has_a_size_and_a_pair_is_of_two() -> None:
    assert Question.parse("list:10") == Question("list", 10)
    assert Question.parse("pair").size == Question.parse("graded").size == 2


@pytest.mark.parametrize(
    "text",
    [
        *("", "Pair", "pair ", "pairs", "pair:2", "list", "list:", "list:1", "list:51", "list:-3"),
        *(
            "list:2.0",
            "list:3:4",
            "list: 3",
            "list:x",
            "pair+why+why",
            "+why",
            "list:\xb2",
            "list:\u0663",
        ),
        "list:" + "9" * 5_000,
    ],
)
def test_any_other_text_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"none of pair, graded, list:K \(K from 2 to 50\)$"):
        Question.parse(text)
