"""Laws of actors, stated once and held by every runtime."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
import pytest

from commedia.actors.actor import Actor, Context, Envelope, Message, Ref
from commedia.actors.errors import (
    ActorCancelledError,
    ActorDiedError,
    BudgetExceededError,
)
from commedia.actors.tables import MATCHES_SENT, PROGRAM, TRUSTED, batch
from commedia.supervisor.runtime.base import Runtime, one_reply

T = TypeVar("T")


class Say(Message):
    """Tells the actor below what to do."""

    what: str
    count: int = 1
    other: Ref | None = None


class Shown(Message):
    """Carries a table there, and back."""

    carries: ClassVar[pa.Schema | None] = MATCHES_SENT


class Player(Actor):
    """Does what it is told."""

    def __init__(self) -> None:
        self.stopped_into: str | None = None
        self._forever = False

    async def on_start(self, context: Context) -> None:
        await super().on_start(context)
        self._event = asyncio.Event()

    async def on_stop(self) -> None:
        if self.stopped_into:
            Path(self.stopped_into).write_text("stopped")

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        if isinstance(envelope.body, Shown):
            yield Envelope(Shown(), envelope.batch())
            return
        assert isinstance(envelope.body, Say)
        async for reply in self._play(envelope.body):
            yield reply

    async def _play(self, say: Say) -> AsyncIterator[Envelope]:
        match say.what:
            case "count":
                for number in range(say.count):
                    yield Envelope(Say(what=str(number)))
            case "spend":
                raise BudgetExceededError("tokens", 1200, 1000)
            case "die":
                self.context.die()
            case "half":
                yield Envelope(Say(what="half"))
                await self._event.wait()
            case "wait":
                await self._event.wait()
            case "relay":
                assert say.other is not None
                async for reply in self.context.ask(
                    say.other, Envelope(Say(what="count", count=2))
                ):
                    yield reply
            case "key":
                yield Envelope(Say(what=str(sees_a_key())))
            case other:
                self.stopped_into = other
                yield Envelope(Say(what="ok"))


def sees_a_key() -> bool:
    """Whether this process has a key, in its variables or in what the system shows of it."""
    block = Path("/proc/self/environ")
    shown = block.read_text() if block.exists() else ""
    return "ANTHROPIC_API_KEY" in os.environ or "sk-secret" in shown


def do(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


async def said(runtime: Runtime, ref: Ref, what: str, **more: Any) -> list[str]:
    replies = [reply async for reply in runtime.ask(ref, Envelope(Say(what=what, **more)))]
    return [reply.body.what for reply in replies if isinstance(reply.body, Say)]


def shown(rows: int) -> pa.RecordBatch:
    pairs = pa.array([[i, i + 1] for i in range(rows)], pa.list_(pa.int32()))
    columns = {"shown": pairs, "task": "pair", "judge": 0, "criterion": 0}
    return batch(MATCHES_SENT, columns, rows=rows, integrity=TRUSTED, provenance=PROGRAM)


def test_replies_come_in_the_order_they_were_made(runtime: Runtime) -> None:
    async def play() -> list[str]:
        ref = await runtime.start(Player(), "player")
        try:
            return await said(runtime, ref, "count", count=5)
        finally:
            await runtime.stop(ref)

    assert do(play()) == ["0", "1", "2", "3", "4"]


def test_an_actors_error_reaches_the_asker_and_the_actor_lives_on(runtime: Runtime) -> None:
    """What an actor raises, its asker can catch by type, with its facts."""

    async def play() -> list[str]:
        ref = await runtime.start(Player(), "spendthrift")
        with pytest.raises(BudgetExceededError, match=r"1,200 of 1,000 tokens"):
            await said(runtime, ref, "spend")
        return await said(runtime, ref, "count")

    assert do(play()) == ["0"]


def test_a_death_ends_what_is_asked_and_what_will_be(runtime: Runtime) -> None:
    async def play() -> None:
        ref = await runtime.start(Player(), "mortal")
        waiting = runtime.ask(ref, Envelope(Say(what="half"))).__aiter__()
        first = await anext(waiting)
        assert first.body == Say(what="half")
        with pytest.raises(ActorDiedError, match="mortal"):
            await said(runtime, ref, "die")
        with pytest.raises(ActorDiedError, match="mortal"):
            await anext(waiting)
        with pytest.raises(ActorDiedError, match="mortal"):
            await said(runtime, ref, "count")

    do(play())


def test_a_killed_actor_is_a_dead_one(runtime: Runtime) -> None:
    async def play() -> None:
        ref = await runtime.start(Player(), "victim")
        runtime.kill(ref)
        with pytest.raises(ActorDiedError, match="victim"):
            await said(runtime, ref, "count")

    do(play())


def test_an_actor_shows_that_it_lives_whatever_else_it_does(runtime: Runtime) -> None:
    async def play() -> None:
        ref = await runtime.start(Player(), "busy")
        waiting = runtime.ask(ref, Envelope(Say(what="half"))).__aiter__()
        await anext(waiting)
        await runtime.beat(ref)
        runtime.kill(ref)
        with pytest.raises(ActorDiedError, match="busy"):
            await runtime.beat(ref)

    do(play())


def test_a_question_can_be_taken_back(runtime: Runtime) -> None:
    """Its asker learns so at once, and the actor answers others."""

    async def play() -> list[str]:
        ref = await runtime.start(Player(), "patient")
        asking = runtime.ask(ref, Envelope(Say(what="half")))
        replies = asking.__aiter__()
        await anext(replies)
        asking.cancel()
        with pytest.raises(ActorCancelledError):
            await anext(replies)
        return await said(runtime, ref, "count")

    assert do(play()) == ["0"]


def test_an_actor_asks_another_by_a_reference_in_a_message(runtime: Runtime) -> None:
    async def play() -> list[str]:
        one = await runtime.start(Player(), "one")
        two = await runtime.start(Player(), "two")
        return await said(runtime, one, "relay", other=two)

    assert do(play()) == ["0", "1"]


def test_tables_arrive_whole_by_value_and_by_reference(runtime: Runtime) -> None:
    async def play() -> tuple[Envelope, Envelope]:
        ref = await runtime.start(Player(), "mirror")
        artifact = await runtime.put(shown(100))
        by_value = await one_reply(runtime.ask(ref, Envelope(Shown(), shown(3))))
        return by_value, await one_reply(runtime.ask(ref, Envelope(Shown(), artifact)))

    by_value, by_reference = do(play())

    assert by_value.batch().equals(shown(3))
    assert by_reference.batch().equals(shown(100))


def test_a_slice_arrives_as_the_rows_it_shows(runtime: Runtime) -> None:
    async def play() -> Envelope:
        ref = await runtime.start(Player(), "mirror")
        return await one_reply(runtime.ask(ref, Envelope(Shown(), shown(100).slice(90, 5))))

    assert do(play()).batch().column("shown").to_pylist() == [[i, i + 1] for i in range(90, 95)]


def test_a_message_travels_only_with_its_own_table(runtime: Runtime) -> None:
    async def play() -> None:
        ref = await runtime.start(Player(), "strict")
        with pytest.raises(TypeError, match="Shown carries a table"):
            runtime.ask(ref, Envelope(Shown()))
        with pytest.raises(TypeError, match="Say carries no table"):
            runtime.ask(ref, Envelope(Say(what="count"), shown(1)))
        with pytest.raises(TypeError, match="another schema"):
            runtime.ask(ref, Envelope(Shown(), shown(1).select(["shown"])))

    do(play())


def test_an_orderly_stop_lets_the_actor_clear_up(runtime: Runtime, tmp_path: Any) -> None:
    file = tmp_path / "stopped"

    async def play() -> None:
        ref = await runtime.start(Player(), "tidy")
        await said(runtime, ref, str(file))
        await runtime.stop(ref)
        with pytest.raises(ActorDiedError):
            await said(runtime, ref, "count")

    do(play())

    assert file.read_text() == "stopped"


@pytest.mark.ray
def test_no_actor_inherits_a_key(shared_ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in its environment nor in the block that the system shows of its process."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    runtime = shared_ray()

    async def play() -> list[str]:
        return await said(runtime, await runtime.start(Player(), "poor"), "key")

    assert do(play()) == ["False"]
