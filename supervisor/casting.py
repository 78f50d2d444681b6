"""Who plays what in a run: a pool of hosts for each role, and hands for the workflow's tools."""

import asyncio
import itertools
from typing import Any, Final

import pyarrow as pa

from ..actors.actor import Actor, Envelope
from ..actors.errors import ActorDiedError
from ..actors.faults import Faulty
from ..actors.hand import Hand
from ..actors.judge import Judge
from ..actors.messages import Did, Do, Play
from ..actors.reader import Reader
from ..actors.role import Role
from ..actors.simulation.world import World
from ..actors.verifier import Verifier
from ..actors.worker import Worker
from .nursery import Child, Nursery
from .orders import RunSpec
from .pools import Pool
from .runtime.base import one_reply

ROLES: Final[dict[str, type[Role]]] = {
    role.role: role for role in (Worker, Verifier, Judge, Reader)
}
_HAND: Final = "tool"
_PLAY: Final = "play"
_TRIES: Final = 3


class Cast:
    """The hosts of one run."""

    def __init__(self, spec: RunSpec, world: World, nursery: Nursery) -> None:
        self._spec, self._world, self._nursery = spec, world, nursery
        self._pools: dict[str, Pool] = {}
        self._tables = itertools.count()
        self._idle: asyncio.Queue[asyncio.Task[Child]] | None = None
        self._line: tuple[object, Envelope] | None = None

    def pool(self, role: str) -> Pool:
        """Return the pool of *role*."""
        if role not in self._pools:
            self._pools[role] = Pool(role, self._nursery, self._creating(role))
            if self._line is not None and role != _HAND:
                self._pools[role].tell(*self._line)
        return self._pools[role]

    async def connect(self, line: Envelope, *, life: str) -> None:
        """Have all hosts told where the gateway is, in this *life* of it."""
        before, self._line = self._line, (("gateway", life), line)
        for role, pool in self._pools.items():
            if role != _HAND:
                await pool.tell_now(*self._line, instead_of=before[0] if before else None)

    def ready(self, role: str, rows: int) -> "list[asyncio.Task[Child]]":
        """Return the hosts of *role* for a stage of so many *rows*: one more a batch, at most."""
        pool = self.pool(role)
        if role != Judge.role:
            self._brief(pool)
        pool.grow(min(-(-rows // self._spec.batch_rows), self._spec.hosts))
        return pool.ready()

    def judging(self, rows: int) -> "list[asyncio.Task[Child]]":
        """Return the judges' hosts for single prompts, told what they play with."""
        self._brief(self.pool(Judge.role))
        return self.ready(Judge.role, rows)

    def next_table(self) -> int:
        """Return the number of the next item table."""
        return next(self._tables)

    async def call(self, function: Any, arguments: dict[str, Any]) -> Any:  # Any: the workflow's
        """Return what *function* returns, called by a hand that is free.

        A hand that dies over it is started again, and the call is tried anew, three times at most.
        """
        for tries in itertools.count(1):
            starting = await self._free_hand()
            try:
                hand = await asyncio.shield(starting)
                key = hand.key
                ask = self._nursery.runtime.ask(
                    hand.ref, Envelope(Do(function=function, arguments=arguments))
                )
                try:
                    reply = await one_reply(ask)
                except ActorDiedError as error:
                    lives = await self._nursery.restart(hand, key, why=str(error))
                    if tries >= _TRIES or not lives:
                        raise
                    continue
                assert isinstance(reply.body, Did)
                return reply.body.value
            finally:
                assert self._idle is not None
                self._idle.put_nowait(starting)

    def unfinished(self) -> "list[asyncio.Task[Child]]":
        """Return the hosts that are still starting."""
        return [task for pool in self._pools.values() for task in pool.unfinished()]

    async def _free_hand(self) -> "asyncio.Task[Child]":
        if self._idle is None:
            self._idle = asyncio.Queue()
        pool = self.pool(_HAND)
        if self._idle.empty() and pool.size < self._spec.hosts:
            pool.grow(pool.size + 1)
            return pool.newest
        return await self._idle.get()

    def _brief(self, pool: Pool) -> None:
        if not pool.knows(_PLAY):
            body = Play(model=self._spec.model)
            pool.tell(_PLAY, Envelope(body, self._known()))

    def _known(self) -> pa.RecordBatch:
        return self._world.batch()

    def _creating(self, role: str) -> Any:
        faults = self._spec.faults

        def create(number: int, life: int) -> Actor:
            if role == _HAND:
                return Hand()
            actor = ROLES[role]()
            if faults is None or role != self._spec.role:
                return actor
            is_first = number == 0 and life == 0  # the first life of one host may be told to fall
            return Faulty(actor, faults if is_first else faults.model_copy(update={"batch": None}))

        return create
