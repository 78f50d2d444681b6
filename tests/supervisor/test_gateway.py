"""The gateway pays once, never above the cap, and answers every row."""

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from gateways import Here, Row, ask, opened, report, requests, scripted, send

from commedia.actors.answers import SILENT_CALLS, Preference
from commedia.actors.clock import WallClock
from commedia.actors.errors import PriceUnknownError
from commedia.actors.messages import ModelSpec
from commedia.actors.models.wire import Attempt, Usage
from commedia.supervisor.budget import Budget
from commedia.supervisor.gateway import Drain, Gateway, Spending, check_budget

FIRST = Preference(grade=1)


def test_every_row_is_answered_once_and_typed() -> None:
    replies, spending = scripted(lambda row: FIRST, rows=200)

    assert [reply["call_id"] for reply in replies] == list(range(200))
    assert {reply["status"] for reply in replies} == {"ok"}
    assert {reply["grade"] for reply in replies} == {1}
    assert {reply["answer"] for reply in replies} == {'{"verdict": "first"}'}
    assert {reply["_integrity"] for reply in replies} == {1}
    assert (spending.calls, spending.agents, spending.reserved_tokens) == (200, 200, 0)
    assert spending.tokens == sum(r["tokens_in"] + r["tokens_out"] for r in replies)


def test_a_list_is_answered_in_places_from_zero() -> None:
    [reply], _ = scripted(lambda row: {"order": [3, 1, 2]}, task="list:3")

    assert reply["order"] == [2, 0, 1]


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (Attempt("refused", usage=Usage(5, 1)), "refused", "refusal"),
        (Attempt("truncated", usage=Usage(5, 64)), "truncated", "max_tokens"),
        (Attempt("overflow", usage=Usage(5, 64)), "failed", "context_window"),
        (Attempt("bad_request"), "failed", "bad_request"),
        (Attempt("auth"), "failed", "auth"),
        (Attempt("timeout"), "timeout", "deadline"),
        ("first", "invalid", "not_json"),
        ({"verdict": "left"}, "invalid", "schema: verdict (enum)"),
        (Preference(order=(0, 1)), "failed", "a Preference of pair has a grade from -1 to 1"),
    ],
)
def test_a_call_without_an_answer_says_why(answer: object, status: str, reason: str) -> None:
    [reply], spending = scripted(lambda row: answer)

    assert (reply["status"], reply["reason"]) == (status, reason)
    assert reply["grade"] is None and reply["answer"] is None
    assert spending.reserved_tokens == 0


def test_a_script_that_raises_is_a_failed_call() -> None:
    def script(row: Row) -> Preference:
        raise LookupError(row["call_id"])

    [reply], _ = scripted(script)

    assert (reply["status"], reply["reason"]) == ("failed", "LookupError: 0")


def test_an_invalid_answer_is_asked_again_with_the_reason() -> None:
    prompts: list[str] = []

    def script(row: Row) -> object:
        prompts.append(row["prompt"])
        return {"verdict": "left"} if len(prompts) < 3 else FIRST

    [reply], spending = scripted(script)

    assert reply["status"] == "ok" and reply["attempts"] == 3
    assert "verdict does not fit the schema" in prompts[1]
    assert '{"verdict": "left"}' in prompts[1]
    assert spending.agents == 1 and spending.requests == 3
    assert spending.tokens == reply["tokens_in"] + reply["tokens_out"]


def test_it_gives_up_after_four_more_tries() -> None:
    [reply], _ = scripted(lambda row: "no")

    assert (reply["status"], reply["attempts"]) == ("invalid", 5)


def test_a_model_that_never_mends_its_answers_is_asked_once() -> None:
    replies, _ = scripted(lambda row: "no", rows=SILENT_CALLS, in_flight=1)

    assert sum(reply["attempts"] for reply in replies) == SILENT_CALLS + 10
    assert {reply["status"] for reply in replies} == {"invalid"}


def test_many_unusable_answers_in_a_row_end_the_asking() -> None:
    cut = Attempt("truncated", "Well", Usage(5, 64))
    replies, spending = scripted(lambda row: cut, rows=300, in_flight=1)
    statuses = [reply["status"] for reply in replies]

    assert statuses == ["truncated"] * SILENT_CALLS + ["skipped"] * (300 - SILENT_CALLS)
    assert replies[-1]["reason"] == spending.broken == "unusable"


def test_what_may_pass_is_tried_again() -> None:
    faults = ["rate_limited", "overloaded", "unreachable", "overloaded", "rate_limited"]

    def script(row: Row) -> object:
        return Attempt(faults.pop()) if faults else FIRST  # type: ignore[arg-type]

    [reply], spending = scripted(script)

    assert (reply["status"], reply["attempts"]) == ("ok", 6)
    assert spending.unknown == 0 and spending.agents == 1


def test_a_charge_that_nobody_knows_costs_its_full_reserve() -> None:
    [reply], spending = scripted(lambda row: Attempt("dropped"))

    assert (reply["status"], reply["reason"]) == ("failed", "connection")
    assert spending.unknown == reply["attempts"] == 2
    assert spending.tokens > 2 * 500
    assert spending.agents == 1


def test_what_was_not_charged_costs_nothing() -> None:
    _, spending = scripted(lambda row: Attempt("unreachable"))

    assert (spending.tokens, spending.unknown, spending.requests) == (0, 0, 6)


def test_five_wrong_keys_in_a_row_fail_all_the_rest_at_once() -> None:
    replies, spending = scripted(lambda row: Attempt("auth"), rows=100, in_flight=2)

    assert {(reply["status"], reply["reason"]) for reply in replies} == {("failed", "auth")}
    assert spending.requests <= 6
    assert spending.broken == "auth"


def test_the_cap_on_agents_holds_to_the_last_one() -> None:
    replies, spending = scripted(lambda row: FIRST, "30agents", rows=100)

    assert [reply["status"] for reply in replies].count("ok") == 30
    assert [reply["status"] for reply in replies].count("over_budget") == 70
    assert spending.agents == spending.calls == 30


@pytest.mark.parametrize("in_flight", [1, 7, 64])
def test_the_cap_on_tokens_is_never_passed_and_used_well(in_flight: int) -> None:
    """Whatever is in flight, and whatever faults there are."""
    fault = iter(range(10**6))

    def script(row: Row) -> object:
        return Attempt("server_error") if next(fault) % 11 == 3 else FIRST

    replies, spending = scripted(script, "8k", rows=600, in_flight=in_flight)

    assert spending.tokens <= 8_000
    assert spending.tokens > 6_500
    assert spending.reserved_tokens == 0 and spending.overruns == 0
    assert {reply["status"] for reply in replies} <= {"ok", "over_budget", "failed"}


def test_usage_above_the_reserve_is_counted_and_stops_the_rest() -> None:
    huge = Attempt("ok", '{"verdict": "first"}', Usage(10**6, 3))
    replies, spending = scripted(lambda row: huge, "100k", rows=10, in_flight=1)

    assert [reply["status"] for reply in replies].count("ok") == 1
    assert replies[1]["reason"] == "overrun"
    assert spending.overruns == 1 and spending.tokens == 10**6 + 3


def test_a_call_asked_twice_is_paid_once() -> None:
    """A judge's host died and its batch was dealt again: rows join, or get the stored reply."""
    asked: list[int] = []

    async def run() -> None:
        go = asyncio.Event()

        async def script(row: Row) -> Preference:
            asked.append(row["call_id"])
            await go.wait()
            return FIRST

        gateway = await opened(script)
        first = asyncio.ensure_future(ask(gateway, requests(8)))
        while len(asked) < 8:
            await asyncio.sleep(0)
        first.cancel()
        again = asyncio.ensure_future(ask(gateway, requests(8)))
        await asyncio.sleep(0)
        go.set()
        replies = await again
        stored = await ask(gateway, requests(8))

        assert replies == stored
        assert sorted(asked) == list(range(8))
        assert (await report(gateway)).calls == 8
        await gateway.on_stop()

    asyncio.run(run())


def test_an_ask_taken_back_drops_what_has_not_left() -> None:
    asked: list[int] = []

    async def run() -> None:
        go = asyncio.Event()

        async def script(row: Row) -> Preference:
            asked.append(row["call_id"])
            await go.wait()
            return FIRST

        gateway = await opened(script, in_flight=3)
        first = asyncio.ensure_future(ask(gateway, requests(50)))
        while len(asked) < 3:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        go.set()
        replies = await ask(gateway, requests(3))
        spending = await report(gateway)
        await gateway.on_stop()

        assert [reply["status"] for reply in replies] == ["ok"] * 3
        assert asked == [0, 1, 2] and spending.requests == 3

    asyncio.run(run())


def test_a_drained_gateway_finishes_what_is_in_flight_and_sends_no_more() -> None:
    async def run() -> None:
        go, asked = asyncio.Event(), []

        async def script(row: Row) -> Preference:
            asked.append(row["call_id"])
            await go.wait()
            return FIRST

        gateway = await opened(script, in_flight=4)
        asking = asyncio.ensure_future(ask(gateway, requests(20)))
        while len(asked) < 4:
            await asyncio.sleep(0)
        await send(gateway, Drain())
        go.set()
        replies = await asking
        await gateway.on_stop()

        assert [reply["status"] for reply in replies] == ["ok"] * 4 + ["cancelled"] * 16

    asyncio.run(run())


def test_a_drain_ends_long_waits() -> None:
    """A call that waits out a server's retry-after does not hold the end of the run."""

    async def run() -> None:
        asked = asyncio.Event()

        def script(row: Row) -> Attempt:
            asked.set()
            return Attempt("rate_limited", retry_after_s=100.0)

        gateway = await opened(script)
        asking = asyncio.ensure_future(ask(gateway, requests(3)))
        await asked.wait()
        await send(gateway, Drain())
        replies = await asyncio.wait_for(asking, 5)
        await gateway.on_stop()

        assert {reply["status"] for reply in replies} == {"cancelled"}

    asyncio.run(run())


def test_never_more_than_in_flight_at_a_time() -> None:
    now, most = 0, 0

    async def script(row: Row) -> Preference:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return FIRST

    scripted(script, rows=100, in_flight=5)

    assert most == 5


def test_a_dollar_budget_needs_a_price() -> None:
    dollars = Budget.parse("1usd")

    with pytest.raises(PriceUnknownError, match="my-model"):
        check_budget(ModelSpec(name="my-model"), dollars)
    check_budget(ModelSpec(name="my-model"), Budget.parse("500k"))
    check_budget(ModelSpec(name="claude-haiku-5-5-20261001"), dollars)
    check_budget(ModelSpec(name="sim:judge"), dollars)


def test_a_row_that_asks_nothing_fails_alone() -> None:
    replies, spending = scripted(lambda row: FIRST, task="essay")

    assert (replies[0]["status"], replies[0]["reason"]) == ("failed", "request")
    assert spending.requests == 0


def test_a_gateway_goes_on_from_its_journal(tmp_path: Path) -> None:
    """What was answered is not asked again; what was spent is spent."""
    asked: list[str] = []

    def script(row: Row) -> Any:
        asked.append(row["prompt"])
        return FIRST

    async def life(rows: pa.RecordBatch) -> tuple[list[dict[str, Any]], Spending]:
        spec = ModelSpec(name="scripted", script=script)
        gateway = Gateway(spec, Budget.parse("10agents"), tmp_path)
        await gateway.on_start(Here(WallClock()))
        replies, spending = await ask(gateway, rows), await report(gateway)
        await gateway.on_stop()
        return replies, spending

    asyncio.run(life(requests(8)))
    replies, spending = asyncio.run(life(requests(13)))

    assert [reply["status"] for reply in replies].count("ok") == 10
    assert [reply["reason"] for reply in replies].count("reused") == 8
    assert (len(asked), len(set(asked))) == (10, 10)
    assert (spending.agents, spending.reused) == (10, 8)
