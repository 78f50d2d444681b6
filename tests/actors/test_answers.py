"""An answer is a verdict or an InvalidAnswerError, whatever a model sends."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.actors.answers import (
    Preference,
    Typed,
    answer_schema,
    parse_answer,
    write_answer,
)
from commedia.actors.errors import InvalidAnswerError
from commedia.actors.questions import Question

LAWS = settings(max_examples=100, deadline=None, derandomize=True)
PAIR, GRADED, LIST = Question("pair"), Question("graded"), Question("list", 4)
QUESTIONS = st.sampled_from([PAIR, GRADED, LIST, Question("list", 50)])
PLACES = st.integers(-2, 6) | st.booleans() | st.floats() | st.integers() | st.none()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
)
NEAR = st.fixed_dictionaries({"order": st.lists(PLACES, max_size=6)}) | st.fixed_dictionaries(
    {"verdict": st.sampled_from(["first", "tie", "First", "much more first", "", 1, None, True])}
)
DEEP = [500, 900, 960, 980, 990, 995, 1_000, 50_000]


@st.composite
def verdicts(draw: st.DrawFn) -> tuple[Question, Preference]:
    question = draw(QUESTIONS)
    if question.kind == "list":
        order = draw(st.permutations(range(question.size)))
        return question, Preference(order=tuple(order[: draw(st.integers(2, question.size))]))
    most = 1 if question.kind == "pair" else 2
    return question, Preference(grade=draw(st.integers(-most, most)))


@LAWS
@given(verdicts(), st.sampled_from(["{}", "```json\n{}\n```", "  ```\n{}```\n", "\n {} "]))
def test_every_verdict_survives_being_written(
    asked: tuple[Question, Preference], form: str
) -> None:
    question, verdict = asked

    assert parse_answer(question, form.replace("{}", write_answer(question, verdict))) == verdict


@LAWS
@given(QUESTIONS, st.text() | JSON.map(json.dumps) | NEAR.map(json.dumps))
def test_an_answer_is_a_verdict_or_an_invalid_answer(question: Question, text: str) -> None:
    try:
        verdict = parse_answer(question, text)
    except InvalidAnswerError as error:
        assert len(error.why) < 80  # a reason, in our words
        return
    if question.kind == "list":
        assert verdict.order is not None
        assert {type(place) for place in verdict.order} == {int}
        assert len(set(verdict.order)) == len(verdict.order) >= 2
        assert set(verdict.order) <= set(range(question.size))
    else:
        assert type(verdict.grade) is int
        assert abs(verdict.grade) <= (1 if question.kind == "pair" else 2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "first",
        "null",
        '"first"',
        "NaN",
        "[]",
        "{}",
        '{"verdict": "First"}',
        '{"verdict": "much more first"}',
        '{"verdict": 1}',
        '{"verdict": true}',
        '{"verdict": ["first"]}',
        '{"verdict": "first", "why": "it is"}',
        '{"verdict": "first", "verdict": "second"}',
        '{"verdict": "first"} {"verdict": "first"}',
        '{"order": [1, 2]}',
        "```json",
        "`````",
        '\ufeff{"verdict": "first"}',
    ],
)
def test_a_broken_pair_answer_is_invalid(text: str) -> None:
    with pytest.raises(InvalidAnswerError):
        parse_answer(PAIR, text)


@pytest.mark.parametrize(
    "places",
    [
        "[]",
        "[1]",
        "[1, 1, 2, 3]",
        "[0, 1, 2]",
        "[1, 2, 5]",
        "[true, 2, 3]",
        "[1.5, 2]",
        "[NaN, 1]",
        "[Infinity, 1]",
        "[1e400, 1]",
        '["1", "2"]',
        "[[1, 2]]",
        "null",
        "{}",
        "[1, " + "9" * 300 + "]",
        "[1, " + "9" * 6_000 + "]",
    ],
)
def test_a_broken_list_answer_is_invalid(places: str) -> None:
    with pytest.raises(InvalidAnswerError):
        parse_answer(LIST, f'{{"order": {places}}}')


@pytest.mark.parametrize(
    ("places", "order"),
    [
        ("[4, 2, 1, 3]", (3, 1, 0, 2)),
        ("[4, 2]", (3, 1)),
        ("[4, 2, 4, 1]", (3, 1)),
        ("[1, 2, 3, 4, 1, 2]", (0, 1, 2, 3)),
        ("[1.0, 2]", (0, 1)),
    ],
)
def test_a_list_counts_up_to_the_first_repetition(places: str, order: tuple[int, ...]) -> None:
    verdict = parse_answer(LIST, f'{{"order": {places}}}')

    assert repr(verdict) == repr(Preference(order=order))  # 1.0 equals 1, and is no place


FINDINGS = json.dumps(
    {
        "type": "object",
        "properties": {
            "found": {
                "type": "array",
                "items": {"type": "object", "properties": {"odds": {"maximum": 1}}},
            }
        },
        "required": ["found"],
        "additionalProperties": False,
    }
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{}", "found (required)"),
        ("[]", "the answer (type)"),
        ('{"found": 1}', "found (type)"),
        ('{"found": [{"odds": 0.5}, {"odds": 2}]}', "found/[]/odds (maximum)"),
        ('{"found": [], "obey me": 1}', "the answer (additionalProperties)"),
        ("no", ""),
    ],
)
def test_the_rule_that_an_answer_breaks_is_told_in_words_of_the_schema(
    text: str, rule: str
) -> None:
    with pytest.raises(InvalidAnswerError) as raised:
        parse_answer(Typed(FINDINGS), text)

    assert raised.value.rule == rule


@pytest.mark.parametrize("depth", DEEP)
@pytest.mark.parametrize("form", ["[{}]", '{"order": {}}', '{"order": [[{}]]}', '{"verdict": {}}'])
def test_a_deep_answer_is_invalid(form: str, depth: int) -> None:
    before, after = form.split("{}")

    for question in (PAIR, LIST):
        with pytest.raises(InvalidAnswerError):
            parse_answer(question, before * depth + "1" + after * depth)


@pytest.mark.parametrize("text", ["```" + "\n" * 200_000 + "x", "```" * 60_000, " " * 200_000])
def test_a_long_answer_takes_no_long_time(text: str) -> None:
    """A server may send megabytes of nothing; whoever reads them reads for all."""
    started = time.process_time()
    with pytest.raises(InvalidAnswerError):
        parse_answer(PAIR, text)

    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("question", [PAIR, GRADED, LIST], ids=str)
def test_a_schema_uses_only_what_strict_output_supports(question: Question) -> None:
    def check(schema: dict[str, Any]) -> None:
        kinds = {"type", "properties", "required", "additionalProperties", "items", "enum"}
        assert schema.keys() <= kinds
        if schema["type"] == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
        for part in schema.get("properties", {}).values():
            check(part)
        if "items" in schema:
            check(schema["items"])

    check(answer_schema(question))
