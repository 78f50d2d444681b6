"""What analysts, refuters and the synthesis answer: also the schemas that models are held to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Fault = Literal["cpu_contention", "cpu_consumed", "network_delay", "exception", "return"]
"""Kinds of fault, by mechanism: see `mechanisms.py`."""

FAULTS: tuple[Fault, ...] = (
    "cpu_contention",
    "cpu_consumed",
    "network_delay",
    "exception",
    "return",
)

MEANINGS: dict[Fault, str] = {
    "cpu_contention": "another process takes the processor",
    "cpu_consumed": "its own code burns the processor",
    "network_delay": "its packets are late",
    "exception": "its control flow is cut",
    "return": "a call returns the wrong thing, and the flow goes on by another branch",
}
"""What each kind of fault is, in words."""

Stance = Literal["supports", "contradicts", "cannot see"]


class _Answer(BaseModel):
    """A frozen answer without fields nobody asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Prediction(_Answer):
    """What another kind of evidence shows if a candidate is the cause."""

    evidence: str = Field(description="the kind of evidence: logs, spans, metrics or events")
    sign: str = Field(description="what is looked for in it, at the candidate's service")
    present: bool = Field(description="whether it should be there, or should not")


class Candidate(_Answer):
    """One service that may be the cause, and how it may be at fault."""

    service: str
    kind: Fault
    score: float = Field(ge=0, description="how strongly its evidence speaks for it, in nats")
    false_alarm_rate: float = Field(
        ge=0, le=1, description="share of fault-free windows with as strong a candidate"
    )
    predicts: tuple[Prediction, ...] = ()
    rows: tuple[str, ...] = Field(description="the evidence rows that show it, each NAME:ROW")
    why: str = ""


class Analysis(_Answer):
    """What one analyst found in its own evidence."""

    observed: tuple[str, ...]
    unobserved: tuple[str, ...] = Field(description="what this evidence cannot show or lacks")
    candidates: tuple[Candidate, ...]


class Refutation(_Answer):
    """Another analyst's answer to a candidate, from its own evidence."""

    stance: Stance
    weight: float = Field(default=0.0, ge=0, description="how strongly, in nats")
    reason: str
    rows: tuple[str, ...] = ()


class Rival(_Answer):
    """A hypothesis that is not the one ranked: what speaks for and against it all the same."""

    service: str
    kind: Fault
    score: float = Field(description="all that speaks for it less all that speaks against, in nats")
    rows: tuple[str, ...]
    why: tuple[str, ...]


class Cause(_Answer):
    """A ranked cause: what speaks for it, and the rows that show it."""

    service: str
    kind: Fault
    means: str = Field(description="what this kind of fault is")
    score: float = Field(description="all that speaks for it less all that speaks against, in nats")
    share: float = Field(
        ge=0, le=1, description="of the belief, held by the service, with `unknown` among them"
    )
    kind_share: float = Field(
        ge=0, le=1, description="of the belief in this service, held by this kind of fault"
    )
    rows: tuple[str, ...]
    why: tuple[str, ...]
    other_kinds: tuple[Rival, ...] = Field(description="other faults of the same service")


class Report(_Answer):
    """The synthesis: causes, best first, and whether the best is worth naming."""

    conclusion: str = Field(description="the result in a sentence, also where there is no cause")
    causes: tuple[Cause, ...]
    named: bool = Field(description="whether the first service holds more than half of the belief")
    dismissed: tuple[Rival, ...] = Field(
        default=(), description="what was proposed, and is contradicted by more than speaks for it"
    )
    rejected: tuple[str, ...] = Field(description="references that name no row of the evidence")
    unobserved: tuple[str, ...]
    left_out: dict[str, str] = Field(
        default_factory=dict, description="evidence that was not heard, and why"
    )
