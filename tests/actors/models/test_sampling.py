"""A sampled value fits its schema, and is a function of its key."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from commedia.actors.answers import answer_schema, parse_answer
from commedia.actors.models.sampling import sample
from commedia.actors.questions import Question
from commedia.actors.simulation.keyed import text_key

SCHEMAS: list[dict[str, Any]] = [
    answer_schema(Question("pair")),
    answer_schema(Question("graded")),
    answer_schema(Question("list", 7)),
    {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 4}, "minItems": 3},
    {"anyOf": [{"type": "null"}, {"type": "number"}, {"const": {"a": [1]}}]},
    {"type": ["boolean", "string"], "minLength": 30},
    {"type": "string", "maxLength": 4},
    {"type": "object", "properties": {"any": True, "more": {}}, "required": ["any"]},
    {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["next"],
            }
        },
    },
]


@pytest.mark.parametrize("schema", SCHEMAS)
@given(seed=st.integers(0, 10**6))
def test_it_fits_its_schema(schema: dict[str, Any], seed: int) -> None:
    key = text_key(seed)
    value = sample(schema, key)

    assert list(Draft202012Validator(schema).iter_errors(value)) == []
    assert value == sample(schema, key)


def test_keys_reach_every_answer() -> None:
    question = Question("pair")
    drawn = {sample(answer_schema(question), text_key(seed))["verdict"] for seed in range(60)}

    assert drawn == {"first", "tie", "second"}


def test_a_sampled_order_names_every_place_once() -> None:
    question = Question("list", 9)
    verdict = parse_answer(question, json.dumps(sample(answer_schema(question), text_key(5))))

    assert sorted(verdict.order or ()) == list(range(9))
