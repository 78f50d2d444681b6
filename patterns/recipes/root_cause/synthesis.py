"""All analyses and refutations into one ranking of causes, with its references checked.

The weights are nats, so they add up; `cannot see` adds nothing. Sums are exact, so that neither
the order of the analysts nor that of their answers changes a digit.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .answers import (
    FAULTS,
    MEANINGS,
    Analysis,
    Candidate,
    Cause,
    Fault,
    Refutation,
    Report,
    Rival,
)
from .panel import Witness, analyse, refute, services_of

NAMED_SHARE = 0.5
"""A cause is named when it holds more belief than all others and `unknown` together."""

SURE_OF_KIND = 0.9
"""Where the best kind of fault holds less of a service's belief, the others are said with it."""

MOST_CAUSES, MOST_DISMISSED = 10, 5

Hypothesis = tuple[str, Fault]
Panel = Mapping[Hypothesis, Mapping[str, Refutation]]
"""What each piece of evidence that did not propose a hypothesis says to it."""


@dataclass(slots=True)
class _Case:
    """What speaks for and against one hypothesis."""

    nats: list[float] = field(default_factory=list)
    rows: set[str] = field(default_factory=set)
    why: list[str] = field(default_factory=list)


def hunt(witnesses: Sequence[Witness], sizes: Mapping[str, int]) -> Report:
    """Let every witness analyse, every other refute, and rank what is left.

    *sizes* says how many rows each piece of evidence has.
    """
    analyses = {witness.name: analyse(witness) for witness in witnesses}
    services = {service for witness in witnesses for service in services_of(witness)}
    return synthesize(analyses, hear(witnesses, analyses), sizes, services=len(services))


def hypotheses(analyses: Mapping[str, Analysis]) -> dict[Hypothesis, Candidate]:
    """Return what the analysts propose, each hypothesis once, in an order of its own."""
    found: dict[Hypothesis, Candidate] = {}
    for _, analysis in sorted(analyses.items()):
        for candidate in analysis.candidates:
            found.setdefault((candidate.service, candidate.kind), candidate)
    return dict(sorted(found.items()))


def hear(witnesses: Sequence[Witness], analyses: Mapping[str, Analysis]) -> Panel:
    """Return what each witness says to each hypothesis that it did not propose itself."""
    proposed = {
        name: {(one.service, one.kind) for one in analysis.candidates}
        for name, analysis in analyses.items()
    }
    return {
        hypothesis: {
            witness.name: refute(witness, candidate)
            for witness in witnesses
            if hypothesis not in proposed.get(witness.name, set())
        }
        for hypothesis, candidate in hypotheses(analyses).items()
    }


def synthesize(
    analyses: Mapping[str, Analysis],
    panel: Panel,
    sizes: Mapping[str, int],
    *,
    services: int = 0,
    left_out: Mapping[str, str] | None = None,
) -> Report:
    """Rank the causes that *analyses* propose after what the *panel* said to them.

    Belief is shared among as many *services* as there are, alike before anything is known, and
    `unknown` as one more. A reference counts only if its evidence is that of who gave it and has
    such a row; a cause without one that does is no cause. *left_out* says which evidence was not
    heard, and why.
    """
    cases, rejected = _cases(analyses, panel, sizes)
    rivals = _rivals(cases)
    causes = _causes(rivals, services)
    dismissed = tuple(kinds[0] for kinds in rivals.values() if kinds[0].score <= 0)
    return Report(
        conclusion=_conclusion(causes, dismissed),
        causes=causes,
        named=bool(causes) and causes[0].share > NAMED_SHARE,
        dismissed=dismissed[:MOST_DISMISSED],
        rejected=tuple(sorted(rejected)),
        unobserved=tuple(sorted({text for one in analyses.values() for text in one.unobserved})),
        left_out=dict(left_out or {}),
    )


def exists(reference: str, name: str, sizes: Mapping[str, int]) -> bool:
    """Whether *reference* names a row of the evidence *name*."""
    evidence, _, row = reference.rpartition(":")
    return evidence == name and row.isascii() and row.isdigit() and int(row) < sizes.get(name, 0)


def _take(
    case: _Case,
    rejected: set[str],
    name: str,
    rows: Iterable[str],
    why: str,
    sizes: Mapping[str, int],
) -> bool:
    """Take what is cited; return whether it counts: something of it must exist."""
    cited = set(rows)
    found = {reference for reference in cited if exists(reference, name, sizes)}
    rejected |= cited - found
    case.rows |= found
    if found or not cited:
        case.why.append(f"{name}: {why}")
    return bool(found)


def _cases(
    analyses: Mapping[str, Analysis], panel: Panel, sizes: Mapping[str, int]
) -> tuple[dict[Hypothesis, _Case], set[str]]:
    """Return the case of each hypothesis, and the references that do not exist."""
    cases: dict[Hypothesis, _Case] = defaultdict(_Case)
    rejected: set[str] = set()
    for name, analysis in analyses.items():
        for one in analysis.candidates:
            case = cases[one.service, one.kind]
            if _take(case, rejected, name, one.rows, one.why, sizes):
                case.nats.append(one.score)
    for hypothesis, refutations in panel.items():
        for name, said in refutations.items():
            if said.stance == "cannot see":
                continue
            case = cases[hypothesis]
            reason = f"({said.stance}) {said.reason}"
            is_shown = _take(case, rejected, name, said.rows, reason, sizes)
            if is_shown or (said.stance == "contradicts" and not said.rows):
                case.nats.append(said.weight if said.stance == "supports" else -said.weight)
    return cases, rejected


def _rivals(cases: Mapping[Hypothesis, _Case]) -> dict[str, list[Rival]]:
    """Return each service with its hypotheses that cite a row, both the likeliest first."""
    scored = [
        Rival(
            service=service,
            kind=kind,
            score=math.fsum(case.nats),
            rows=tuple(sorted(case.rows, key=_by_row)),
            why=tuple(sorted(case.why)),
        )
        for (service, kind), case in cases.items()
        if case.rows
    ]
    scored.sort(key=lambda one: (-one.score, one.service, FAULTS.index(one.kind)))
    rivals: dict[str, list[Rival]] = defaultdict(list)
    for one in scored:
        rivals[one.service].append(one)
    return rivals


def _causes(rivals: Mapping[str, Sequence[Rival]], services: int) -> tuple[Cause, ...]:
    """Return one cause a service, that of its likeliest kind, best first."""
    likely = [kinds for kinds in rivals.values() if kinds[0].score > 0]
    others = 1 + max(0, services - len(likely))  # each without a word for it: e^0
    belief = math.fsum(math.exp(kinds[0].score) for kinds in likely) + others
    return tuple(
        Cause(
            service=kinds[0].service,
            kind=kinds[0].kind,
            means=MEANINGS[kinds[0].kind],
            score=kinds[0].score,
            share=math.exp(kinds[0].score) / belief,
            kind_share=1 / math.fsum(math.exp(one.score - kinds[0].score) for one in kinds),
            rows=kinds[0].rows,
            why=kinds[0].why,
            other_kinds=tuple(kinds[1:]),
        )
        for kinds in likely[:MOST_CAUSES]
    )


def _conclusion(causes: Sequence[Cause], dismissed: Sequence[Rival]) -> str:
    """Say what was found, how sure it is, or why nothing is."""
    if not causes and not dismissed:
        return "no cause is found: nothing at the incident stands out from the baseline"
    if not causes:
        first = dismissed[0]
        return (
            f"no cause is found: what was proposed, first {first.kind} in {first.service}, is "
            "contradicted by as much as speaks for it, or more; see `dismissed`"
        )
    best = causes[0]
    is_named = best.share > NAMED_SHARE
    found = f"{best.service} is the cause" if is_named else f"no cause is named; {best.service} is"
    found += f" ({best.share:.2f} of the belief)" if is_named else f" likeliest ({best.share:.2f})"
    kind = f"the kind of fault is {best.kind}: {best.means}"
    if best.kind_share >= SURE_OF_KIND or not best.other_kinds:
        return f"{found}; {kind}"
    other = best.other_kinds[0]
    return (
        f"{found}; {kind} ({best.kind_share:.2f}), but other evidence, or the same, speaks for "
        f"{other.kind}: {MEANINGS[other.kind]}; see `other_kinds`"
    )


def _by_row(reference: str) -> tuple[str, int]:
    evidence, _, row = reference.rpartition(":")
    return evidence, int(row)
