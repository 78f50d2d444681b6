"""The gateway: the one actor through which every call that costs money passes.

It alone holds the key and the client. A call is asked once, however often its row arrives: who
asks again joins the call in flight, or gets the reply that is stored.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..actors.actor import Actor, Context, Envelope, Message
from ..actors.answers import ROOM, Asked, Typed
from ..actors.errors import JournalFailedError, PriceUnknownError, UsageError
from ..actors.messages import Answers, Ask, Done, HandOver, ModelSpec
from ..actors.models.clients import is_keyless, open_client, reach
from ..actors.models.prices import price_of
from ..actors.models.replies import Reply, reply_batch
from ..actors.models.wire import Client, Request
from ..actors.questions import Question
from ..actors.tables import Rows
from .admission import Desk, Window
from .budget import Budget, Ledger
from .calls import Caller, Tally
from .charges import Charges, Identity, Unsettled
from .flights import Flight, Flights, Mailbox
from .outbox import REPLAY

PIECE_S: Final = 0.05
"""Replies travel in pieces: those of so many seconds together."""


class Drain(Message):
    """Stops admission: calls in flight finish, calls not yet sent end as `cancelled`."""


class Report(Message):
    """Asks the gateway what its calls came to so far.

    The last report (*is_last*) ends calls under way that nobody waits for: each counts in full.
    """

    is_last: bool = False


class Spending(Message):
    """What a gateway's calls came to, and what it learned about its endpoint.

    *tokens* and *cost_nanousd* are the ledger's: an attempt of *unknown* charge counts with its
    full reserve. The cost is None where no price is known. *overruns* counts calls that took more
    than their strict bound. *broken* is the cause on which the breaker opened. *reused* answers
    had been paid for in an earlier life of the run; *unsettled* are the calls that may
    have been charged in one without an answer. *said* is what the server said of a call that it
    refused, *wanted* the tokens and nano-dollars of a call that the budget did not cover.
    """

    calls: int
    requests: int
    agents: int
    tokens: int
    cost_nanousd: int | None
    reserved_tokens: int
    unknown: int
    overruns: int
    is_simulated: bool
    declared: dict[str, Any] | None
    served_models: tuple[str, ...]
    is_strict: bool
    broken: str | None
    reused: int = 0
    unsettled: tuple[Unsettled, ...] = ()
    said: str = ""
    wanted: tuple[int, int] = (0, 0)


def check_budget(model: ModelSpec, budget: Budget) -> None:
    """Raise PriceUnknownError where a budget in dollars could not hold."""
    for judge in model.judges:
        if budget.nanousd is not None and not judge.is_simulated and price_of(judge.name) is None:
            raise PriceUnknownError(judge.name)


class Gateway(Actor):
    """Answers requests through one client, within one budget, at most *in_flight* at a time.

    It holds no key until HandOver brings one; until then an Ask waits. A call that nobody waits
    for any more is dropped if it has not left; else it is paid, finishes and is stored. What the
    journal in *folder* says was spent and answered counts, and is not asked again.
    """

    def __init__(
        self, model: ModelSpec, budget: Budget, folder: Path | None = None, *, asks: bool = True
    ) -> None:
        check_budget(model, budget)
        self._model, self._budget, self._folder, self._asks = model, budget, folder, asks

    async def on_start(self, context: Context) -> None:
        """Open the desk; a scripted model needs no key, so it is ready at once."""
        await super().on_start(context)
        self._charges = await asyncio.to_thread(Charges.open, self._folder)
        self._desk = Desk(Ledger(self._budget, self._charges.past.spent_at_most))
        self._window = Window(self._model.in_flight)
        self._flights = Flights(self._window, self._reply)
        self._ready = asyncio.Event()
        self._caller: Caller | None = None
        if is_keyless(self._model):
            self._open(open_client(self._model, None))

    async def on_stop(self) -> None:
        """Cancel what is under way and close the client."""
        await self._flights.end()
        if self._caller is not None:
            await self._caller.client.close()
        await self._charges.close()

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Take HandOver, Ask, Drain and Report."""
        match envelope.body:
            case HandOver(key=key):
                await self._take(key)
                yield Envelope(Done())
            case Ask():
                await self._ready.wait()
                async for replies in self._answer(Rows(envelope.batch())):
                    yield Envelope(Answers(), reply_batch(replies))
            case Drain():
                self._desk.is_draining = True
                self._ready.set()  # who waits for the key is told that nothing will be sent
                if self._caller is not None:
                    self._caller.bell.ring()
                yield Envelope(Done())
            case Report(is_last=is_last):
                if is_last:
                    await self._flights.end()
                yield Envelope(await self._spending())
            case body:
                raise TypeError(f"a gateway takes no {type(body).__name__}")

    async def _take(self, key: str | None) -> None:
        if self._caller is not None:
            return
        client = open_client(self._model, key)
        try:
            await reach(client)
        except BaseException:
            await client.close()
            raise
        self._open(client)

    def _open(self, client: Client) -> None:
        self._caller = Caller(
            client,
            self._desk,
            self.context.clock,
            price_of(self._model.name),
            self._model.timeout_s,
            self._window,
            self._charges,
            panel={judge.name: price_of(judge.name) for judge in self._model.panel},
        )
        self._ready.set()

    async def _answer(self, rows: Rows) -> AsyncIterator[list[Reply]]:
        mailbox, calls = Mailbox(), rows.batch.column("call_id").to_pylist()
        must_ask = self._asks and not self._charges.past.answers
        self._flights.ask(rows, calls, mailbox.take, None if must_ask else self._known)
        left = len(calls)
        try:
            while left:
                if await mailbox.wait() < left:
                    await self.context.clock.sleep(PIECE_S)
                piece = mailbox.empty()
                left -= len(piece)
                yield piece
        finally:
            self._flights.leave(calls, mailbox.take)

    def _known(self, row: Mapping[str, Any]) -> Reply | None:
        """Return the reply to a request that was paid for in an earlier life, or may not be."""
        asked = _asked(row)
        if asked is None or not row["prompt"]:
            return None  # it will be told that it asks nothing
        if row["attempt"]:
            return None  # the answer that it got was of no use
        reply = self._charges.answered(row["call_id"], Identity.of(row), asked)
        if reply is None and not self._asks:
            return Reply(row["call_id"], "failed", REPLAY)
        return reply

    async def _reply(self, flight: Flight) -> Reply:
        row = flight.row
        call_id, prompt, asked = row["call_id"], row["prompt"], _asked(row)
        if asked is None or not prompt:
            return Reply(call_id, "failed", "request")
        if self._caller is None:  # stopped before the key came
            return Reply(call_id, "cancelled", "stopped")
        if self._budget.nanousd is not None and self._caller.price_of(row) is None:
            return Reply(call_id, "failed", "price")
        request = Request(call_id, asked, (("user", prompt),), row)
        try:
            reply = await self._caller.reply(request, flight.depart)
        except JournalFailedError:  # what cannot be noted may not be asked
            self._desk.breaker.open("journal")
            reply = Reply(call_id, "failed", "journal")
        except Exception:  # a fault of ours costs this call its answer, and nothing else
            reply = Reply(call_id, "failed", "internal")
        return self._or_skipped(reply, row["role"])

    def _or_skipped(self, reply: Reply, role: str) -> Reply:
        """Return *reply*, but have an agent that failed as the breaker opened be asked again.

        Its workflow is paused; told of a failure, it might come to its end before.
        """
        breaker = self._desk.breaker
        if reply.status in ("ok", "skipped") or not breaker.is_open or role == "judge":
            return reply
        return replace(reply, status="skipped", reason=breaker.cause)

    async def _spending(self) -> Spending:
        caller, ledger = self._caller, self._desk.ledger
        tally = caller.tally if caller else Tally()
        declared = await caller.client.declared() if caller else None
        is_priced = all(price_of(judge.name) is not None for judge in self._model.judges)
        return Spending(
            calls=tally.calls,
            requests=tally.requests,
            agents=ledger.spent.agents,
            tokens=ledger.spent.tokens,
            cost_nanousd=ledger.spent.nanousd if is_priced else None,
            reserved_tokens=ledger.reserved.tokens,
            unknown=tally.unknown + self._charges.inherited,
            overruns=ledger.overruns,
            is_simulated=declared is not None,
            declared=None if declared is None else dict(declared),
            served_models=tuple(sorted(tally.served_models)),
            is_strict=caller.client.is_strict() if caller else True,
            broken=self._desk.breaker.cause if self._desk.breaker.is_open else None,
            reused=self._charges.reused,
            unsettled=tuple(self._charges.unsettled),
            said=tally.said,
            wanted=(tally.wanted.tokens, tally.wanted.nanousd),
        )


def _asked(row: Mapping[str, Any]) -> Asked | None:
    """Return what a request asks for; None where that cannot be read."""
    if row["role"] == "judge":
        return _question(row["task"])
    return _typed(row["output_schema"], row["max_tokens"] or ROOM)


_typed: Final = functools.lru_cache(maxsize=256)(Typed)


@functools.lru_cache(maxsize=256)
def _question(task: str | None) -> Question | None:
    try:
        return Question.parse(task or "")
    except UsageError:
        return None
