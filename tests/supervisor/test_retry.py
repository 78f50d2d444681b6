"""What follows an attempt, and when patience ends."""

import pytest

from commedia.actors.answers import SILENT_CALLS
from commedia.actors.models.wire import Attempt, Outcome
from commedia.supervisor.retry import (
    MAX_ATTEMPTS,
    Again,
    Breaker,
    GiveUp,
    Patience,
    after_failure,
)


def follow(attempt: Attempt, **facts: float) -> Again | GiveUp:
    given = {"attempts": 1, "unknowns": 0, "left_s": 120.0, "key": 7, **facts}
    return after_failure(attempt, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        ("refused", "refused", "refusal"),
        ("truncated", "truncated", "max_tokens"),
        ("overflow", "failed", "context_window"),
        ("bad_request", "failed", "bad_request"),
        ("too_large", "failed", "too_large"),
        ("auth", "failed", "auth"),
        ("quota", "failed", "quota"),
        ("not_found", "failed", "model"),
        ("timeout", "timeout", "deadline"),
    ],
)
def test_what_patience_cannot_mend_is_given_up(outcome: Outcome, status: str, reason: str) -> None:
    assert follow(Attempt(outcome)) == GiveUp(status, reason)


@pytest.mark.parametrize(
    "outcome",
    ["rate_limited", "overloaded", "unreachable", "dropped", "server_error", "malformed"],
)
def test_what_may_pass_is_tried_again_with_growing_keyed_waits(outcome: Outcome) -> None:
    waits = [follow(Attempt(outcome), attempts=n) for n in range(1, MAX_ATTEMPTS)]

    assert all(isinstance(wait, Again) and not wait.is_asked_for for wait in waits)
    assert waits == [follow(Attempt(outcome), attempts=n) for n in range(1, MAX_ATTEMPTS)]
    assert waits[0] != follow(Attempt(outcome), key=8)
    assert isinstance(waits[4], Again) and isinstance(waits[0], Again)
    assert waits[4].after_s > waits[0].after_s
    assert isinstance(follow(Attempt(outcome), attempts=MAX_ATTEMPTS), GiveUp)


def test_a_servers_wait_is_honoured_even_past_the_deadline() -> None:
    asked = Attempt("rate_limited", retry_after_s=40.0)

    assert follow(asked, left_s=1.0) == Again(40.0, is_asked_for=True)
    assert follow(Attempt("rate_limited", retry_after_s=3600.0)) == GiveUp("failed", "rate_limited")


def test_a_wait_of_our_own_ends_with_the_deadline() -> None:
    assert follow(Attempt("overloaded"), left_s=0.1) == GiveUp("timeout", "overloaded")


def test_what_may_have_been_charged_in_vain_is_tried_once_more() -> None:
    assert isinstance(follow(Attempt("server_error"), unknowns=1), Again)
    assert follow(Attempt("server_error"), unknowns=2) == GiveUp("failed", "server_error")


def test_another_form_is_tried_at_once() -> None:
    assert follow(Attempt("no_strict_form")) == Again(0.0)
    assert follow(Attempt("truncated", reason="thinking")) == Again(0.0)


def test_five_failures_in_a_row_on_one_cause_open_the_breaker() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.note("auth")
    breaker.note(None)
    for _ in range(4):
        breaker.note("auth")
    assert not breaker.is_open
    breaker.note("auth")

    assert breaker.is_open and breaker.cause == "auth"


def test_an_endpoint_that_is_down_opens_it_after_twenty() -> None:
    breaker = Breaker()
    for _ in range(19):
        breaker.note("connection")
    assert not breaker.is_open
    breaker.note("connection")

    assert breaker.is_open


def test_many_calls_in_a_row_without_a_usable_answer_open_it() -> None:
    breaker = Breaker()
    for _ in range(3):
        for reason in ["schema", "refusal", "auth", "max_tokens"] * 7:
            breaker.note(reason)
        assert not breaker.is_open
        breaker.note(None)
    for _ in range(SILENT_CALLS):
        breaker.note("schema")

    assert breaker.is_open and breaker.cause == "unusable"


def test_a_model_that_never_mends_an_answer_is_not_re_asked() -> None:
    patience = Patience(trials=3)
    assert patience.asks_again(3) and not patience.asks_again(4)
    for _ in range(3):
        patience.note(mended=False)
    assert not patience.asks_again(0)

    patience.note(mended=True)
    assert patience.asks_again(0)
