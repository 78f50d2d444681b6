"""A model behind the gateway is reached by its reference alone."""

import asyncio
from collections.abc import AsyncIterator

import pyarrow as pa
import pytest

from commedia.actors.actor import Asking, Envelope, Ref
from commedia.actors.clock import ManualClock
from commedia.actors.errors import ActorDiedError
from commedia.actors.messages import Answers, Ask
from commedia.actors.models.remote import GatewayModel, Line
from commedia.actors.models.replies import Reply, reply_batch
from commedia.actors.tables import INPUT, REQUESTS, UNTRUSTED, batch

TABLE = batch(
    REQUESTS,
    {"call_id": [1, 2], "role": "judge", "model": "m", "attempt": 0},
    rows=2,
    integrity=UNTRUSTED,
    provenance=INPUT,
)


class Somebody:
    """A gateway's address."""

    name = "gateway"


class Script:
    """A question whose replies are known; raises at the end if it is told to."""

    def __init__(self, fault: Exception | None) -> None:
        self.is_cancelled = False
        self._fault = fault

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        for call in (2, 1):
            yield Envelope(Answers(), reply_batch([Reply(call, "refused")]))
        if self._fault:
            raise self._fault

    def cancel(self) -> None:
        self.is_cancelled = True


class Here:
    """A context that plays one script and remembers whom it was asked for."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.clock = ManualClock()
        self.asked: list[tuple[Ref, Envelope]] = []
        self.script = Script(fault)

    def ask(self, ref: Ref, envelope: Envelope) -> Asking:
        self.asked.append((ref, envelope))
        return self.script

    def die(self) -> None:
        raise NotImplementedError


async def collect(model: GatewayModel) -> list[pa.RecordBatch]:
    return [replies async for replies in model.answer(TABLE)]


def test_it_passes_requests_on_and_replies_back() -> None:
    here, gateway = Here(), Somebody()
    model = GatewayModel(Line(gateway), here)
    pieces = asyncio.run(collect(model))

    assert model.reads_prompts
    assert here.asked == [(gateway, Envelope(Ask(), TABLE))]
    assert [piece.column("call_id").to_pylist() for piece in pieces] == [[2], [1]]


def test_the_gateways_death_reaches_who_asked() -> None:
    with pytest.raises(ActorDiedError):
        asyncio.run(collect(GatewayModel(Line(Somebody()), Here(ActorDiedError("gateway")))))


def test_who_stops_listening_takes_the_question_back() -> None:
    here = Here()

    async def first() -> None:
        replies = GatewayModel(Line(Somebody()), here).answer(TABLE)
        await anext(replies)
        await replies.aclose()  # type: ignore[attr-defined]

    asyncio.run(first())

    assert here.script.is_cancelled
