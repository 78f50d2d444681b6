"""The hosts of a run, a pool for each role: started as stages need them, told what they need."""

import asyncio
from collections.abc import Callable

from ..actors.actor import Actor, Envelope, Ref
from .children import ChildSpec
from .nursery import Child, Nursery

Create = Callable[[int, int], Actor]
"""Makes the actor of a host, given its number and which of its lives this is, both from 0."""


class Pool:
    """The hosts of one role. Each knows all that the pool was told, also after a restart."""

    def __init__(self, role: str, nursery: Nursery, create: Create) -> None:
        self._role, self._nursery, self._create = role, nursery, create
        self._hosts: list[asyncio.Task[Child]] = []
        self._readying: set[asyncio.Task[Child]] = set()
        self._told: dict[object, Envelope] = {}

    def grow(self, count: int) -> None:
        """Begin to start hosts until there are *count*."""
        for number in range(len(self._hosts), count):
            self._hosts.append(asyncio.create_task(self._start(number)))

    def tell(self, key: object, envelope: Envelope) -> None:
        """Have each host be told *envelope* before the next stage asks it."""
        self._told[key] = envelope

    async def tell_now(self, key: object, envelope: Envelope, *, instead_of: object) -> None:
        """Have each host be told *envelope* at once, in place of what it knows as *instead_of*."""
        self._told.pop(instead_of, None)
        self._told[key] = envelope
        for host in self._hosts:
            if host.done() and not host.cancelled() and host.exception() is None:
                await self._nursery.prepare_again(host.result(), host.result().prepare)

    def knows(self, key: object) -> bool:
        """Whether the pool was told something under *key*."""
        return key in self._told

    async def forget(self, key: object, farewell: Envelope) -> None:
        """Tell the hosts no more of *key*; those that run are told *farewell*."""
        self._told.pop(key, None)
        for host in self._hosts:
            if host.done() and not host.cancelled() and host.exception() is None:
                telling = self._nursery.one_reply(host.result().ref, farewell)
                await asyncio.gather(telling, return_exceptions=True)  # it may be gone

    def ready(self) -> list[asyncio.Task[Child]]:
        """Return the hosts to be, each done once it has started and knows all that it must."""
        tasks = [asyncio.create_task(self._made_ready(host)) for host in self._hosts]
        for task in tasks:
            self._readying.add(task)
            task.add_done_callback(self._readying.discard)
        return tasks

    @property
    def size(self) -> int:
        """How many hosts there are, or will be."""
        return len(self._hosts)

    @property
    def newest(self) -> "asyncio.Task[Child]":
        """The host that was started last."""
        return self._hosts[-1]

    def unfinished(self) -> list[asyncio.Task[Child]]:
        """Return the hosts that are still starting, or being told."""
        return [*self._readying, *(host for host in self._hosts if not host.done())]

    async def _start(self, number: int) -> Child:
        lives = iter(range(1 << 30))
        spec = ChildSpec(f"{self._role}-{number}", lambda: self._create(number, next(lives)))
        return await self._nursery.start(spec, _Briefing(self._nursery, self._told))

    async def _made_ready(self, starting: "asyncio.Task[Child]") -> Child:
        host = await asyncio.shield(starting)
        await self._nursery.prepare_again(host, host.prepare)
        return host


class _Briefing:
    """Tells a host what it does not know yet; one that was started again knows nothing."""

    def __init__(self, nursery: Nursery, told: dict[object, Envelope]) -> None:
        self._nursery, self._told = nursery, told
        self._ref: Ref | None = None
        self._known: set[object] = set()
        self._lock = asyncio.Lock()

    async def __call__(self, ref: Ref) -> None:
        async with self._lock:
            if ref is not self._ref:
                self._ref, self._known = ref, set()
            for key, envelope in list(self._told.items()):
                if key not in self._known:
                    await self._nursery.one_reply(ref, envelope)
                    self._known.add(key)
