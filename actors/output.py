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
_SHARED: Final = ("$defs", "definitions")
"""Where a schema keeps the parts that it refers to: these stay at its root."""


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
    for reference in _references(schema):
        _found(schema, reference)
    output = _wrapping(schema, None)
    for reference in _references(output.parsed):
        _found(output.parsed, reference)
    return output


def _found(schema: dict[str, Any], reference: str) -> Any:  # Any: JSON
    """Return what *reference* leads to; raises UsageError where that is nothing in *schema*."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    try:
        return Registry().with_resource("", resource).resolver().lookup(reference).contents
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
    if _is_of_object(schema):
        return Output(_canonical(schema), adapter, False)
    schema = _moved(schema)
    schema.pop("$id", None)  # what refers to it by name is refused
    lifted: dict[str, Any] = {name: schema.pop(name) for name in _SHARED if name in schema}
    outer: dict[str, Any] = {
        "type": "object",
        "properties": {_WRAP: schema},
        "required": [_WRAP],
        "additionalProperties": False,
        **lifted,
    }
    return Output(_canonical(outer), adapter, True)


def _is_of_object(schema: dict[str, Any]) -> bool:
    """Whether all that *schema* allows are objects, as its root or what that refers to says."""
    part: Any = schema
    passed: set[str] = set()
    while isinstance(part, Mapping) and part.get("type") != "object":
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return False
        if reference in passed:
            raise UsageError(f"output has a $ref that leads to itself: {reference!r}")
        passed.add(reference)
        part = _found(schema, reference)
    return isinstance(part, Mapping)


def _moved(part: Any) -> Any:  # Any: JSON
    """Return *part* of a schema that moves into a wrapper: what is not lifted out moves along."""
    if isinstance(part, list):
        return [_moved(inner) for inner in part]
    if not isinstance(part, Mapping):
        return part
    moved = {name: _moved(inner) for name, inner in part.items()}
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.split("/")[0] == "#" and not _stays(reference):
        moved["$ref"] = f"#/properties/{_WRAP}{reference[1:]}"
    return moved


def _stays(reference: str) -> bool:
    return reference.split("/")[1:2] in [[name] for name in _SHARED]


def _canonical(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True, separators=(",", ":"))
