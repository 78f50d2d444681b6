"""Adversarial verification: each claim faces verifiers who try to refute it, each in its own way.

When: a false claim is dear, and a claim can be checked from itself and what a verifier knows. Not
when: code can check it (then let code), or a claim lost is as dear as a false one kept: every
verifier also loses some that are true.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Generic, Literal, TypeVar, Unpack

from ..actors.errors import UsageError
from ..actors.verifier import Ruling, Verdict
from ..supervisor.agents import AgentOptions
from ..supervisor.results import Failure, Results
from ..supervisor.run import Run
from .items import Topics, by_place, carried, filled, topics_of

T = TypeVar("T")
Rule = Literal["majority", "veto"]

VARIANT: Final = "lens-1"

LENSES: Final = (
    "facts: check each thing that it states on its own, and look for one that is wrong",
    "rivals: look for another explanation that fits what is known as well or better",
    "logic: assume that all it rests on is true, and look for a step that does not follow",
    "limits: look for a case that it covers and in which it fails, or for what it overstates",
    "sources: look for what it rests on that does not say so, or that nobody could know",
)
"""How verifiers look at a claim, the first voter in the first way."""


@dataclass(frozen=True)
class Poll(Generic[T]):
    """A claim, and what each of its verifiers found; *keep* are the rulings that speak for it."""

    claim: T
    verdicts: tuple[Verdict, ...]
    keep: frozenset[Ruling] = frozenset((Ruling.UPHELD,))

    @property
    def counts(self) -> Counter[Ruling]:
        """How often each ruling was given, abstentions among them."""
        return Counter(verdict.verdict for verdict in self.verdicts)

    @property
    def cast(self) -> int:
        """How many verifiers did not abstain."""
        return len(self.verdicts) - self.counts[Ruling.ABSTAINED]

    def first(self, votes: int) -> "Poll[T]":
        """Return what the first *votes* verifiers found alone."""
        return replace(self, verdicts=self.verdicts[:votes])

    def upheld(self, rule: Rule = "majority") -> bool | None:
        """Whether the claim is upheld by *rule*; None where every verifier abstained.

        By `majority` more than half of those that did not abstain speak for it; by `veto` that,
        and nobody refutes it.
        """
        if not self.cast:
            return None
        most = sum(self.counts[ruling] for ruling in self.keep) * 2 > self.cast
        return most and not (rule == "veto" and self.counts[Ruling.REFUTED])


async def poll(
    run: Run,
    claims: Sequence[T],
    rubric: str,
    *,
    votes: int = 3,
    lenses: Sequence[str] = LENSES,
    models: Sequence[str] = (),
    keep: Collection[Ruling] = (Ruling.UPHELD,),
    topics: Topics | None = None,
    **options: Unpack[AgentOptions],
) -> Results[Poll[T]]:
    """Have *votes* verifiers try to refute each of *claims*; return what each of them found.

    A claim is a text, a value, or a handle. Voter i looks through lens i, and is of model i where
    *models* are named, in turn. Claims of which nobody can say anything stay among the results.
    """
    if votes < 1 or not lenses:
        raise UsageError(f"a claim needs a vote and a lens: {votes} votes, {len(lenses)} lenses")
    about = [()] * len(claims) if topics is None else topics_of(claims, topics)
    filled_in = filled(options, author=run.model, repeat=0)

    async def face(claim: T, topic: Sequence[str]) -> Poll[T]:
        asked = []
        for vote in range(votes):
            lens = lenses[vote % len(lenses)]
            voter: AgentOptions = {**filled_in, "repeat": filled_in["repeat"] + vote}
            voter = filled(voter, variant=f"{VARIANT}:{vote % len(lenses)}", about=topic)
            if models:
                voter["model"] = models[vote % len(models)]
            asked.append(run.verify(claim, rubric, lens=lens, **voter))
        verdicts = await run.parallel(asked, on_error="raise")
        return Poll(claim, tuple(verdicts), frozenset(keep))

    thunks = [partial(face, claim, topic) for claim, topic in zip(claims, about, strict=True)]
    return carried(await run.parallel(thunks, on_error="collect"), claims)


async def verify_adversarially(
    run: Run,
    claims: Sequence[T],
    rubric: str,
    *,
    votes: int = 3,
    lenses: Sequence[str] = LENSES,
    models: Sequence[str] = (),
    rule: Rule = "majority",
    keep: Collection[Ruling] = (Ruling.UPHELD,),
    topics: Topics | None = None,
    **options: Unpack[AgentOptions],
) -> Results[T]:
    """Return those of *claims* that their verifiers uphold against *rubric*, in their order.

    See `poll` for the verifiers. A claim of which all abstained is neither upheld nor refuted: it
    is listed in `failed`. Cost: *votes* agents a claim, each about half of the worker who made it.

    In the benchmark (78% of the claims are true) one verifier of the author's model brings
    precision to .90 and keeps .85 of what is true; three bring .92 and .89, five hardly more, so
    three are the default. Three of two families in turn bring .95 and .89: name *models*. Three
    with a veto bring .96 and .68: for claims that must not be wrong.
    """
    polls = await poll(
        run,
        claims,
        rubric,
        votes=votes,
        lenses=lenses,
        models=models,
        keep=keep,
        topics=topics,
        **options,
    )
    rulings = [each.upheld(rule) for each in polls]
    undecided = [
        Failure(place, f"undecided: all {votes} verifiers abstained ({_why(each)})")
        for place, each, ruling in zip(polls.places, polls, rulings, strict=True)
        if ruling is None
    ]
    kept = polls.where(rulings).map(_claim_of)
    lost = len(polls) - len(kept) - len(undecided)
    run.log(f"{len(kept)} claims upheld, {lost} not, {len(undecided)} undecided")
    return Results(kept, by_place([*kept.failed, *undecided]), kept.places)


def _claim_of(polled: Poll[T]) -> T:
    return polled.claim


def _why(polled: Poll[Any]) -> str:
    return "; ".join(dict.fromkeys(verdict.reason for verdict in polled.verdicts))
