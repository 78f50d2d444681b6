"""Analysts and refuters that are models: readers in quarantine, for evidence is anybody's text.

What they answer is closed: numbers of services that code has seen, signs, kinds of fault, bounded
numbers, rows. So nothing that a log line says can leave them, and what they cite is checked. A
service's name is evidence too: it stands in the fence with the rest, never among the orders.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ....supervisor.run import Run
from .answers import FAULTS, MEANINGS, Analysis, Candidate, Prediction, Refutation
from .mechanisms import MECHANISMS
from .steps import Piece

MOST: Final = 6
"""Candidates of one analyst that the panel tries."""
LIMIT_CHARS: Final = 24_000
_ROWS: Final = 12

ANALYST: Final = """\
Which service is the root cause of this incident, and how is it at fault? The incident: {incident}

You see one kind of evidence alone, {name} ({kind}), digested: what changed against the baseline, \
strongest first, with its rows as {name}:ROW. Name at most {most} candidates, each with a score in \
nats (how strongly this evidence speaks for it), how often as strong a sign is a false alarm, and \
the numbers of the rows that show it. A service is named by its number in the list that the text \
begins with. Say which signs you observed, and which you could not. \
Kinds of fault: {faults}."""

REFUTER: Final = """\
Is this the root cause of the incident? The incident: {incident}

The hypothesis, made from other evidence: the service on the first line of the text has the fault \
{fault}. You see {name} ({kind}) alone. Does it support the hypothesis, contradict it, or can it \
not see? Say how strongly, in nats, and the numbers of the rows that show it. If this evidence \
could not show it either way, it cannot see."""

_FAULTS: Final = ", ".join(f"{kind} ({meaning})" for kind, meaning in MEANINGS.items())


async def analyse(
    run: Run, incident: str, piece: Piece, text: str, services: Sequence[str], signs: Sequence[str]
) -> Analysis:
    """Return what a model finds in one piece of evidence, shown as *text*."""
    question = ANALYST.format(
        incident=incident, name=piece.name, kind=piece.kind, most=MOST, faults=_FAULTS
    )
    schema = _analysis(len(services), signs, piece.rows)
    listed = "".join(f"service {place}: {name}\n" for place, name in enumerate(services))
    found = await run.read(
        f"{listed}\n{text}",
        question,
        output=schema,
        label=f"analyst of {piece.name}",
        about=piece.name,
    )
    return Analysis(
        observed=tuple(found["observed"]),
        unobserved=tuple(f"{piece.name}: {sign}" for sign in found["unobserved"]),
        candidates=tuple(
            _candidate(piece, services[one["service"]], one) for one in found["candidates"]
        ),
    )


async def refute(
    run: Run, incident: str, piece: Piece, text: str, candidate: Candidate
) -> Refutation:
    """Return what a model says to *candidate* from one piece of other evidence."""
    question = REFUTER.format(
        incident=incident,
        fault=candidate.kind,
        name=piece.name,
        kind=piece.kind,
    )
    found = await run.read(
        f"The service: {candidate.service}\n\n{text}",
        question,
        output=_refutation(piece.rows),
        label=f"refuter of {candidate.service} from {piece.name}",
        about=(piece.name, candidate.service),
    )
    if found["stance"] == "cannot see":
        return Refutation(stance="cannot see", reason=f"{piece.name} cannot see it")
    return Refutation(
        stance=found["stance"],
        weight=found["nats"],
        reason=f"a model, from {piece.name}",
        rows=tuple(f"{piece.name}:{row}" for row in found["rows"]),
    )


def _candidate(piece: Piece, service: str, found: Mapping[str, Any]) -> Candidate:
    fault = found["kind"]
    return Candidate(
        service=service,
        kind=fault,
        score=found["nats"],
        false_alarm_rate=found["false_alarm_rate"],
        predicts=tuple(
            Prediction(evidence=kind, sign=expected.sign, present=expected.present)
            for kind, expectations in MECHANISMS[fault].items()
            for expected in expectations
            if kind != piece.kind
        ),
        rows=tuple(f"{piece.name}:{row}" for row in found["rows"]),
        why=f"a model, from {piece.name}",
    )


def _analysis(services: int, signs: Sequence[str], rows: int) -> dict[str, Any]:
    candidate = _object(
        service={"type": "integer", "minimum": 0, "maximum": max(services - 1, 0)},
        kind=_enum(FAULTS),
        nats=_number(0, 50),
        false_alarm_rate=_number(0, 1),
        rows=_rows(rows),
    )
    return _object(
        observed=_list(_enum(signs), len(signs)),
        unobserved=_list(_enum(signs), len(signs)),
        candidates=_list(candidate, MOST if services else 0),
    )


def _refutation(rows: int) -> dict[str, Any]:
    stances = ("supports", "contradicts", "cannot see")
    return _object(stance=_enum(stances), nats=_number(0, 50), rows=_rows(rows))


def _object(**parts: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": parts,
        "required": list(parts),
        "additionalProperties": False,
    }


def _enum(options: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(options) or ["none"]}


def _number(low: float, high: float) -> dict[str, Any]:
    return {"type": "number", "minimum": low, "maximum": high}


def _rows(rows: int) -> dict[str, Any]:
    return _list({"type": "integer", "minimum": 0, "maximum": max(rows - 1, 0)}, _ROWS)


def _list(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}
