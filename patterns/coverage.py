"""Which items an answer holds: found by looking, not by asking."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any, Final

from pydantic import BaseModel

from .duplicates import normal

_LEAST: Final = 16
"""A text of so many characters is found inside another; a shorter one may be there by chance."""


def held_by(answer: object, items: Sequence[object]) -> list[int]:
    """Return the places of the *items* that stand somewhere in *answer*, as equal values.

    In an answer that is one text, those that it quotes.
    """
    if isinstance(answer, str):
        texts = [item if isinstance(item, str) else "" for item in items]
        return sorted(quoted_in(answer, texts))
    parts = list(_parts(answer))
    by_hash = {part for part in parts if _is_hashable(part)}
    rest = [part for part in parts if not _is_hashable(part)]
    return [
        place
        for place, item in enumerate(items)
        if (item in by_hash if _is_hashable(item) else item in rest)
    ]


def quoted_in(answer: Any, words: Sequence[str]) -> set[int]:  # Any: JSON
    """Return the places of the *words* that a text in *answer* is, or, if long, contains."""
    texts = [normal(part) for part in _parts(answer) if isinstance(part, str)]
    whole = set(texts)
    found = set()
    for place, text in enumerate(words):
        plain = normal(text)
        if plain in whole or (len(plain) >= _LEAST and any(plain in each for each in texts)):
            found.add(place)
    return found


def _parts(value: object) -> Iterator[object]:
    """Yield *value*, and all that stands in it."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, Mapping):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, AbstractSet) or (
            isinstance(part, Sequence) and not isinstance(part, str | bytes)
        ):
            waiting += part
        elif isinstance(part, BaseModel):
            waiting += [getattr(part, name) for name in type(part).model_fields]
        elif is_dataclass(part) and not isinstance(part, type):
            waiting += [getattr(part, field.name) for field in fields(part)]


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
