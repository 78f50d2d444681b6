"""A gateway without a supervisor: opened, asked and reported on directly."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from commedia.actors.actor import Asking, Envelope, Message, Ref
from commedia.actors.clock import Clock, ManualClock, WallClock
from commedia.actors.messages import Ask, ModelSpec
from commedia.actors.tables import INPUT, REPLIES, REQUESTS, UNTRUSTED, batch
from commedia.supervisor.budget import Budget
from commedia.supervisor.gateway import Gateway, Report, Spending

Row = Mapping[str, Any]


class Here:
    """The world of an actor that asks nobody."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def ask(self, ref: Ref, envelope: Envelope) -> Asking:
        raise NotImplementedError

    def die(self) -> None:
        raise NotImplementedError


def requests(
    rows: int, *, task: str = "pair", first: int = 0, specs: list[str] | None = None
) -> pa.RecordBatch:
    columns = {
        "call_id": list(range(first, first + rows)),
        "role": "judge",
        "model": "any",
        "prompt": [f"Which is worse? {row}" for row in range(first, first + rows)],
        "attempt": 0,
        "task": task,
        "by": "severity",
        "variant": "",
        "repeat": 0,
        "spec": specs,
    }
    return batch(REQUESTS, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)


async def opened(
    script: Callable[[Row], Any] | None,
    budget: str = "1M",
    *,
    clock: Clock | None = None,
    **spec: Any,
) -> Gateway:
    named = {"name": "scripted", **spec}
    gateway = Gateway(ModelSpec(script=script, **named), Budget.parse(budget))
    await gateway.on_start(Here(clock or WallClock()))
    return gateway


async def ask(gateway: Gateway, table: pa.RecordBatch) -> list[dict[str, Any]]:
    replies: list[dict[str, Any]] = []
    async for envelope in gateway.receive(Envelope(Ask(), table)):
        piece = envelope.batch()
        assert piece.schema.equals(REPLIES)
        replies += piece.to_pylist()
    return sorted(replies, key=lambda reply: int(reply["call_id"]))


async def send(gateway: Gateway, body: Message) -> Message:
    [reply] = [envelope.body async for envelope in gateway.receive(Envelope(body))]
    return reply


async def report(gateway: Gateway) -> Spending:
    spending = await send(gateway, Report())
    assert isinstance(spending, Spending)
    return spending


def scripted(
    script: Callable[[Row], Any],
    budget: str = "1M",
    *,
    rows: int = 1,
    task: str = "pair",
    **spec: Any,
) -> tuple[list[dict[str, Any]], Spending]:
    """Ask a scripted model *rows* questions on a clock that does not wait."""

    async def run() -> tuple[list[dict[str, Any]], Spending]:
        gateway = await opened(script, budget, clock=ManualClock(), **spec)
        replies = await ask(gateway, requests(rows, task=task))
        spending = await report(gateway)
        await gateway.on_stop()
        return replies, spending

    return asyncio.run(run())
