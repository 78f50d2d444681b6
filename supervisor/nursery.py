"""Starts children from their specs, prepares them, and starts them again when they die."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..actors.actor import Ref
from ..actors.clock import Clock
from ..actors.errors import ActorDiedError
from .children import ChildSpec, RestartPolicy
from .runtime.base import Runtime

Prepare = Callable[[Ref], Awaitable[None]]
"""What a child is told after each start."""


Tell = Callable[[str, str], None]
"""Told what happened to whom: started, died, restarted."""


async def _nothing(_: Ref) -> None:
    return


def _unheard(_kind: str, _text: str) -> None:
    return


@dataclass(slots=True)
class Child:
    """A child that runs: *generation* counts its starts."""

    spec: ChildSpec
    ref: Ref
    prepare: Prepare = _nothing
    generation: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def key(self) -> str:
        """Names this very life of the child."""
        return f"{self.spec.name}#{self.generation}"


class Nursery:
    """Owns the children of one run: one for one, by the restart policy."""

    def __init__(
        self, runtime: Runtime, policy: RestartPolicy, clock: Clock, tell: Tell = _unheard
    ) -> None:
        self.runtime = runtime
        self._tell = tell
        self._policy = policy
        self._clock = clock
        self._children: list[Child] = []
        self.deaths: list[str] = []

    async def start(self, spec: ChildSpec, prepare: Prepare = _nothing) -> Child:
        """Start a child of *spec*, prepare it, and keep it until the end, unless that fails."""
        child = Child(spec, await self.runtime.start(spec.create(), spec.name), prepare)
        self._tell("started", spec.name)
        self._children.append(child)
        try:
            await self._prepare(child)
        except BaseException:  # or nobody would know of it
            await self.stop(child)
            raise
        return child

    async def restart(self, child: Child, key: str, *, why: str = "its process ended") -> bool:
        """Start *child* again if it is still the life named *key*; returns whether it lives.

        Whoever comes later for the same death waits for the same restart. Raises
        IntensityExceededError where children die more often than the intensity allows.
        """
        async with child._lock:
            if child.key != key:
                return True
            self.deaths.append(f"{child.spec.name}: {why}")
            self._tell("died", self.deaths[-1])
            if not self._policy.restarts(child.spec, died=True, why=why, now=self._clock.now()):
                return False
            await self.runtime.stop(child.ref)
            child.ref = await self.runtime.start(child.spec.create(), child.spec.name)
            child.generation += 1
            self._tell("restarted", child.spec.name)
        await self._prepare(child)
        return True

    async def prepare_again(self, child: Child, prepare: Prepare) -> None:
        """Tell *child* something new, now and after each later start."""
        child.prepare = prepare
        await self._prepare(child)

    async def stop(self, child: Child) -> None:
        """Stop *child* for good."""
        self._children.remove(child)
        await self.runtime.stop(child.ref)

    async def stop_all(self) -> None:
        """Stop every child, the youngest first."""
        for child in reversed(self._children[:]):
            try:
                await self.stop(child)
            except Exception as error:  # one that cannot stop in order must not keep the others
                self._tell("stop_failed", f"{child.spec.name}: {error}")
                self.runtime.kill(child.ref)

    async def _prepare(self, child: Child) -> None:
        key = child.key
        try:
            await child.prepare(child.ref)
        except ActorDiedError as error:
            if error.actor != child.spec.name:
                raise
            await self.restart(child, key)
