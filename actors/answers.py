"""A judge's answer: the schema it is asked for, and from JSON to a typed value.

Schemas use only what strict structured output supports everywhere: enums, arrays, objects with
`additionalProperties: false`. What they cannot say (no item twice) is checked here.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from .errors import InvalidAnswerError
from .questions import Question

SILENT_CALLS: Final = 30
"""So many calls in a row without a usable answer are enough: their model is not asked on."""

_PAIR: Final = {"first": 1, "tie": 0, "second": -1}
_GRADED: Final = {
    "much more first": 2,
    "more first": 1,
    "tie": 0,
    "more second": -1,
    "much more second": -2,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's answer: a *grade* for pairs, or an *order* of places shown (from 0, best first)."""

    grade: int | None = None
    order: tuple[int, ...] | None = None


def answer_schema(question: Question) -> dict[str, Any]:
    """Return the JSON Schema of an answer to *question*."""
    if question.kind == "list":
        places = {"type": "integer", "enum": list(range(1, question.size + 1))}
        return _object("order", {"type": "array", "items": places})
    words = _PAIR if question.kind == "pair" else _GRADED
    return _object("verdict", {"type": "string", "enum": list(words)})


def parse_answer(question: Question, text: str) -> Verdict:
    """Read *text* as the JSON answer to *question*; raises InvalidAnswerError, which says why.

    A list with missing or repeated places counts up to the first repetition, if two are left.
    """
    from jsonschema import Draft202012Validator  # here, because hosts that simulate need none

    try:
        value = json.loads(_unfenced(text), object_pairs_hook=_once)
        flaw = next(Draft202012Validator(answer_schema(question)).iter_errors(value), None)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswerError("the answer is not JSON") from error
    if flaw is not None:
        where = "/".join(str(part) for part in flaw.absolute_path) or "the answer"
        raise InvalidAnswerError(f"{where} does not fit the schema ({flaw.validator})")
    if question.kind != "list":
        words = _PAIR if question.kind == "pair" else _GRADED
        return Verdict(grade=words[value["verdict"]])
    return Verdict(order=_prefix(value["order"]))


def write_answer(question: Question, verdict: Verdict) -> str:
    """Return *verdict* as the JSON that a judge would send."""
    if verdict.order is not None:
        return json.dumps({"order": [place + 1 for place in verdict.order]})
    words = _PAIR if question.kind == "pair" else _GRADED
    return json.dumps({"verdict": next(w for w, grade in words.items() if grade == verdict.grade)})


def _object(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: value},
        "required": [name],
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
