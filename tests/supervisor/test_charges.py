"""What was paid for is found again by place and content, and what may have been paid is counted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from commedia.actors.answers import Typed
from commedia.actors.models.replies import Reply
from commedia.actors.models.wire import Usage
from commedia.supervisor.budget import Amount
from commedia.supervisor.charges import Charges, Identity

T = TypeVar("T")

TEXT = Typed()
BOUND = Amount(tokens=100, nanousd=1000, agents=1)
ACTUAL = Amount(tokens=30, nanousd=200, agents=1)
ROW: Mapping[str, Any] = {
    "path": "/work:1",
    "call_id": 7,
    "role": "worker",
    "model": "any",
    "effort": None,
    "prompt": "Say something.",
    "output_schema": None,
    "task": None,
    "max_tokens": None,
    "timeout_us": None,
}


def row(**changes: Any) -> Mapping[str, Any]:
    return {**ROW, **changes}


def life(folder: Path, body: Callable[[Charges], Awaitable[T]]) -> T:
    """Open the journal in *folder*, do *body* with it, and close it."""

    async def live() -> T:
        charges = await asyncio.to_thread(Charges.open, folder)
        try:
            return await body(charges)
        finally:
            await charges.close()

    return asyncio.run(live())


async def paid(charges: Charges, asked: Mapping[str, Any], answer: str) -> None:
    call = Identity.of(asked)
    await charges.intend(call, 1, BOUND)
    reply = Reply(7, "ok", None, TEXT, answer, Usage(20, 10), 200, "served", 1)
    await charges.conclude(call, 1, ACTUAL, reply)


async def fallen(charges: Charges, asked: Mapping[str, Any]) -> None:
    await charges.intend(Identity.of(asked), 1, BOUND)


def find(folder: Path, *asked: Mapping[str, Any]) -> list[str | None]:
    """Return in a new life what is on record for each of *asked*."""

    async def look(charges: Charges) -> list[str | None]:
        found = [charges.answered(1, Identity.of(each), TEXT) for each in asked]
        return [None if reply is None else reply.answer for reply in found]

    return life(folder, look)


def test_an_answer_is_found_in_every_later_life(tmp_path: Path) -> None:
    life(tmp_path, lambda charges: paid(charges, ROW, "something"))

    assert find(tmp_path, ROW) == ["something"]
    assert find(tmp_path, ROW) == ["something"]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Say something else."},
        {"model": "another"},
        {"effort": "high"},
        {"role": "verifier"},
        {"output_schema": '{"type": "string"}'},
        {"task": "pair"},
    ],
)
def test_whatever_shapes_the_answer_is_part_of_it(tmp_path: Path, change: dict[str, Any]) -> None:
    life(tmp_path, lambda charges: paid(charges, ROW, "something"))

    assert find(tmp_path, row(**change)) == [None]


@pytest.mark.parametrize("change", [{"max_tokens": 9}, {"timeout_us": 9}, {"call_id": 9}])
def test_limits_and_numbers_are_no_part_of_it(tmp_path: Path, change: dict[str, Any]) -> None:
    life(tmp_path, lambda charges: paid(charges, ROW, "something"))

    assert find(tmp_path, row(**change)) == ["something"]


def test_an_answer_serves_one_call(tmp_path: Path) -> None:
    life(tmp_path, lambda charges: paid(charges, ROW, "something"))

    assert find(tmp_path, ROW, row(path="/work:2")) == ["something", None]


def test_a_call_that_was_asked_in_its_place_takes_no_siblings_answer(tmp_path: Path) -> None:
    """It failed, or was in flight: the samples of those beside it are theirs."""
    beside = row(path="/work:2")
    life(tmp_path, lambda charges: fallen(charges, ROW))
    life(tmp_path, lambda charges: paid(charges, beside, "a sample"))

    assert find(tmp_path, ROW, beside) == [None, "a sample"]


def test_an_unused_answer_serves_a_call_that_moved_and_stays_with_it(tmp_path: Path) -> None:
    """A step in front of it changes its path, not what it is asked; and later lives know that."""
    moved = row(path="/work:2")
    life(tmp_path, lambda charges: paid(charges, ROW, "something"))

    assert find(tmp_path, moved) == ["something"]

    life(tmp_path, lambda charges: paid(charges, ROW, "something else"))
    assert find(tmp_path, ROW, moved) == ["something else", "something"]
    assert find(tmp_path, moved, ROW) == ["something", "something else"]


def test_an_answer_that_is_used_again_says_what_it_cost(tmp_path: Path) -> None:
    life(tmp_path, lambda charges: paid(charges, ROW, "something"))

    async def look(charges: Charges) -> Reply | None:
        return charges.answered(3, Identity.of(ROW), TEXT)

    reply = life(tmp_path, look)

    assert reply is not None
    assert (reply.call_id, reply.reason, reply.served_model) == (3, "reused", "served")
    assert (reply.usage, reply.cost_nanousd, reply.attempts) == (Usage(20, 10), 200, 1)


def test_a_failure_is_paid_and_asked_again(tmp_path: Path) -> None:
    async def fail(charges: Charges) -> None:
        call = Identity.of(ROW)
        await charges.intend(call, 1, BOUND)
        await charges.conclude(call, 1, ACTUAL, Reply(7, "refused", "refusal", attempts=1))

    async def spent(charges: Charges) -> Amount:
        return charges.past.spent_at_most

    life(tmp_path, fail)

    assert find(tmp_path, ROW) == [None]
    assert life(tmp_path, spent) == ACTUAL


def test_what_was_in_flight_counts_in_full_and_is_listed_for_good(tmp_path: Path) -> None:
    """Also once it was asked again, and answered: it may have been charged twice."""

    async def known(charges: Charges) -> tuple[Amount, list[str]]:
        return charges.past.spent_at_most, [call.path for call in charges.unsettled]

    life(tmp_path, lambda charges: fallen(charges, ROW))
    assert life(tmp_path, known) == (BOUND, ["/work:1"])

    life(tmp_path, lambda charges: fallen(charges, ROW))
    assert life(tmp_path, known) == (BOUND + BOUND, ["/work:1", "/work:1"])

    life(tmp_path, lambda charges: paid(charges, ROW, "something"))
    assert life(tmp_path, known) == (BOUND + BOUND + ACTUAL, ["/work:1", "/work:1"])


def test_an_attempt_that_was_not_the_last_counts_what_it_took(tmp_path: Path) -> None:
    async def twice(charges: Charges) -> None:
        call = Identity.of(ROW)
        await charges.intend(call, 1, BOUND)
        charges.settle(call, 1, ACTUAL)
        await charges.intend(call, 2, replace(BOUND, agents=0))

    async def known(charges: Charges) -> tuple[Amount, list[str]]:
        return charges.past.spent_at_most, [call.path for call in charges.unsettled]

    life(tmp_path, twice)

    assert life(tmp_path, known) == (ACTUAL + replace(BOUND, agents=0), ["/work:1"])


def test_the_rows_of_a_table_are_told_apart_by_their_numbers() -> None:
    rows = [row(path="/map:1[]", call_id=(5 << 32) + number) for number in (0, 11)]

    assert [Identity.of(each).path for each in rows] == ["/map:1[0]", "/map:1[11]"]


def test_without_a_folder_nothing_is_kept() -> None:
    async def live() -> Reply | None:
        charges = Charges.open(None)
        await paid(charges, ROW, "something")
        await charges.close()
        return charges.answered(7, Identity.of(ROW), TEXT)

    assert asyncio.run(live()) is None
