"""How an endpoint is asked, learned from its answers: what it cannot do is asked in another way."""

import json
from dataclasses import dataclass, replace
from typing import Final

from .wire import Attempt, Outcome, Usage

_NEVER: Final = -(10**9)


@dataclass(slots=True)
class Form:
    """How an endpoint is asked, learned from its answers.

    Three broken strict answers in a row, and it is no longer asked for strict structured output;
    three judges in a row that write prose then, and their answers are begun for them, unless the
    endpoint refuses that; the first sign of thinking, and answers get room for it.
    """

    is_strict: bool = True
    is_begun: bool = False
    thinks: bool = False
    broken: int = 0
    prose: int = 0

    def note(self, attempt: Attempt, *, strict: bool, begun: bool = False) -> None:
        """Take in an *attempt* that was sent in *strict* form, or without, or *begun*."""
        usage = attempt.usage or Usage()
        silent = attempt.outcome == "truncated" and not attempt.text
        self.thinks = self.thinks or usage.thinking > 0 or silent
        if begun and attempt.outcome == "bad_request":
            self.is_begun, self.prose = False, _NEVER
        if not strict:
            if _is_prose(attempt):
                self.prose += 1
            elif attempt.outcome == "ok" and self.prose > 0:
                self.prose = 0
            self.is_begun = self.is_begun or self.prose == 3
            return
        if attempt.outcome == "no_strict_form" or _is_prose(attempt):
            self.broken += 1
        elif attempt.outcome == "ok":
            self.broken = 0
        self.is_strict = self.is_strict and self.broken < 3


def gone_on(attempt: Attempt, begun: str) -> Attempt:
    """Return *attempt* at an answer that was *begun*: the JSON value that it begins with, if any.

    Some servers repeat what was begun, some do not; what stands behind the value is chatter.
    """
    text = attempt.text if attempt.text.lstrip().startswith("{") else begun + attempt.text
    try:
        _, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return replace(attempt, text=text)
    done: Outcome = "ok" if attempt.outcome == "truncated" else attempt.outcome
    return replace(attempt, outcome=done, text=text.lstrip()[:end])


def is_json(text: str) -> bool:
    """Whether *text* is one JSON value and nothing else."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_prose(attempt: Attempt) -> bool:
    if attempt.outcome == "truncated":
        return bool(attempt.text) and not attempt.text.lstrip().startswith("{")
    return attempt.outcome == "ok" and not is_json(attempt.text)
