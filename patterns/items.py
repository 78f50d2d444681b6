"""What patterns are given, in words: for a prompt, for a call spec, and for comparing."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeVar, Unpack

from pydantic_core import to_jsonable_python

from ..actors.errors import TaintError, UsageError
from ..actors.handle import Handle
from ..actors.prompts import Segment
from ..supervisor.agents import AgentOptions
from ..supervisor.results import Failure, Results

T = TypeVar("T")

Topics = Sequence[str | Sequence[str]]
"""For each item the ids of the things that it is about: only simulated agents read them."""


def words_of(item: object) -> str:
    """Return *item* as a prompt shows it: a text as it is, a value as JSON.

    Raises TaintError for a handle, wherever in the value it stands.
    """
    if isinstance(item, str):
        return item
    value = to_jsonable_python(item, fallback=_refuse)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def shown(items: Iterable[object]) -> str:
    """Return *items* for a worker's prompt, each in a fence with its number, from 1."""
    fenced = (
        Segment(words_of(item), tag=f'item number="{number}"').render()
        for number, item in enumerate(items, 1)
    )
    return "".join(fenced)


def topics_of(items: Sequence[object], topics: Topics | None) -> list[Sequence[str]]:
    """Return what each of *items* is about: its *topics*, else itself by its words.

    Raises UsageError unless there are as many topics as items.
    """
    if topics is None:
        return [() if isinstance(item, Handle) else (words_of(item),) for item in items]
    if len(topics) != len(items):
        raise UsageError(f"there are {len(topics)} topics for {len(items)} items")
    return [(topic,) if isinstance(topic, str) else topic for topic in topics]


def repeats_of(items: Iterable[object]) -> list[int]:
    """Return for each of *items* how many equal ones stand before it."""
    seen: Counter[object] = Counter()
    repeats = []
    for item in items:
        repeats.append(seen[item])
        seen[item] += 1
    return repeats


def filled(options: AgentOptions, **defaults: Unpack[AgentOptions]) -> AgentOptions:
    """Return *options*, with *defaults* where they say nothing."""
    return {**defaults, **options}


def carried(found: Results[T], source: Sequence[Any]) -> Results[T]:
    """Return what was *found*, one branch a value of *source*, with its places and failures."""
    if not isinstance(source, Results):
        return found
    moved = [replace(each, place=source.places[each.place]) for each in found.failed]
    places = [source.places[place] for place in found.places]
    return Results(found, by_place([*source.failed, *moved]), places)


def by_place(failed: Iterable[Failure]) -> list[Failure]:
    """Return the failures in the order of their places."""
    return sorted(failed, key=lambda failure: failure.place)


def _refuse(value: object) -> NoReturn:
    if isinstance(value, Handle):
        raise TaintError(f"handle {value.name} ({value.source})", "worker.prompt")
    raise UsageError(f"an item holds a {type(value).__name__}, which cannot be shown as JSON")
