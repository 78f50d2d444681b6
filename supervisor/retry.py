"""What to do after an attempt: again, and when, or not. Pure: facts in, decision out.

An attempt is one HTTP request. A call is all attempts at one request: it has one wall deadline,
which waits that the server itself asks for do not use up. What may have been charged without an
answer (a drop after sending, a 500) is tried once more; a timeout is not, its deadline has passed.
"""

from dataclasses import dataclass
from typing import Final

from ..actors.answers import SILENT_CALLS
from ..actors.models.wire import Attempt, Outcome
from ..actors.simulation.keyed import text_key, uniform

MAX_ATTEMPTS: Final = 6
"""Attempts of one question: a re-ask is another question."""
MAX_REASKS: Final = 4
MAX_UNKNOWN: Final = 2
UNUSABLE: Final = "unusable"
LONGEST_WAIT_S: Final = 300.0
"""A server that asks for more patience than this does not get it."""

_FINAL: Final[dict[Outcome, tuple[str, str]]] = {
    "refused": ("refused", "refusal"),
    "truncated": ("truncated", "max_tokens"),
    "overflow": ("failed", "context_window"),
    "bad_request": ("failed", "bad_request"),
    "too_large": ("failed", "too_large"),
    "auth": ("failed", "auth"),
    "quota": ("failed", "quota"),
    "not_found": ("failed", "model"),
    "timeout": ("timeout", "deadline"),
    "script_failed": ("failed", "script"),
}
_AGAIN: Final[dict[Outcome, str]] = {
    "rate_limited": "rate_limited",
    "overloaded": "overloaded",
    "unreachable": "connection",
    "dropped": "connection",
    "server_error": "server_error",
    "malformed": "malformed",
    "no_strict_form": "structured_output",
}
_FIVE: Final = frozenset({"auth", "quota", "model"})
_SCHEMA: Final = frozenset({"schema", "not_json"})
_TWENTY: Final = frozenset(
    {"rate_limited", "overloaded", "connection", "server_error", "deadline", "malformed"}
)


@dataclass(frozen=True, slots=True)
class Again:
    """Send the same question again in *after_s*; *is_asked_for* where the server named the wait."""

    after_s: float
    is_asked_for: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the call with *status* and a *reason* in one closed word."""

    status: str
    reason: str


def after_failure(
    attempt: Attempt, *, attempts: int, unknowns: int, left_s: float, key: object
) -> Again | GiveUp:
    """Decide what follows a failed *attempt*, the *attempts*-th of its question.

    *unknowns* counts attempts of the call (this one included) that may have been charged in vain,
    *left_s* what is left of its deadline; *key* makes the jitter a function of the call.
    """
    if attempt.reason == "thinking":  # now the client leaves room for it
        return Again(0.0)
    if attempt.outcome in _FINAL:
        status, reason = _FINAL[attempt.outcome]
        return GiveUp(status, attempt.reason or reason)
    reason = _AGAIN[attempt.outcome]
    if attempts >= MAX_ATTEMPTS or unknowns >= MAX_UNKNOWN:
        return GiveUp("failed", reason)
    if attempt.outcome == "no_strict_form":
        return Again(0.0)
    if attempt.retry_after_s is not None:
        if attempt.retry_after_s > LONGEST_WAIT_S:
            return GiveUp("failed", reason)
        return Again(attempt.retry_after_s, is_asked_for=True)
    wait = _backoff_s(attempt.outcome, attempts, key)
    return Again(wait) if wait < left_s else GiveUp("timeout", reason)


@dataclass(slots=True)
class Breaker:
    """Opens when calls keep failing with nothing better between: then all others end at once.

    Five calls for a cause that no patience mends (key, quota, model's name), twenty for others, and
    thirty without a usable answer, whatever the cause: then it is `unusable`.
    """

    cause: str | None = None
    in_a_row: int = 0
    barren: int = 0
    is_open: bool = False

    def open(self, cause: str) -> None:
        """End all calls at once, because of *cause*."""
        self.cause, self.is_open = cause, True

    def note(self, reason: str | None, *, is_single: bool = False) -> None:
        """Take in how a call ended: None is a usable answer.

        Of agents written one by one (*is_single*) five whose answers do not fit are enough; among
        thousands of alike, as in a ranking, broken answers are missing data.
        """
        if self.is_open:
            return
        reason = reason and reason.partition(":")[0]  # behind it stands which rule was broken
        self.barren = 0 if reason is None else self.barren + 1
        if self.barren >= SILENT_CALLS:
            return self.open(UNUSABLE)
        limit = 5 if reason in _FIVE else 20 if reason in _TWENTY else 0
        if is_single and reason in _SCHEMA:
            limit = 5
        if not limit:
            self.cause, self.in_a_row = None, 0
            return
        self.in_a_row = self.in_a_row + 1 if reason == self.cause else 1
        self.cause = reason
        self.is_open = self.in_a_row >= limit


@dataclass(slots=True)
class Patience:
    """Whether an invalid answer is worth asking again: up to four times a call.

    A model that has never mended an answer in *trials* re-asks is not re-asked any more.
    """

    trials: int = 10
    mended: int = 0
    in_vain: int = 0

    def asks_again(self, reasks: int) -> bool:
        """Whether to ask again after *reasks* re-asks of the call."""
        is_hopeless = not self.mended and self.in_vain >= self.trials
        return reasks < MAX_REASKS and not is_hopeless

    def note(self, *, mended: bool) -> None:
        """Take in what one re-ask brought."""
        self.mended += mended
        self.in_vain += not mended


def _backoff_s(outcome: Outcome, attempts: int, key: object) -> float:
    longest = 60.0 if outcome == "overloaded" else 8.0
    base = min(0.5 * 2.0 ** (attempts - 1), longest)
    share = float(uniform(text_key("backoff", key, attempts).reshape(1))[0])
    return base * (0.5 + 0.5 * share)
