"""What a caller wants an answer as: a type of Python's, as JSON Schema and back."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from .errors import InvalidAnswerError, UsageError

T = TypeVar("T")

_WRAP: Final = "value"
"""The one key of the object around an answer that is none itself."""


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """An answer's type: *schema* is JSON Schema as text, always of an object."""

    schema: str
    _adapter: TypeAdapter[T] | None
    _is_wrapped: bool

    @property
    def parsed(self) -> dict[str, Any]:
        """The schema as a value."""
        return dict(json.loads(self.schema))

    def read(self, answer: str) -> T:
        """Return *answer*, JSON that fits the schema, as the type; raises InvalidAnswerError."""
        value = json.loads(answer)
        if self._is_wrapped:
            value = value[_WRAP]
        if self._adapter is None:
            return value  # type: ignore[no-any-return]  # a JSON Schema promises no Python type
        try:
            return self._adapter.validate_python(value, strict=None)
        except ValidationError as error:
            first = error.errors()[0]
            where = "/".join(map(str, first["loc"])) or "the answer"
            raise InvalidAnswerError(f"{where} does not fit: {first['msg']}") from None


def output_of(wanted: Any) -> Output[Any]:  # Any: a type, or a JSON Schema
    """Return the output for a pydantic model, any type that pydantic knows, or a JSON Schema.

    Raises UsageError where *wanted* is none of them.
    """
    if isinstance(wanted, Mapping):
        return _of_schema(json.dumps(wanted, sort_keys=True))
    try:
        return _of_type(wanted)
    except TypeError:  # not hashable, such as Annotated with a list
        return _made(wanted)


def schema_of(output: "Output[Any] | None") -> str | None:
    """Return the schema of *output*, if there is one: without, an answer is any text."""
    return None if output is None else output.schema


@functools.lru_cache(maxsize=256)
def _of_schema(text: str) -> Output[Any]:
    from jsonschema import Draft202012Validator, SchemaError

    schema = json.loads(text)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise UsageError(f"output is no JSON Schema: {error.message}") from None
    _check_references(schema)
    return _wrapping(schema, None)


def _check_references(schema: dict[str, Any]) -> None:
    """Raise UsageError where a `$ref` in *schema* leads nowhere inside it."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    resolver = Registry().with_resource("", resource).resolver()
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise UsageError(f"output has a $ref that leads nowhere: {reference!r}") from None


def _references(part: Any) -> Iterator[str]:  # Any: JSON
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _references(inner)


@functools.lru_cache(maxsize=256)
def _of_type(wanted: Any) -> Output[Any]:
    return _made(wanted)


def _made(wanted: Any) -> Output[Any]:
    try:
        adapter = TypeAdapter(wanted)
        schema = adapter.json_schema()
    except Exception as error:  # pydantic has many ways to say no
        said = str(error).splitlines()[0]
        raise UsageError(f"output {wanted!r} is no type that an answer can have: {said}") from None
    return _wrapping(schema, adapter)


def _wrapping(schema: dict[str, Any], adapter: "TypeAdapter[Any] | None") -> Output[Any]:
    root = schema
    if isinstance(schema.get("$ref"), str):
        root = schema.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], schema)
    if root.get("type") == "object":
        return Output(_canonical(schema), adapter, False)
    definitions = schema.pop("$defs", None)
    outer = {
        "type": "object",
        "properties": {_WRAP: schema},
        "required": [_WRAP],
        "additionalProperties": False,
    }
    if definitions:
        outer["$defs"] = definitions
    return Output(_canonical(outer), adapter, True)


def _canonical(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True, separators=(",", ":"))
