"""Analysts and refuters without a model: they read signs, and weigh them by the mechanisms."""

import math

from dataclasses import dataclass

from .answers import FAULTS, Analysis, Candidate, Fault, Prediction, Refutation
from .evidence import Kind
from .mechanisms import MECHANISMS, Expectation
from .signs import CONTRADICTION_NATS, Reading, Shown

MOST_CANDIDATES = 8
LEAST_NATS = 0.5


@dataclass(frozen=True, slots=True)
class Witness:
    """One piece of evidence: its name, its kind, and the signs it shows."""

    name: str
    kind: Kind
    reading: Reading


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a witness says to one hypothesis: nats for it (less than 0: against it), and why."""

    nats: float
    for_it: tuple[Shown, ...] = ()
    against: tuple[Shown, ...] = ()
    seen: bool = False


def testify(witness: Witness, service: str, fault: Fault) -> Testimony:
    """Return what *witness* says to the hypothesis that *service* has *fault*, before scaling."""
    nats, seen = 0.0, False
    for_it: list[Shown] = []
    against: list[Shown] = []
    for expected in MECHANISMS[fault].get(witness.kind, ()):
        shown = witness.reading.get(expected.sign, {}).get(service)
        if shown is None:
            continue
        seen = True
        if expected.present and shown.nats > 0:
            nats += shown.nats
            for_it.append(shown)
        elif expected.needed:
            nats -= CONTRADICTION_NATS
            against.append(shown)
        elif not expected.present and shown.nats > 0:
            nats -= min(shown.nats, CONTRADICTION_NATS)
            against.append(shown)
    return Testimony(nats, tuple(for_it), tuple(against), seen)


def analyse(witness: Witness) -> Analysis:
    """Return the candidates of *witness*, best first."""
    found = []
    for service in services(witness):
        for fault in FAULTS:
            said = testify(witness, service, fault)
            if said.nats >= LEAST_NATS and said.for_it:
                found.append(_candidate(witness, service, fault, said))
    found.sort(key=lambda candidate: (-candidate.score, candidate.service, candidate.kind))
    unobserved = [
        f"{witness.name} shows nothing of {sign!r}"
        for sign, shown in sorted(witness.reading.items())
        if not shown
    ]
    return Analysis(
        observed=tuple(f"{c.service}: {c.why}" for c in found[:MOST_CANDIDATES]),
        unobserved=tuple(unobserved),
        candidates=tuple(found[:MOST_CANDIDATES]),
    )


def services(witness: Witness) -> list[str]:
    """Return the services that *witness* saw."""
    return sorted({service for shown in witness.reading.values() for service in shown})

