"""An answer fits its schema whatever is said in it, and says it where a reader would look."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from commedia.actors.models.filling import Form, form_of
from commedia.actors.simulation.keyed import text_key
from commedia.actors.verifier import SCHEMA

LAWS = settings(max_examples=60, deadline=None, derandomize=True)
FINDING = {
    "type": "object",
    "properties": {
        "file": {"type": "string"},
        "claim": {"type": "string"},
        "line": {"type": "integer", "minimum": 1},
    },
    "required": ["file", "claim"],
    "additionalProperties": False,
}
NAMES = st.sampled_from(["label", "reason", "found", "id", "x"])
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "maxLength": 3},
        {"enum": ["a", "b", "c"]},
        {"enum": [1, None, "a"]},
        {"const": "a"},
        {"type": "boolean"},
        {"type": "integer"},
        {"type": "number", "minimum": 0.0, "maximum": 1.0},
        {"type": "integer", "exclusiveMinimum": 0, "maximum": 3},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": ["string", "null"]},
    ]
)


def _nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(
        lambda parts: {
            "type": "object",
            "properties": parts,
            "required": sorted(parts),
            "additionalProperties": False,
        }
    )
    arrays = st.builds(
        lambda items, least: {"type": "array", "items": items, "minItems": least},
        inner.filter(lambda part: "enum" not in part),
        st.integers(0, 3),
    )
    return objects | arrays | inner.map(lambda part: {"anyOf": [part, {"type": "null"}]})


SCHEMAS = st.recursive(LEAVES, _nested, max_leaves=6)
VALUES = st.sampled_from(["a", "a long text", True, 2, 0.5, {"label": "a"}, ["a"], [], {"x": [1]}])


def form(schema: dict[str, Any]) -> Form:
    found = form_of(json.dumps(schema))
    assert found is not None
    return found


def fits(schema: dict[str, Any], text: str | None) -> bool:
    return text is None or Draft202012Validator(schema).is_valid(json.loads(text))


@LAWS
@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=3), st.integers(0, 500))
def test_every_answer_fits(schema: dict[str, Any], values: list[Any], seed: int) -> None:
    key = text_key(seed)
    entries = [("t", [value, "its text"]) for value in values]

    assert form(schema).sampled(key) is not None
    assert fits(schema, form(schema).sampled(key))
    assert fits(schema, form(schema).answer(values, key))
    assert fits(schema, form(schema).listed(entries, key))


def filled(schema: dict[str, Any], value: Any) -> Any:
    text = form(schema).answer([value], text_key(1))
    assert fits(schema, text)
    return None if text is None else json.loads(text)


def objects(**parts: Any) -> dict[str, Any]:
    return {"type": "object", "properties": parts, "required": sorted(parts)}


TEXT = {"type": "string"}


def test_a_value_that_fits_is_the_answer() -> None:
    assert filled(FINDING, {"file": "f", "claim": "c"}) == {"file": "f", "claim": "c"}
    assert filled({"type": "integer"}, 3) == 3


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (objects(why=TEXT, label={"enum": ["a", "b"]}), ["label"]),
        (objects(reason=TEXT, cause=TEXT), ["cause"]),
        (objects(cause=TEXT, answer=TEXT), ["answer"]),
        (objects(inner=objects(why=TEXT, cause=TEXT)), ["inner", "cause"]),
        (objects(label={"anyOf": [{"type": "null"}, TEXT]}), ["label"]),
        (objects(size={"type": "integer"}, name={"$ref": "#/$defs/t"}) | {"$defs": {"t": TEXT}},
         ["name"]),
        (SCHEMA, ["reason"]),
    ],
)  # fmt: skip
def test_a_value_stands_where_a_reader_would_look(schema: dict[str, Any], place: list[str]) -> None:
    found = filled(schema, "a")
    for name in place:
        found = found[name]

    assert found == "a"


def test_what_fits_nowhere_is_not_said() -> None:
    assert filled(objects(label={"enum": ["a", "b"]}), "c") is None
    assert filled(objects(n={"type": "integer"}), "c") is None


def test_a_list_stands_in_the_first_array_that_takes_it() -> None:
    schema = objects(
        scores={"type": "array", "items": {"type": "number"}},
        found={"type": "array", "items": {"$ref": "#/$defs/finding"}, "maxItems": 2},
    ) | {"$defs": {"finding": FINDING}}
    texts = ["one", "two", "three"]
    text = form(schema).listed([(None, [each]) for each in texts], text_key(1))
    assert text is not None

    assert [each["claim"] for each in json.loads(text)["found"]] == ["one", "two"]
    assert fits(schema, text)


def test_without_an_array_a_list_is_lines() -> None:
    text = form(objects(summary=TEXT)).listed([(None, ["one"]), (None, ["two"])], text_key(1))

    assert text == '{"summary":"one\\ntwo"}'


def test_an_answer_about_several_things_names_them() -> None:
    rows = {"type": "array", "items": objects(id=TEXT, label={"enum": ["a", "b"]})}
    text = form(rows).listed([("t1", ["a"]), ("t2", ["b"])], text_key(1))
    assert text is not None

    assert json.loads(text) == [{"id": "t1", "label": "a"}, {"id": "t2", "label": "b"}]


def test_parts_that_are_tied_are_checked_together() -> None:
    schema = {
        **objects(a=TEXT, b=TEXT),
        "if": {"properties": {"a": {"const": "x"}}},
        "then": {"properties": {"b": {"const": "y"}}},
    }

    assert filled(schema, "x") is None
    assert filled(schema, "z") == {"a": "z", "b": "a simulated answer"}


def test_different_values_of_a_set_are_listed_once() -> None:
    schema = {"type": "array", "items": TEXT, "uniqueItems": True}

    assert form(schema).listed([(None, ["a"]), (None, ["a"])], text_key(1)) == '["a"]'


@pytest.mark.parametrize("text", ["", "no", "[1]", "true", '{"type": 3}', "[" * 9_999])
def test_what_is_no_schema_has_no_form(text: str) -> None:
    assert form_of(text) is None


def test_a_schema_that_no_sample_fits_has_no_answer() -> None:
    assert form({"type": "string", "pattern": "^[0-9]{4}$"}).sampled(text_key(1)) is None
