"""A model's answer: what it must look like, and from its text to a typed value.

A judge's schemas use only what strict structured output supports everywhere: enums, arrays, objects
with `additionalProperties: false`. What they cannot say (no item twice) is checked here.
"""

import functools
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, overload

from .errors import InvalidAnswerError
from .questions import HIGHEST_SCORE, Question

SILENT_CALLS: Final = 30
"""So many calls in a row without a usable answer are enough: their model is not asked on."""

MOST_WHY: Final = 1000
"""So many characters of a judge's reasons are kept."""

ROOM: Final = 4096
"""The tokens that a typed answer may take where nobody says."""

_PAIR: Final = {"first": 1, "tie": 0, "second": -1}
_GRADED: Final = {
    "much more first": 2,
    "more first": 1,
    "tie": 0,
    "more second": -1,
    "much more second": -2,
}


@dataclass(frozen=True, slots=True)
class Preference:
    """A judge's answer: a *grade* of a pair, from the side of the first shown (1 it is more, -1 the
    second is, 0 a tie; 2 and -2 where it was asked how much), or the score of one item from 1 to
    10; or an *order* of places shown, from 0, best first. *why* is in its own words, where it was
    asked for them."""

    grade: int | None = None
    order: tuple[int, ...] | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """Asks for JSON that fits *schema* (JSON Schema as JSON text), or for any text without one.

    *room* is how many tokens the answer may take.
    """

    schema: str | None = None
    room: int = ROOM


Asked = Question | Typed
"""What a model is asked for: a judge's answer, or one of a type."""


@overload
def answer_schema(asked: Question) -> dict[str, Any]: ...
@overload
def answer_schema(asked: Asked) -> dict[str, Any] | None: ...
def answer_schema(asked: Asked) -> dict[str, Any] | None:
    """Return the JSON Schema of an answer to *asked*; None where any text will do."""
    if isinstance(asked, Typed):
        return None if asked.schema is None else dict(json.loads(asked.schema))
    more = {"why": {"type": "string"}} if asked.why else {}
    if asked.kind == "list":
        places = {"type": "integer", "enum": list(range(1, asked.size + 1))}
        return _object({"order": {"type": "array", "items": places}, **more})
    if asked.kind == "score":
        levels = list(range(1, HIGHEST_SCORE + 1))
        return _object({"score": {"type": "integer", "enum": levels}, **more})
    words = _PAIR if asked.kind == "pair" else _GRADED
    return _object({"verdict": {"type": "string", "enum": list(words)}, **more})


@overload
def parse_answer(asked: Question, text: str) -> Preference: ...
@overload
def parse_answer(asked: Typed, text: str) -> str: ...
def parse_answer(asked: Asked, text: str) -> Preference | str:
    """Read *text* as the answer to *asked*; raises InvalidAnswerError, which says why.

    A typed answer is returned as canonical JSON, or as the text that it is. A list with missing or
    repeated places counts up to the first repetition, if two are left.
    """
    if isinstance(asked, Typed):
        return _typed(asked, text)
    value = _fitting(_validator(asked), text)
    return _verdict(asked, value)


def _typed(asked: Typed, text: str) -> str:
    if asked.schema is not None:
        value = _fitting(_validator(asked), text)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not text.strip():
        raise InvalidAnswerError("the answer is empty")
    return text


@functools.lru_cache(maxsize=256)
def _validator(asked: Asked) -> Any:  # Any: jsonschema is untyped
    from jsonschema import Draft202012Validator  # here, because hosts that simulate need none

    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(answer_schema(asked) or {}, format_checker=checker)


def _fitting(validator: Any, text: str) -> Any:  # Any: JSON
    try:
        value = json.loads(_unfenced(text), object_pairs_hook=_once, parse_constant=_no_number)
        flaw = next(validator.iter_errors(value), None)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswerError("the answer is not JSON") from error
    if flaw is not None:
        where = "/".join(str(part) for part in flaw.absolute_path) or "the answer"
        why = f"{where} does not fit the schema ({flaw.validator})"
        raise InvalidAnswerError(why, _rule(flaw))
    return value


def _rule(flaw: Any) -> str:  # Any: jsonschema is untyped
    """Return the field and the rule that *flaw* is of, in words of the schema."""
    path = list(flaw.absolute_schema_path)
    fields = [
        part if before == "properties" else "[]"
        for before, part in itertools.pairwise(["", *path])
        if before == "properties" or part == "items"
    ]
    missing = flaw.validator == "required" and isinstance(flaw.instance, dict)
    lacks = [name for name in flaw.validator_value if name not in flaw.instance] if missing else []
    return f"{'/'.join([*fields, *lacks[:1]]) or 'the answer'} ({flaw.validator})"


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _verdict(question: Question, value: Mapping[str, Any]) -> Preference:
    why = str(value["why"])[:MOST_WHY] if question.why else None
    if question.kind == "score":
        return Preference(grade=int(value["score"]), why=why)
    if question.kind != "list":
        words = _PAIR if question.kind == "pair" else _GRADED
        return Preference(grade=words[value["verdict"]], why=why)
    return Preference(order=_prefix(value["order"]), why=why)


def write_answer(question: Question, verdict: Preference) -> str:
    """Return *verdict* as the JSON that a judge would send."""
    more = {} if verdict.why is None else {"why": verdict.why}
    if verdict.order is not None:
        return json.dumps({"order": [place + 1 for place in verdict.order], **more})
    if question.kind == "score":
        return json.dumps({"score": verdict.grade, **more})
    words = _PAIR if question.kind == "pair" else _GRADED
    said = next(word for word, grade in words.items() if grade == verdict.grade)
    return json.dumps({"verdict": said, **more})


def beginning(question: Question) -> str:
    """Return how every answer to *question* begins, up to what the judge decides."""
    starts = {"list": '{"order": [', "score": '{"score":'}
    return starts.get(question.kind, '{"verdict": "')


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _unfenced(text: str) -> str:
    """Return what stands inside a Markdown fence, if *text* is one."""
    text = text.strip()
    if len(text) >= 6 and text.startswith("```") and text.endswith("```"):
        return text[3:-3].removeprefix("json")
    return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of *pairs*; one that says two things of a name says nothing."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise InvalidAnswerError("the answer has a name twice")
    return dict(pairs)


def _prefix(places: list[float]) -> tuple[int, ...]:
    order: list[int] = []
    for place in map(int, places):  # to JSON Schema, 1.0 is an integer as well
        if place - 1 in order:
            break
        order.append(place - 1)
    if len(order) < 2:
        raise InvalidAnswerError("order names fewer than two different items")
    return tuple(order)
