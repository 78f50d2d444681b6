"""Analysts and refuters without a model: they read signs, and weigh them by the mechanisms."""

from dataclasses import dataclass

from .answers import FAULTS, Analysis, Candidate, Fault, Prediction, Refutation
from .evidence import Kind
from .mechanisms import MECHANISMS
from .signs import CONTRADICTION_NATS, Reading, Shown

MOST_CANDIDATES = 12
"""An analyst's list is for a panel to try, not for the record."""


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
    pro: tuple[Shown, ...]
    contra: tuple[Shown, ...]


def testify(witness: Witness, service: str, fault: Fault) -> Testimony:
    """Return what *witness* says to the hypothesis that *service* has *fault*.

    A sign that should be there speaks for it as strongly as it is shown. One that is needed and
    missing, or shown where it should not be, speaks against it. One that cannot be measured at
    the service says nothing.
    """
    nats = 0.0
    pro: list[Shown] = []
    contra: list[Shown] = []
    for expected in MECHANISMS[fault].get(witness.kind, ()):
        shown = witness.reading.get(expected.sign, {}).get(service)
        if shown is None:
            continue
        if expected.present and shown.nats > 0:
            nats += shown.nats
            pro.append(shown)
        elif expected.present and expected.needed:
            nats -= CONTRADICTION_NATS
            contra.append(shown)
        elif not expected.present and shown.nats > 0:
            nats -= min(shown.nats, CONTRADICTION_NATS)
            contra.append(shown)
    return Testimony(nats, tuple(pro), tuple(contra))


def analyse(witness: Witness) -> Analysis:
    """Return the candidates of *witness*, best first, from its own signs alone."""
    found = []
    for service in services_of(witness):
        for fault in FAULTS:
            said = testify(witness, service, fault)
            if said.nats > 0:
                found.append(_candidate(witness, service, fault, said))
    found.sort(key=lambda one: (-one.score, one.service, FAULTS.index(one.kind)))
    best = tuple(found[:MOST_CANDIDATES])
    return Analysis(
        observed=tuple(dict.fromkeys(f"{one.service}: {one.why}" for one in best)),
        unobserved=tuple(
            f"{witness.name}: no service in which {sign!r} could be measured"
            for sign, shown in sorted(witness.reading.items())
            if not shown
        ),
        candidates=best,
    )


def refute(witness: Witness, candidate: Candidate) -> Refutation:
    """Return what *witness*, from another kind of evidence, says to *candidate*."""
    said = testify(witness, candidate.service, candidate.kind)
    if said.nats == 0:
        reason = f"{witness.name} shows nothing for or against it"
        return Refutation(stance="cannot see", reason=reason)
    shown = said.pro if said.nats > 0 else said.contra
    return Refutation(
        stance="supports" if said.nats > 0 else "contradicts",
        weight=abs(said.nats),
        reason="; ".join(one.note for one in shown),
        rows=_cite(witness, shown),
    )


def services_of(witness: Witness) -> list[str]:
    """Return the services of which *witness* shows anything."""
    return sorted({service for shown in witness.reading.values() for service in shown})


def _candidate(witness: Witness, service: str, fault: Fault, said: Testimony) -> Candidate:
    return Candidate(
        service=service,
        kind=fault,
        score=said.nats,
        false_alarm_rate=min(shown.false_alarms for shown in said.pro),
        predicts=predictions(fault, witness.kind),
        rows=_cite(witness, said.pro),
        why="; ".join(shown.note for shown in said.pro),
    )


def predictions(fault: Fault, seen: Kind) -> tuple[Prediction, ...]:
    """Return what *fault* leaves in the kinds of evidence other than *seen*."""
    return tuple(
        Prediction(evidence=kind, sign=expected.sign, present=expected.present)
        for kind, expectations in MECHANISMS[fault].items()
        for expected in expectations
        if kind != seen
    )


def _cite(witness: Witness, shown: tuple[Shown, ...]) -> tuple[str, ...]:
    rows = {row for one in shown for row in one.rows}
    return tuple(f"{witness.name}:{row}" for row in sorted(rows))
