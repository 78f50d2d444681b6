"""A faulty actor falls where it was told to, and nowhere else."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pyarrow as pa
import pytest

from commedia.actors.actor import Actor, Asking, Context, Envelope, Message, Ref
from commedia.actors.clock import ManualClock
from commedia.actors.faults import Faults, Faulty
from commedia.actors.messages import Answers, Ask, Done, Trial
from commedia.actors.tables import INPUT, REQUESTS, UNTRUSTED, batch


class Fallen(BaseException):
    """Stands for the end of the process."""


class Brink:
    """A context in which a fall can be seen."""

    clock = ManualClock()

    def ask(self, ref: Ref, envelope: Envelope) -> Asking:
        raise AssertionError("nobody is asked")

    def die(self) -> None:
        raise Fallen


class Echo(Actor):
    """Answers requests with themselves, when *released*."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.released.set()
        self.life: list[str] = []

    async def on_start(self, context: Context) -> None:
        self.life.append("start")

    async def on_stop(self) -> None:
        self.life.append("stop")

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        await self.released.wait()
        yield (
            Envelope(Answers(), envelope.table) if envelope.table is not None else Envelope(Done())
        )


def ask(*shown: Sequence[int]) -> Envelope:
    columns = {
        "call_id": list(range(len(shown))),
        "role": "judge",
        "model": "m",
        "items": list(shown),
        "attempt": 0,
    }
    return Envelope(
        Ask(), batch(REQUESTS, columns, rows=len(shown), integrity=UNTRUSTED, provenance=INPUT)
    )


async def rows_until_fall(actor: Actor, envelope: Envelope) -> tuple[int, bool]:
    """Return how many rows were answered, and whether the actor fell."""
    rows = 0
    try:
        async for reply in actor.receive(envelope):
            rows += reply.table.num_rows if isinstance(reply.table, pa.RecordBatch) else 0
    except Fallen:
        return rows, True
    return rows, False


def lives(faults: Faults, *envelopes: Envelope) -> list[tuple[int, bool]]:
    async def run() -> list[tuple[int, bool]]:
        actor = Faulty(Echo(), faults)
        await actor.on_start(Brink())
        return [await rows_until_fall(actor, envelope) for envelope in envelopes]

    return asyncio.run(run())


FOUR = ask((0, 1), (2, 3), (4, 5), (6, 7))


def test_without_faults_it_is_the_actor_that_it_plays() -> None:
    assert lives(Faults(), FOUR, FOUR, Envelope(Trial(items=(1,)))) == [
        (4, False),
        (4, False),
        (0, False),
    ]


def test_it_falls_in_the_middle_of_its_nth_batch() -> None:
    """Half of the replies have left; a trial is no batch."""
    trial = Envelope(Trial())

    assert lives(Faults(batch=3), FOUR, trial, FOUR, FOUR, FOUR) == [
        *((4, False), (0, False), (4, False)),
        *((2, True), (4, False)),
    ]


def test_batches_are_counted_as_they_come_not_as_they_are_answered() -> None:
    """Two batches are out at a host at once: the second one's start does not save the first."""

    async def run() -> list[tuple[int, bool]]:
        echo = Echo()
        echo.released.clear()
        actor = Faulty(echo, Faults(batch=1))
        await actor.on_start(Brink())
        asked = [asyncio.create_task(rows_until_fall(actor, FOUR)) for _ in range(2)]
        await asyncio.sleep(0)
        echo.released.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(run()) == [(2, True), (4, False)]


@pytest.mark.parametrize("envelope", [FOUR, Envelope(Trial(items=(5,)))], ids=["batch", "trial"])
def test_a_fatal_item_kills_in_a_batch_and_alone(envelope: Envelope) -> None:
    assert lives(Faults(items=(5,)), envelope) == [(0, True)]
    assert lives(Faults(items=(9,)), envelope)[0][1] is False


def test_a_host_without_a_fatal_item_lives() -> None:
    assert lives(Faults(items=(5,)), Envelope(Trial()), ask((0, 1))) == [(0, False), (1, False)]


def test_it_can_fall_at_every_batch_and_only_there() -> None:
    assert lives(Faults(always=True), FOUR, Envelope(Trial()), FOUR) == [
        (0, True),
        (0, False),
        (0, True),
    ]


def test_the_actor_that_it_plays_is_started_and_stopped() -> None:
    async def run() -> list[str]:
        echo = Echo()
        actor = Faulty(echo, Faults())
        await actor.on_start(Brink())
        await actor.on_stop()
        return echo.life

    assert asyncio.run(run()) == ["start", "stop"]


def test_faults_are_a_message() -> None:
    assert isinstance(Faults(batch=3), Message)
