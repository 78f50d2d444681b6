"""Who is waited for and falls silent is ended, and nobody else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from commedia.actors.actor import Actor, Envelope, Message, Ref
from commedia.actors.errors import ActorDiedError
from commedia.supervisor.children import ChildSpec, Intensity, RestartPolicy
from commedia.supervisor.heartbeat import PATIENCE, SHORT, Heartbeat, Pulse
from commedia.supervisor.nursery import Nursery
from commedia.supervisor.runtime.base import one_reply
from commedia.supervisor.runtime.inline_runtime import InlineRuntime

PERIOD_S = 0.002


class Waiter(Actor):
    """Never answers."""

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        await asyncio.Event().wait()
        yield envelope


class Stillborn(Actor):
    """Falls as it starts, on its first lives."""

    falls = 0

    async def on_start(self, context: object) -> None:
        if Stillborn.falls:
            Stillborn.falls -= 1
            context.die()  # type: ignore[attr-defined]


class FarRuntime(InlineRuntime):
    """Actors that live in places which can be cut off: nobody there says so."""

    def __init__(self) -> None:
        super().__init__()
        self.cut: set[str] = set()
        self.doubted: set[str] = set()

    async def beat(self, ref: Ref) -> None:
        if ref.name in self.cut:
            await asyncio.Event().wait()
        await super().beat(ref)

    def doubt(self, ref: Ref) -> None:
        self.doubted.add(ref.name)

    def is_doubted(self, ref: Ref) -> bool:
        return bool(self.doubted)  # one place is all there is


@pytest.mark.parametrize(
    ("ticks", "is_dead"),
    [
        ([], False),
        ([True] * PATIENCE, False),  # asked, and silent for one period less
        ([True] * (PATIENCE + 1), True),
        ([True] * PATIENCE + [False] + [True] * PATIENCE, False),  # an answer in between
    ],
)
def test_so_many_periods_of_silence_are_death(ticks: list[bool], is_dead: bool) -> None:
    pulse = Pulse()
    for is_silent in ticks:
        pulse.tick() if is_silent else pulse.heard()

    assert pulse.is_dead is is_dead


def test_nobody_is_asked_again_before_an_answer() -> None:
    pulse = Pulse()

    assert [pulse.tick(), pulse.tick()] == [True, False]
    pulse.heard()
    assert pulse.tick()


def test_who_falls_silent_is_ended_and_its_asker_told() -> None:
    async def play() -> list[tuple[str, str]]:
        runtime, told = FarRuntime(), list[tuple[str, str]]()
        heart = Heartbeat(runtime, lambda *what: told.append(what), period_s=PERIOD_S)
        lost, well = [await runtime.start(Waiter(), name) for name in ("lost", "well")]
        runtime.cut.add("lost")
        other = asyncio.ensure_future(one_reply(runtime.ask(well, Envelope(Message()))))
        with heart.over(well), heart.over(lost), pytest.raises(ActorDiedError, match="lost"):
            await one_reply(runtime.ask(lost, Envelope(Message())))
        assert not other.done()
        other.cancel()
        heart.close()
        return told

    assert asyncio.run(asyncio.wait_for(play(), 20)) == [("silent", "lost")]


def test_a_neighbour_of_who_fell_silent_is_given_less_time() -> None:
    async def play() -> int:
        runtime = FarRuntime()
        heart = Heartbeat(runtime, lambda *what: None, period_s=PERIOD_S)
        ref = await runtime.start(Waiter(), "neighbour")
        runtime.doubt(ref)
        with heart.over(ref):
            [watched] = heart._watched.values()
            return watched.pulse.patience

    assert asyncio.run(play()) == SHORT


def test_who_nobody_waits_for_is_not_watched() -> None:
    async def play() -> None:
        runtime = FarRuntime()
        heart = Heartbeat(runtime, lambda *what: None, period_s=PERIOD_S)
        ref = await runtime.start(Waiter(), "idle")
        with heart.over(ref), heart.over(ref):
            assert len(heart._watched) == 1
        assert heart._watched == {}

    asyncio.run(play())


@pytest.mark.parametrize("falls", [1, 3])
def test_a_child_that_dies_before_it_lives_is_started_again(falls: int) -> None:
    """As on a node that goes while it starts there."""

    async def play() -> int:
        runtime = InlineRuntime()
        nursery = Nursery(runtime, RestartPolicy(Intensity()), runtime.clock)
        Stillborn.falls = falls
        await nursery.start(ChildSpec("stillborn", Stillborn))
        return len(nursery.deaths)

    assert asyncio.run(play()) == falls
