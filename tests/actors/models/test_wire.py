"""What is sent, and what is believed of what comes back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.answers import Preference, answer_schema, beginning, write_answer
from commedia.actors.models.form import Form, gone_on
from commedia.actors.models.wire import (
    Attempt,
    Limit,
    Outcome,
    Request,
    Usage,
    body_of,
    most_tokens_in,
    most_tokens_out,
    read_error,
    read_limits,
    read_message,
)
from commedia.actors.questions import Question

PAIR = Question("pair")
ANSWER = '{"verdict": "first"}'


def request(prompt: str = "Which?", **row: Any) -> Request:
    return Request(7, PAIR, (("user", prompt),), row)


def message(**changes: Any) -> bytes:
    body = {
        "type": "message",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 5},
    }
    return json.dumps({**body, **changes}).encode()


def test_a_message_is_read_with_all_its_tokens() -> None:
    usage = {
        "input_tokens": 12,
        "output_tokens": 50,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": None,
        "output_tokens_details": {"thinking_tokens": 40},
    }
    attempt = read_message(message(usage=usage))

    assert attempt == Attempt("ok", ANSWER, Usage(12, 50, 40, 3, 0), "claude-haiku-5-5")
    assert attempt.usage is not None and attempt.usage.total == 65
    assert attempt.is_charged is True


def test_text_is_what_the_text_blocks_say_together() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": '{"verdict":'},
        {"type": "text", "text": ' "tie"}'},
    ]

    assert read_message(message(content=blocks)).text == '{"verdict": "tie"}'


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        ("end_turn", "ok"),
        ("stop_sequence", "ok"),
        ("max_tokens", "truncated"),
        ("refusal", "refused"),
        ("model_context_window_exceeded", "overflow"),
    ],
)
def test_the_stop_reason_is_the_outcome(stop: str, outcome: str) -> None:
    assert read_message(message(stop_reason=stop)).outcome == outcome


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html><body>Bad gateway</body></html>", "not_json"),
        (b"", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[1, 2]", "not_a_message"),
        (message(type="error"), "not_a_message"),
        (message(usage={"input_tokens": -4, "output_tokens": 5}), "usage"),
        (message(usage={"input_tokens": 4.5, "output_tokens": 5}), "usage"),
        (message(usage={"input_tokens": True, "output_tokens": 5}), "usage"),
        (message(usage={"input_tokens": 2**31, "output_tokens": 5}), "usage"),
        (message(usage={"input_tokens": 4}), "usage"),
        (message(usage=None), "usage"),
        (message(content=ANSWER), "content"),
        (message(content=None), "content"),
        (message(content=[{"type": "text", "text": 3}]), "content"),
        (message(stop_reason=None), "stop_reason"),
        (message(stop_reason="tool_use"), "stop_reason"),
        (message(stop_reason=["end_turn"]), "stop_reason"),
    ],
)
def test_what_is_no_message_is_malformed_and_its_charge_unknown(data: bytes, reason: str) -> None:
    attempt = read_message(data)

    assert (attempt.outcome, attempt.reason) == ("malformed", reason)
    assert attempt.is_charged is None


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_nothing_a_server_sends_raises(value: Any) -> None:
    for field in ("usage", "content", "stop_reason", "model", "type"):
        read_message(message(**{field: value}))


def test_a_models_name_cannot_carry_a_terminal_escape() -> None:
    served = read_message(message(model="\x1b[31mevil\n" + "x" * 500)).served_model

    assert served is not None
    assert served.startswith("??31mevil?xxx") and len(served) == 100


@pytest.mark.parametrize(
    ("status", "message", "outcome"),
    [
        (400, "messages: too short", "bad_request"),
        (400, "output_config: Extra inputs are not permitted", "no_strict_form"),
        (422, "unknown field output_config", "no_strict_form"),
        (401, "", "auth"),
        (402, "", "quota"),
        (403, "", "auth"),
        (404, "", "not_found"),
        (408, "", "server_error"),
        (413, "", "too_large"),
        (429, "", "rate_limited"),
        (500, "", "server_error"),
        (502, "", "server_error"),
        (503, "", "overloaded"),
        (529, "", "overloaded"),
        (302, "", "bad_request"),
    ],
)
def test_an_error_status_is_an_outcome(status: int, message: str, outcome: str) -> None:
    assert read_error(status, message)[0] == outcome


def test_the_strict_form_asks_for_the_schema_and_leaves_the_prompt_alone() -> None:
    strict = body_of(request(effort="low"), model="m", max_tokens=64, strict=answer_schema(PAIR))

    assert strict["messages"] == [{"role": "user", "content": "Which?"}]
    assert strict["output_config"]["format"]["type"] == "json_schema"
    assert strict["output_config"]["effort"] == "low"


def test_the_plain_form_describes_the_schema_in_the_prompt() -> None:
    plain = body_of(request(), model="m", max_tokens=64, strict=None)

    assert "output_config" not in plain
    assert '"enum": ["first", "tie", "second"]' in plain["messages"][0]["content"]


def test_a_re_ask_shows_the_answer_and_what_is_wrong_with_it() -> None:
    again = request().reasked("  ", "the answer is not JSON")

    assert [role for role, _ in again.turns] == ["user", "assistant", "user"]
    assert again.turns[1][1] == "(nothing)"
    assert "the answer is not JSON" in again.turns[2][1]


@given(st.text(), st.booleans(), st.lists(st.text(), max_size=3))
def test_the_bound_is_above_the_bytes_of_any_form(
    prompt: str, strict: bool, answers: list[str]
) -> None:
    asked = request(prompt)
    for answer in answers:
        asked = asked.reasked(answer, "it does not fit")
    body = body_of(asked, model="m", max_tokens=64, strict=answer_schema(PAIR) if strict else None)
    sent = sum(len(turn["content"].encode("utf-8", "replace")) for turn in body["messages"])

    assert most_tokens_in(asked) > sent + len(json.dumps(body.get("output_config", {})))


def test_room_for_an_answer_grows_with_the_list_and_with_thinking() -> None:
    assert most_tokens_out(PAIR) == 40
    assert most_tokens_out(Question("list", 10)) == 100
    assert most_tokens_out(PAIR, thinks=True) > 4000


def test_three_broken_strict_answers_in_a_row_end_the_strict_form() -> None:
    form = Form()
    for attempt in (Attempt("ok", "first"), Attempt("no_strict_form"), Attempt("ok", ANSWER)):
        form.note(attempt, strict=True)
    assert form.is_strict and form.broken == 0
    prose = Attempt("truncated", "The first one is")
    for attempt in (Attempt("ok", "first"), Attempt("no_strict_form"), prose):
        form.note(attempt, strict=True)

    assert not form.is_strict


def test_a_sign_of_thinking_makes_room_for_it() -> None:
    silent, thoughtful = Form(), Form()
    silent.note(Attempt("truncated", "", Usage(9, 64)), strict=True)
    thoughtful.note(Attempt("ok", ANSWER, Usage(9, 90, 80)), strict=True)

    assert silent.thinks and thoughtful.thinks


PROSE = Attempt("ok", "The first text has more of it.")
CUT = Attempt("truncated", "You are given a task")


def test_who_writes_prose_three_times_has_its_answers_begun() -> None:
    form = Form(is_strict=False)
    for attempt in (PROSE, CUT, Attempt("ok", ANSWER), PROSE, CUT):
        form.note(attempt, strict=False)
    assert not form.is_begun

    form.note(PROSE, strict=False)
    assert form.is_begun


def test_an_endpoint_that_refuses_a_begun_answer_is_not_asked_so_again() -> None:
    form = Form(is_strict=False, is_begun=True)
    form.note(Attempt("bad_request"), strict=False, begun=True)
    for _ in range(10):
        form.note(PROSE, strict=False)

    assert not form.is_begun


@pytest.mark.parametrize("task", ["pair", "graded", "score", "list:4"])
def test_every_answer_begins_as_its_question_says(task: str) -> None:
    question = Question.parse(task)
    order = (2, 0, 1, 3) if question.kind == "list" else None
    answer = write_answer(question, Preference(None if order else 1, order))
    begun = beginning(question)
    body = body_of(request(), model="m", max_tokens=9, strict=None, begun=begun)

    assert answer.startswith(begun)
    assert body["messages"][-1] == {"role": "assistant", "content": begun}
    assert gone_on(Attempt("ok", answer.removeprefix(begun)), begun).text == answer


@pytest.mark.parametrize(
    ("said", "outcome", "text", "ends"),
    [
        ('first"}', "ok", ANSWER, "ok"),
        (ANSWER, "ok", ANSWER, "ok"),
        ('first"}} and so on', "truncated", ANSWER, "ok"),
        ("first, because", "truncated", '{"verdict": "first, because', "truncated"),
        ("", "refused", '{"verdict": "', "refused"),
    ],
)
def test_a_begun_answer_is_the_value_that_it_begins_with(
    said: str, outcome: Outcome, text: str, ends: str
) -> None:
    found = gone_on(Attempt(outcome, said), '{"verdict": "')

    assert (found.text, found.outcome) == (text, ends)


def test_rate_limits_are_read_from_headers_that_tell_both_parts() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-input-tokens-limit": "2000000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-limit": "400000",
    }
    assert read_limits(headers) == {"requests": Limit(4000, 3999), "tokens_in": Limit(2000000, 0)}


@pytest.mark.parametrize("told", ["", "-1", "many", "1e9", "0", "9" * 400, "٣"])
def test_a_limit_that_is_no_count_is_not_told(told: str) -> None:
    headers = dict.fromkeys(
        ("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"), told
    )
    assert read_limits(headers) is None
