"""What a reader may answer with: the schema that is sent holds all that was written."""

import json

import pytest

from commedia.actors.errors import UsageError
from commedia.actors.reader import closed

SMALL = {"type": "integer", "minimum": 0, "maximum": 100}


def test_a_reference_is_resolved_and_words_beside_it_are_no_bounds() -> None:
    number = {"$ref": "#/definitions/small", "description": "how many"}
    schema = {
        "type": "object",
        "properties": {"n": number},
        "required": ["n"],
        "definitions": {"small": SMALL},
    }

    assert json.loads(closed(schema))["properties"] == {"n": SMALL}


def test_a_bound_beside_a_reference_is_refused_and_never_dropped() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/small", "maximum": 3}},
        "$defs": {"small": SMALL},
    }

    with pytest.raises(UsageError, match=r"output\.n is not: maximum beside a \$ref"):
        closed(schema)
