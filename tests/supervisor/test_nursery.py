"""Children that die are started again, and nobody meets one that does not know yet what it must."""

import asyncio
from collections.abc import AsyncIterator

from commedia.actors.actor import Actor, Envelope, Ref
from commedia.actors.clock import WallClock
from commedia.actors.errors import ActorDiedError
from commedia.actors.messages import Done
from commedia.supervisor.children import ChildSpec, Intensity, RestartPolicy
from commedia.supervisor.nursery import Nursery
from commedia.supervisor.runtime.inline_runtime import InlineRuntime


class Somebody(Actor):
    """Answers whatever it is told."""

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Take it."""
        yield Envelope(Done())


SPEC = ChildSpec("somebody-0", Somebody)


def nursery() -> Nursery:
    return Nursery(InlineRuntime(), RestartPolicy(Intensity(20, 60.0)), WallClock())


def test_a_new_life_is_nobodys_to_ask_before_it_was_prepared() -> None:
    async def run() -> None:
        ours, gate, told = nursery(), asyncio.Event(), list[Ref]()

        async def prepare(ref: Ref) -> None:
            if told:
                await gate.wait()
            told.append(ref)

        child = await ours.start(SPEC, prepare)
        first, ref = child.key, child.ref
        restarting = asyncio.create_task(ours.restart(child, first))
        await asyncio.sleep(0.05)
        assert (child.key, child.ref) == (first, ref)
        gate.set()
        assert await restarting

        assert child.key != first
        assert told == [ref, child.ref]
        await ours.stop_all()

    asyncio.run(run())


def test_a_life_that_dies_while_it_is_prepared_is_followed_by_another() -> None:
    async def run() -> None:
        ours, lives = nursery(), 0

        async def prepare(ref: Ref) -> None:
            nonlocal lives
            lives += 1
            if lives in (2, 3):
                raise ActorDiedError(SPEC.name)

        child = await ours.start(SPEC, prepare)
        assert await ours.restart(child, child.key)

        assert lives == 4
        assert len(ours.deaths) == 3
        await ours.stop_all()

    asyncio.run(run())


def test_nobody_is_started_again_once_all_are_being_stopped() -> None:
    async def run() -> None:
        ours = nursery()
        child = await ours.start(SPEC)
        await ours.stop_all()

        assert not await ours.restart(child, child.key)
        assert ours.deaths == []

    asyncio.run(run())
