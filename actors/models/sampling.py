"""A value that fits a JSON Schema, chosen by a key: what a server without a world answers."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ..simulation.keyed import mix, text_key, uniform

_DEEPEST: Final = 12
_WORDS: Final = "a simulated answer"


def sample(schema: Mapping[str, Any], key: np.uint64) -> Any:  # Any: JSON
    """Return a value that fits *schema*, the same for the same *key*.

    Knows enum, const, anyOf, references, objects, arrays, strings, numbers and booleans. Items of
    an array whose element is an enum are all different.
    """
    return _Sampler(schema).value(schema, key, 0)


class _Sampler:
    """Walks one schema; *root* resolves its references."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def value(self, schema: Mapping[str, Any], key: np.uint64, depth: int) -> Any:  # Any: JSON
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return _pick(schema["enum"], key)
        options = schema.get("anyOf") or schema.get("oneOf")
        if options:
            chosen = _pick(options, key) if depth < _DEEPEST else options[-1]
            return self.value(chosen, _next(key, 0), depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "null")
        if isinstance(kind, list):
            kind = _pick(kind, key)
        if kind == "object":
            return self._object(schema, key, depth)
        if kind == "array":
            return self._array(schema, key, depth)
        return _scalar(kind, schema, key)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(schema, Mapping):
            return {}  # true, which anything fits
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found: Any = self._root
        for part in reference[2:].split("/"):
            found = found.get(part, {}) if isinstance(found, Mapping) else {}
        return found if isinstance(found, Mapping) else {}

    def _object(self, schema: Mapping[str, Any], key: np.uint64, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self.value(part, _next(key, place), depth + 1)
            for place, (name, part) in enumerate(schema.get("properties", {}).items())
            if depth < _DEEPEST or name in required
        }

    def _array(self, schema: Mapping[str, Any], key: np.uint64, depth: int) -> list[Any]:
        items = self._resolved(schema.get("items", {}))
        if items.get("enum"):
            keys = mix(key, np.arange(len(items["enum"]), dtype=np.uint64))
            order = np.argsort(keys, kind="stable")[: schema.get("maxItems")]
            return [items["enum"][place] for place in order]
        least = int(schema.get("minItems", 0))
        count = max(least, 0 if depth >= _DEEPEST else min(2, int(schema.get("maxItems", 2))))
        return [self.value(items, _next(key, place), depth + 1) for place in range(count)]


def _scalar(kind: str, schema: Mapping[str, Any], key: np.uint64) -> Any:  # Any: JSON
    if kind == "boolean":
        return _share(key) < 0.5
    if kind in ("integer", "number"):
        low = schema.get("minimum", 0)
        high = schema.get("maximum", low + 100)
        drawn = low + _share(key) * (high - low)
        return round(drawn) if kind == "integer" else drawn
    if kind == "string":
        return _WORDS.ljust(int(schema.get("minLength", 0)), ".")[: schema.get("maxLength", 10**6)]
    return None


def _pick(options: Any, key: np.uint64) -> Any:  # Any: JSON
    return options[int(_share(key) * len(options))]


def _share(key: np.uint64) -> float:
    return float(uniform(mix(key).reshape(1))[0])


def _next(key: np.uint64, place: int) -> np.uint64:
    return np.uint64(mix(key, text_key(place)))
