"""A tournament under way: a bracket that can die, and the record that builds it again."""

import asyncio
import pickle

import pyarrow as pa

from ..actors.actor import Envelope, Ref
from ..actors.bracket import (
    AskStanding,
    Bracket,
    Exclude,
    NextMatches,
    Progress,
    Ranking,
    Record,
    Recorded,
    Standing,
)
from ..actors.errors import ActorDiedError
from ..actors.tables import CLOSED, MATCHES, PROGRAM, STANDING, bare, stamp
from .children import ChildSpec, Restart
from .nursery import Child, Nursery


class Tournament:
    """Talks to one bracket. Nothing durable lives there: its outcomes are kept here, and a new
    bracket is built by telling it again all that the old one was told.

    The first round depends on no outcome, so it is made here, while the bracket's process starts.
    """

    def __init__(self, nursery: Nursery, ranking: Ranking) -> None:
        self._nursery = nursery
        self._fresh = pickle.dumps(ranking)
        self._told: list[Envelope] = []
        self._starting: asyncio.Task[Child] | None = None

    async def bracket(self) -> Child:
        """Return the bracket, once it has been started and knows all that was told."""
        return await asyncio.shield(self._start())  # who waits may leave; the bracket stays

    async def close(self) -> None:
        """Stop the bracket; one that is still starting is not waited for."""
        if self._starting is None:
            return
        self._starting.cancel()
        await asyncio.wait([self._starting])
        if not self._starting.cancelled() and self._starting.exception() is None:
            await self._nursery.stop(self._starting.result())

    async def next_matches(self, limit: int | None) -> pa.RecordBatch:
        """Return the next round (schema MATCHES)."""
        body = NextMatches(limit=limit)
        if self._starting is not None:
            return bare((await self._tell(body)).batch(), MATCHES)
        matches = await asyncio.to_thread(self._ranking().next_matches, limit)
        self._told.append(Envelope(body))
        self._start()
        return matches

    async def record(self, outcomes: pa.RecordBatch) -> Progress:
        """Give the bracket a round's outcomes; returns where it stands."""
        sent = stamp(outcomes, integrity=CLOSED, provenance=PROGRAM)
        return _progress(await self._tell(Record(), sent))

    async def exclude(self, items: tuple[int, ...]) -> Progress:
        """Take *items* out."""
        return _progress(await self._tell(Exclude(items=items)))

    async def standing(self) -> tuple[pa.RecordBatch, Progress]:
        """Return the ranking so far (schema STANDING), and where it stands."""
        reply = await self._ask(Envelope(AskStanding()))
        return bare(reply.batch(), STANDING), _progress(reply)

    def _start(self) -> "asyncio.Task[Child]":
        if self._starting is None:
            spec = ChildSpec("bracket", lambda: Bracket(self._ranking()), Restart.PERMANENT)
            self._starting = asyncio.create_task(self._nursery.start(spec, self._tell_again))
        return self._starting

    async def _tell(
        self, body: NextMatches | Record | Exclude, table: pa.RecordBatch | None = None
    ) -> Envelope:
        envelope = Envelope(body, table)
        reply = await self._ask(envelope)
        self._told.append(envelope)
        return reply

    async def _ask(self, envelope: Envelope) -> Envelope:
        child = await self.bracket()
        while True:
            key = child.key
            try:
                return await self._nursery.one_reply(child.ref, envelope)
            except ActorDiedError:
                if not await self._nursery.restart(child, key):  # the run is being stopped
                    raise

    async def _tell_again(self, ref: Ref) -> None:
        for envelope in self._told:
            await self._nursery.one_reply(ref, envelope)

    def _ranking(self) -> Ranking:
        ranking: Ranking = pickle.loads(self._fresh)
        return ranking


def _progress(reply: Envelope) -> Progress:
    assert isinstance(reply.body, Recorded | Standing)
    return reply.body.progress
