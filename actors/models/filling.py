"""Answers that fit a JSON Schema and say a given thing: what a simulated agent writes down.

Valid by construction: samples are validated once, a value once for each place that takes it. Only
where a schema ties its parts together (allOf, uniqueItems, ...) is every answer validated.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..simulation.keyed import Keys, mix, text_key
from .sampling import sample

SAMPLES: Final = 64
"""So many different samples of one schema are drawn; a call's key picks one."""

_TRIES: Final = 8
_DEEPEST: Final = 4
_PLAIN: Final = frozenset(
    {"type", "title", "description", "default", "examples", "$defs", "definitions"}
)
_MOST_VALUES: Final = 20_000
_TYING: Final = ("allOf", "oneOf", "if", "not", "contains", "uniqueItems", "minProperties")
_TYING_MORE: Final = ("dependentSchemas", "dependentRequired", "propertyNames", "maxProperties")
_MAIN: Final = frozenset(
    {"answer", "value", "label", "verdict", "text", "claim", "finding", "idea", "title", "name"}
)
_ASIDE: Final = frozenset(
    {"reason", "why", "explanation", "rationale", "evidence", "note", "notes", "comment", "id"}
    | {"confidence", "score"}
)
_NAMES: Final = ("id", "item", "thing")

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

Json = Any  # Any: what json.loads returns


def dump(value: Json) -> str:
    """Return *value* as the canonical JSON of an answer."""
    return _ENCODER.encode(value)


@functools.lru_cache(maxsize=512)
def form_of(schema: str) -> "Form | None":
    """Return the form of *schema* (JSON text); None where it is no JSON Schema."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        parsed = json.loads(schema)
        Draft202012Validator.check_schema(parsed)
    except (ValueError, RecursionError, SchemaError):
        return None
    return Form(parsed) if isinstance(parsed, dict) else None


class Form:
    """One schema, and where in it a value can stand."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self._schema = schema
        self._defs = _definitions(schema)
        self._places = sorted(self._walk(schema, (), 0), key=lambda place: place.rank)
        text = json.dumps(schema)
        self._is_tied = any(f'"{word}"' in text for word in (*_TYING, *_TYING_MORE))
        self._samples: dict[int, tuple[Json, str] | None] = {}
        self._chosen: dict[tuple[bool, str], _Place | None] = {}

    @functools.cached_property
    def key(self) -> Keys:
        """The key of the schema, however its text was written."""
        return np.asarray(text_key(json.dumps(self._schema, sort_keys=True)), np.uint64)

    def sampled(self, key: np.uint64) -> str | None:
        """Return the sample that *key* picks; None where no sample fits."""
        found = self._sample(key)
        return None if found is None else found[1]

    def answer(self, values: Sequence[Json], key: np.uint64) -> str | None:
        """Return an answer that says the first of *values* that can be said; None if none can."""
        found = self.filled(values, key)
        return None if found is None else dump(found[0])

    def filled(
        self, values: Sequence[Json], key: np.uint64, *, name: str | None = None
    ) -> tuple[Json] | None:
        """Return what `answer` writes, *name* in the place of an id; None if nothing fits."""
        for value in values:
            place = self._place_of(value)
            base = None if place is None or not place.path else self._sample(key)
            if place is None or (place.path and base is None):
                continue
            made = value if base is None else _with(base[0], place.path, value)
            if name is not None and base is not None:
                made = self._named(made, name, place.path)
            if not self._is_tied or self._takes(made):
                return (made,)
        return None

    def listed(
        self, entries: Sequence[tuple[str | None, Sequence[Json]]], key: np.uint64
    ) -> str | None:
        """Return an answer that lists *entries* (each a name and the values that can say it).

        They stand in the first array that takes them, as far as it has room, or as lines of the
        first text; None where nothing takes them.
        """
        keys = mix(key, np.arange(len(entries), dtype=np.uint64))
        for place in self._places:
            element = place.element
            if element is None:
                continue
            found = [
                element.filled(values, k, name=name)
                for (name, values), k in zip(entries, keys, strict=True)
            ]
            if all(found):
                made = self._set(place, [each[0] for each in found if each], key)
                if made is not None:
                    return dump(made)
        lines = "\n".join(next(v for v in values if isinstance(v, str)) for _, values in entries)
        return self.answer([lines], key)

    def labels(self, value: Json) -> list[Json]:
        """Return the enumeration that *value* would be chosen from; empty if there is none."""
        place = self._place_of(value)
        return [] if place is None else list(place.schema.get("enum") or ())

    def _set(self, place: "_Place", values: list[Json], key: np.uint64) -> Json | None:
        """Return the answer with *values* in an array's place; None where it cannot hold them."""
        if place.schema.get("uniqueItems"):
            values = list({dump(value): value for value in values}.values())
        values = values[: place.schema.get("maxItems")]
        element, base = place.element, self._sample(key)
        assert element is not None
        while len(values) < place.schema.get("minItems", 0):
            more = element._sample(np.uint64(mix(key, text_key("more", len(values)))))
            if more is None:
                return None
            values.append(more[0])
        if place.path and base is None:
            return None
        made = values if base is None or not place.path else _with(base[0], place.path, values)
        return made if not self._is_tied or self._takes(made) else None

    def _sample(self, key: np.uint64) -> tuple[Json, str] | None:
        number = int(key) % SAMPLES
        if number not in self._samples:
            self._samples[number] = self._drawn(number)
        return self._samples[number]

    def _drawn(self, number: int) -> tuple[Json, str] | None:
        for trial in range(_TRIES):
            value = sample(self._schema, text_key("sample", number, trial))
            if self._takes(value):
                return value, dump(value)
        return None

    def _place_of(self, value: Json) -> "_Place | None":
        wanted = (True, value) if isinstance(value, str) else (False, dump(value))
        if wanted not in self._chosen:
            if len(self._chosen) >= _MOST_VALUES:
                self._chosen.clear()
            found = (p for p in self._places if p.takes(value))
            self._chosen[wanted] = next(found, None)
        return self._chosen[wanted]

    def _takes(self, value: Json) -> bool:
        return bool(self._validator.is_valid(value))

    @functools.cached_property
    def _validator(self) -> Any:  # Any: jsonschema is untyped
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self._schema)

    def _named(self, made: Json, name: str, used: tuple[str, ...]) -> Json:
        for place in self._places:
            is_name = len(place.path) == 1 and place.path[0] in _NAMES and place.path != used
            if is_name and place.takes(name):
                return _with(made, place.path, name)
        return made

    def _walk(
        self, schema: Mapping[str, Json], path: tuple[str, ...], depth: int
    ) -> Iterator["_Place"]:
        schema = self._resolved(schema)
        options = schema.get("anyOf") or schema.get("oneOf") or [schema]
        for option in options:
            yield _Place({**self._resolved(option), **self._defs}, path)
        if "properties" in schema and len(options) == 1 and depth < _DEEPEST:
            for name, part in schema.get("properties", {}).items():
                if isinstance(part, Mapping):
                    yield from self._walk(part, (*path, name), depth + 1)

    def _resolved(self, schema: Mapping[str, Json]) -> Mapping[str, Json]:
        for _ in range(_DEEPEST):
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return schema
            found: Json = self._schema
            for part in reference[2:].split("/"):
                found = found.get(part, {}) if isinstance(found, Mapping) else {}
            schema = found if isinstance(found, Mapping) else {}
        return schema


class _Place:
    """A place in an answer: its *path* from the top, and the schema of what can stand there."""

    def __init__(self, schema: dict[str, Json], path: tuple[str, ...]) -> None:
        self.schema, self.path = schema, path

    @property
    def rank(self) -> tuple[int, int]:
        """Places come in this order: the whole answer, choices, what the name speaks for, rest."""
        if not self.path:
            return (0, 0)
        if "enum" in self.schema:
            return (1, 0)
        name = self.path[-1].lower()
        return (2, 0 if name in _MAIN else 2 if name in _ASIDE else 1)

    def takes(self, value: Json) -> bool:
        """Whether *value* can stand here."""
        if self.schema.get("type") == "string" and not isinstance(value, str):
            return False
        if self._is_text:
            return True
        return bool(self._validator.is_valid(value))

    @functools.cached_property
    def element(self) -> Form | None:
        """The form of the elements, if this is the place of an array."""
        items = self.schema.get("items")
        if self.schema.get("type") != "array" or not isinstance(items, Mapping):
            return None
        return Form({**items, **_definitions(self.schema)})

    @functools.cached_property
    def _is_text(self) -> bool:
        return self.schema.get("type") == "string" and self.schema.keys() <= _PLAIN

    @functools.cached_property
    def _validator(self) -> Any:  # Any: jsonschema is untyped
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.schema)


def _definitions(schema: Mapping[str, Json]) -> dict[str, Json]:
    return {name: schema[name] for name in ("$defs", "definitions") if name in schema}


def _with(value: Json, path: tuple[str, ...], leaf: Json) -> Json:
    """Return a copy of *value* with *leaf* at *path*."""
    if not path:
        return leaf
    return {**value, path[0]: _with(value.get(path[0]) or {}, path[1:], leaf)}
