"""A tournament under way: a bracket that can die, and the record that builds it again."""

import pickle
from dataclasses import dataclass, field

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
from .runtime.base import one_reply


@dataclass(slots=True)
class Tournament:
    """Talks to one bracket. Nothing durable lives there: its outcomes are kept here, and a new
    bracket is built by telling it again all that the old one was told."""

    nursery: Nursery
    ranking: Ranking
    _told: list[Envelope] = field(default_factory=list)
    _child: Child | None = None

    async def open(self) -> None:
        """Start the bracket."""
        fresh = pickle.dumps(self.ranking)
        spec = ChildSpec("bracket", lambda: Bracket(pickle.loads(fresh)), Restart.PERMANENT)
        self._child = await self.nursery.start(spec, self._tell_again)

    async def close(self) -> None:
        """Stop the bracket."""
        if self._child is not None:
            await self.nursery.stop(self._child)

    async def next_matches(self, limit: int | None) -> pa.RecordBatch:
        """Return the next round (schema MATCHES)."""
        return bare((await self._tell(NextMatches(limit=limit))).batch(), MATCHES)

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

    async def _tell(
        self, body: NextMatches | Record | Exclude, table: pa.RecordBatch | None = None
    ) -> Envelope:
        envelope = Envelope(body, table)
        reply = await self._ask(envelope)
        self._told.append(envelope)
        return reply

    async def _ask(self, envelope: Envelope) -> Envelope:
        assert self._child is not None, "a tournament is opened before it is asked"
        while True:
            key = self._child.key
            try:
                return await one_reply(self.nursery.runtime.ask(self._child.ref, envelope))
            except ActorDiedError:
                await self.nursery.restart(self._child, key)

    async def _tell_again(self, ref: Ref) -> None:
        for envelope in self._told:
            await one_reply(self.nursery.runtime.ask(ref, envelope))


def _progress(reply: Envelope) -> Progress:
    assert isinstance(reply.body, Recorded | Standing)
    return reply.body.progress
