"""What goes wrong at a server on demand: rules, and which of them strikes a request. Pure."""

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...errors import UsageError
from ...simulation.keyed import mix, text_key, uniform
from .malformed import SHAPES

BEFORE: Final = {
    "drop_before": "the connection is closed, nothing was accepted",
}
AFTER: Final = {
    "drop_after": "the connection is closed once the answer is due",
    "drop_midway": "it is closed in the middle of the answer",
    "hang": "no answer ever comes",
    "trickle": "the answer comes a byte at a time",
    "giant": "the answer is followed by a huge text",
    "malformed": "status 200, and the body is no message",
}
"""Faults of requests that are accepted, and so charged."""

_CHARGED: Final = "_charged"
_STATUSES: Final = range(400, 600)
_SHARE: Final = text_key("share of a fault")
_WHICH: Final = text_key("which fault of a rule")
_SHAPE: Final = text_key("which malformed shape")

Where = Literal["messages", "count_tokens", "batches", "batch_items"]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]


class Rule(BaseModel):
    """When a fault strikes: all that is said must hold; nothing said, every request is struck.

    *share* is drawn for each request and attempt, so another attempt may succeed; *attempts* lets
    only so many first attempts fail. Seconds count from the first request, requests from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    fault: list[str]
    on: Where = "messages"
    share: float = Field(1.0, ge=0, le=1)
    every: Count | None = None
    attempts: Count | None = None
    from_s: Seconds = 0.0
    to_s: Seconds = math.inf
    from_request: Count = 1
    to_request: Count | None = None
    retry_after: Annotated[float, Field(allow_inf_nan=False)] | str | None = None
    message: str = "a fault on demand"
    interval_s: Seconds = 0.5
    bytes: Count = 64 * 2**20

    @field_validator("fault", mode="before")
    @classmethod
    def _listed(cls, fault: Any) -> list[str]:  # Any: whatever the file holds
        kinds = [str(kind) for kind in (fault if isinstance(fault, list) else [fault])]
        if not kinds:
            raise ValueError("a list of faults needs one")
        for kind in kinds:
            why = _why_unknown(kind)
            if why is not None:
                raise ValueError(why)
        return kinds

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        is_empty = self.to_request is not None and self.to_request < self.from_request
        if is_empty or self.to_s < self.from_s:
            raise ValueError("its range ends before it begins")
        if self.on != "messages":
            allowed = ("drop_before", "drop_after") if self.on == "batches" else ("drop_before",)
            for kind in self.fault:
                if not kind.isdigit() and (kind not in allowed or self.on == "batch_items"):
                    raise ValueError(f"{kind} is no fault of {self.on}")
        return self


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that strikes a request: its *kind*, and the *rule* that has its details."""

    kind: str
    rule: Rule
    shape: str | None = None

    @property
    def name(self) -> str:
        """What a log calls it."""
        return self.kind if self.shape is None else f"{self.kind}:{self.shape}"

    @property
    def status(self) -> int | None:
        """The status of an error response; None if that is not what happens."""
        digits = self.kind.removesuffix(_CHARGED)
        return int(digits) if digits.isdigit() else None

    @property
    def is_charged(self) -> bool:
        """Whether the request is accepted before the fault strikes."""
        return self.kind in AFTER or self.kind.endswith(_CHARGED)


@dataclass(frozen=True, slots=True)
class Faults:
    """The rules of a server; the first that strikes a request is the one."""

    rules: Sequence[Rule] = ()
    seed: int = 0

    def strike(
        self, digest: str, *, on: Where, attempt: int, number: int, elapsed_s: float
    ) -> Strike | None:
        """Return what strikes the *attempt* (from 0) at the request *digest*, if anything does.

        It is the *number*-th request (from 1), and comes *elapsed_s* after the first.
        """
        for place, rule in enumerate(self.rules):
            if rule.on != on or not _is_due(rule, attempt, number, elapsed_s):
                continue
            key = mix(text_key("fault", self.seed, place, attempt), text_key(digest))
            if float(uniform(mix(key, _SHARE))) < rule.share:
                kind = rule.fault[int(float(uniform(mix(key, _WHICH))) * len(rule.fault))]
                return _strike(kind, rule, float(uniform(mix(key, _SHAPE))))
        return None


def _is_due(rule: Rule, attempt: int, number: int, elapsed_s: float) -> bool:
    return (
        rule.from_s <= elapsed_s < rule.to_s
        and rule.from_request <= number
        and (rule.to_request is None or number <= rule.to_request)
        and (rule.every is None or number % rule.every == 0)
        and (rule.attempts is None or attempt < rule.attempts)
    )


def _strike(kind: str, rule: Rule, drawn: float) -> Strike:
    name, _, shape = kind.partition(":")
    if name == "malformed" and not shape:
        shape = SHAPES[int(drawn * len(SHAPES))]
    return Strike(name, rule, shape or None)


def _why_unknown(kind: str) -> str | None:
    """Return why there is no such fault, as the end of a sentence; None if there is."""
    name, _, shape = kind.partition(":")
    if name == "malformed" and shape and shape not in SHAPES:
        return f"no malformed answer is called {shape[:50]!r}; there are {', '.join(SHAPES)}"
    digits = kind.removesuffix(_CHARGED)
    is_status = digits.isdigit() and digits.isascii() and int(digits) in _STATUSES
    if is_status or kind in BEFORE or name == "malformed" or kind in AFTER:
        return None
    known = ", ".join((*BEFORE, *AFTER))
    return f"no fault is called {kind[:50]!r}; there are the statuses from 400 to 599, {known}"


def faults_from(path: Path, *, seed: int = 0) -> Faults:
    """Read the rules in *path*, TOML (`[[rule]]`) or JSON; raises UsageError, which says why."""
    try:
        data = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the faults {path}: {error.strerror or error}") from None
    except ValueError:
        raise UsageError(f"the faults {path} are no text in UTF-8") from None
    try:
        given = tomllib.loads(data) if path.suffix == ".toml" else json.loads(data)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise UsageError(f"the faults {path} are no {kind}: {error}") from None
    rules = given.get("rule") if isinstance(given, dict) and set(given) == {"rule"} else given
    if not isinstance(rules, list):
        raise UsageError(f"the faults {path} must be a list of rules, each under [[rule]]")
    return Faults([_rule(path, n, rule) for n, rule in enumerate(rules, 1)], seed)


def _rule(path: Path, number: int, given: Any) -> Rule:  # Any: whatever the file holds
    try:
        return Rule.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1])
        why = first["msg"].removeprefix("Value error, ")
        place = f" ({where})" if where else ""
        raise UsageError(f"the faults {path}, rule {number}{place}: {why}") from None
