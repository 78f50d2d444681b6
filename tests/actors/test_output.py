"""What an answer is wanted as: a schema that is sent means what its author wrote."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from commedia.actors.errors import UsageError
from commedia.actors.output import output_of

NUMBER = {"x": {"type": "integer"}}
OBJECT = {"x": {"type": "object", "properties": NUMBER, "required": ["x"]}}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "array", "items": {"$ref": "#/definitions/x"}, "definitions": NUMBER}, [1], [""]),
        ({"type": "array", "items": {"$ref": "#/$defs/x"}, "$defs": NUMBER}, [1], [""]),
        ({"$ref": "#/definitions/x", "definitions": NUMBER}, 1, ""),
        ({"$ref": "#/definitions/x", "definitions": OBJECT}, {"x": 1}, {"x": ""}),
        ({"type": "array", "items": {"$ref": "#"}}, [[[]]], [[1]]),
        ({"contains": NUMBER["x"], "items": {"$ref": "#/contains"}}, [1, 1], [1, ""]),
        ({"$id": "urn:x", "items": {"$ref": "#/$defs/x"}, "$defs": NUMBER}, [1], [""]),
    ],
    ids=lambda each: json.dumps(each)[:60],
)
def test_what_a_schema_refers_to_stays_with_it(schema: dict[str, Any], good: Any, bad: Any) -> None:
    """Also in the wrapper that an answer which is no object gets."""
    output = output_of(schema)
    validator = Draft202012Validator(output.parsed)
    is_wrapped = "value" in output.parsed.get("properties", {})

    assert validator.is_valid({"value": good} if is_wrapped else good)
    assert not validator.is_valid({"value": bad} if is_wrapped else bad)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/definitions/gone"},
        {"$ref": "#"},
        {"$id": "urn:x", "type": "array", "items": {"$ref": "urn:x#/$defs/x"}, "$defs": NUMBER},
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="output has a \\$ref that leads "):
        output_of(schema)
