"""One stage of a run: a table of requests goes out to the hosts, and every row comes back."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ..actors.actor import Asking, Envelope
from ..actors.errors import ActorCancelledError, ActorDiedError, RunFailedError
from ..actors.messages import Answers, Ask, Trial
from ..actors.tables import ANSWERS, CLOSED, REPLIES, batch, concat, stamp
from .dealing import Deal, Dealer
from .lifeline import NAME as GATEWAY
from .lifeline import Lifeline
from .nursery import Child, Nursery

WINDOW = 2
"""Batches out per host: the next one waits there while one is answered."""

Watch = Callable[[pa.RecordBatch], None]
"""Told of every piece of replies as it comes."""


@dataclass(eq=False)
class Stage:
    """Deals *requests* to *hosts* until each row is answered, given up, or taken back.

    A host that is still starting joins when it can; the others do not wait for it. *table* is the
    number of the item table that the requests are about, *integrity* the label of their replies.
    """

    requests: pa.RecordBatch
    dealer: Dealer
    hosts: "Sequence[asyncio.Task[Child]]"
    nursery: Nursery
    watch: Watch
    table: int | None = None
    integrity: int = CLOSED
    lifeline: Lifeline | None = None
    """The gateway that the hosts ask, if they do."""

    def __post_init__(self) -> None:
        self._changed = asyncio.Condition()
        self._pieces: list[pa.RecordBatch] = []
        self._askings: set[Asking] = set()
        self._proven: set[str] = set()
        """Lives that have just come through a trial."""
        self._base = self.requests.column("call_id")[0].as_py() if self.requests.num_rows else 0
        self._left_status = "cancelled"
        self._is_cancelled = False
        self.answered = 0
        """How many rows have their reply."""

    async def run(self) -> pa.RecordBatch:
        """Return the replies, row for row as the requests; raises what ends the run."""
        try:
            async with asyncio.TaskGroup() as workers:
                for starting in self.hosts:
                    for _ in range(WINDOW):
                        workers.create_task(self._join(starting))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return self._assembled()

    async def close(self, status: str) -> None:
        """Deal nothing more: what no host has yet gets *status*."""
        self._left_status = status
        self.dealer.close()
        await self._wake()

    async def cancel(self) -> None:
        """Take back what is under way, too."""
        self.dealer.close()
        self._is_cancelled = True
        for asking in list(self._askings):
            asking.cancel()
        await self._wake()

    async def _join(self, starting: "asyncio.Task[Child]") -> None:
        """Work with a host once it has started, unless all is done by then."""
        if await self._unless_done(starting):
            await self._work(starting.result())

    async def _unless_done(self, waited: "asyncio.Task[Any]") -> bool:
        """Wait for a task, but no longer than for the last row; returns whether it has ended."""
        done = asyncio.create_task(self._until_done())
        try:
            await asyncio.wait([waited, done], return_when=asyncio.FIRST_COMPLETED)
        finally:
            done.cancel()
        return waited.done()

    async def _until_done(self) -> None:
        while not (self.dealer.is_done or self._is_cancelled):
            async with self._changed:
                await self._changed.wait()

    async def _work(self, host: Child) -> None:
        while not self._is_cancelled:
            key = host.key
            deal = self.dealer.next_deal(key)
            if deal is None:
                if self.dealer.is_done:
                    return await self._wake()
                async with self._changed:
                    await self._changed.wait()
                continue
            life = self.lifeline.life if self.lifeline else ""
            try:
                await self._perform(host, deal)
            except ActorCancelledError:
                return
            except Exception as error:
                if self.lifeline and isinstance(error, ActorDiedError) and error.actor == GATEWAY:
                    self.dealer.returned(deal)  # it is no fault of the host, or of the rows
                    await self.lifeline.renew(life, why=error.why)
                else:
                    await self._fell(host, key, error)
            await self._wake()

    async def _perform(self, host: Child, deal: Deal) -> None:
        if deal.trial is not None:
            if host.key not in self._proven:
                await self._check_alive(host, deal)
            envelope = Envelope(Trial(items=deal.trial, table=self.table or 0))
        else:
            envelope = Envelope(Ask(table=self.table), self._rows(deal.rows))
        asking = self.nursery.runtime.ask(host.ref, envelope)
        self._askings.add(asking)
        try:
            async for reply in self.nursery.replies(host.ref, asking):
                if isinstance(reply.body, Answers):
                    self._take(deal, reply.batch())
        finally:
            self._askings.discard(asking)
        self.dealer.finished(deal)
        if deal.trial is not None:  # the next trial follows at once: it need not be checked again
            self._proven.add(host.key)
        else:
            self._proven.discard(host.key)

    async def _check_alive(self, host: Child, deal: Deal) -> None:
        """Make sure that a death in the trial to come will be the item's own doing."""
        try:
            await self.nursery.one_reply(host.ref, Envelope(Trial()))
        except ActorDiedError:
            self.dealer.untried(deal)
            raise

    async def _fell(self, host: Child, key: str, error: Exception) -> None:
        """Let it crash: whatever a host raises, it starts afresh, and its rows are dealt again."""
        self._proven.clear()
        self.dealer.died(key)
        await self._wake()
        restarting = self.nursery.restart_soon(host, key, why=str(error))
        if await self._unless_done(restarting) and not restarting.result():
            raise RunFailedError(f"{host.spec.name} died and is not restarted: {error}") from error

    def _rows(self, rows: Sequence[int]) -> pa.RecordBatch:
        first, last = rows[0], rows[-1]
        if last - first + 1 == len(rows):
            return self.requests.slice(first, len(rows))
        return self.requests.take(pa.array(rows, pa.int64()))

    def _take(self, deal: Deal, replies: pa.RecordBatch) -> None:
        fresh = self.dealer.answered(deal, replies.column("call_id").to_numpy() - self._base)
        if len(fresh) < replies.num_rows:  # a row is answered once; a second answer is dropped
            replies = replies.take(pa.array(fresh))
        self.answered += replies.num_rows
        piece = stamp(replies, integrity=self.integrity, provenance=ANSWERS)
        self._pieces.append(piece)
        self.watch(piece)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _assembled(self) -> pa.RecordBatch:
        """Put the replies in the order of the requests; rows without one say why."""
        places = np.full(self.requests.num_rows, -1)
        pieces = sorted(self._pieces, key=self._first_row)
        told = [piece.column("call_id").to_numpy() - self._base for piece in pieces]
        rows = np.concatenate([np.zeros(0, np.int64), *told])
        lost = np.setdiff1d(np.arange(len(places)), rows) if len(rows) < len(places) else rows[:0]
        if len(lost):
            missing = missing_replies((lost + self._base).tolist(), self._why(lost.tolist()))
            self.watch(missing)
            pieces, rows = [*pieces, missing], np.concatenate([rows, lost])
        replies = concat(pieces, REPLIES)
        if (rows[1:] > rows[:-1]).all():
            return replies
        places[rows] = np.arange(len(rows))
        return replies.take(pa.array(places))

    def _first_row(self, piece: pa.RecordBatch) -> int:
        return int(piece.column("call_id")[0].as_py()) if piece.num_rows else -1

    def _why(self, rows: Sequence[int]) -> list[tuple[str, str | None]]:
        reasons = [self.dealer.failed.get(row) for row in rows]
        return [("failed", why) if why else (self._left_status, None) for why in reasons]


def missing_replies(calls: Sequence[int], why: Sequence[tuple[str, str | None]]) -> pa.RecordBatch:
    """Return replies that say only why there is no answer: a status and a reason for each call."""
    zeros = (
        "tokens_in",
        "tokens_out",
        "tokens_thinking",
        "tokens_cache_write",
        "tokens_cache_read",
    )
    columns = {
        "call_id": list(calls),
        "status": [status for status, _ in why],
        "reason": [reason for _, reason in why],
        **dict.fromkeys((*zeros, "cost_nanousd", "attempts"), 0),
    }
    return batch(REPLIES, columns, rows=len(calls), integrity=CLOSED, provenance=ANSWERS)
