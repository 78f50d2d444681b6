"""Starts children from their specs, prepares them, and starts them again when they die."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from ..actors.actor import Asking, Envelope, Ref
from ..actors.clock import Clock
from ..actors.errors import ActorDiedError
from .children import ChildSpec, RestartPolicy
from .heartbeat import Heartbeat
from .runtime.base import Runtime, one_reply

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
        self._restarting: set[asyncio.Task[bool]] = set()
        self.heart = Heartbeat(runtime, tell)
        self.deaths: list[str] = []
        self._is_over = False

    async def start(self, spec: ChildSpec, prepare: Prepare = _nothing) -> Child:
        """Start a child of *spec*, prepare it, and keep it until the end, unless that fails."""
        child = Child(spec, await self._started(spec), prepare)
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

        None is started again once all are being stopped.

        Whoever comes later for the same death waits for the same restart. Raises
        IntensityExceededError where children die more often than the intensity allows.
        """
        async with child._lock:
            if child.key != key:
                return True
            if self._is_over or not self._restarts(child.spec, why):
                return False
            await self.runtime.stop(child.ref)
            child.ref = await self._replaced(child)
            child.generation += 1
            self._tell("restarted", child.spec.name)
        return True

    def restart_soon(self, child: Child, key: str, *, why: str) -> "asyncio.Task[bool]":
        """Begin to restart *child*, whether or not anybody waits until that is done."""
        task = asyncio.create_task(self.restart(child, key, why=why))
        self._restarting.add(task)
        task.add_done_callback(self._restarted)
        return task

    def _restarted(self, task: "asyncio.Task[bool]") -> None:
        self._restarting.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell("restart_failed", str(error))  # who needs that child hears of it, too

    async def prepare_again(self, child: Child, prepare: Prepare) -> None:
        """Tell *child* something new, now and after each later start."""
        child.prepare = prepare
        async with child._lock:
            pass  # a restart may be under way
        await self._prepare(child)

    async def stop(self, child: Child) -> None:
        """Stop *child* for good."""
        self._children.remove(child)
        await self.runtime.stop(child.ref)

    async def stop_all(self) -> None:
        """Stop every child, the youngest first."""
        self._is_over = True
        self.heart.close()
        for task in (restarting := list(self._restarting)):
            task.cancel()
        await asyncio.gather(*restarting, return_exceptions=True)
        for child in reversed(self._children[:]):
            try:
                await self.stop(child)
            except Exception as error:  # one that cannot stop in order must not keep the others
                self._tell("stop_failed", f"{child.spec.name}: {error}")
                self.runtime.kill(child.ref)

    async def one_reply(self, ref: Ref, envelope: Envelope) -> Envelope:
        """Return the only reply of the child at *ref*, which is watched meanwhile."""
        with self.heart.over(ref):
            return await one_reply(self.runtime.ask(ref, envelope))

    async def replies(self, ref: Ref, asking: Asking) -> AsyncIterator[Envelope]:
        """Yield the replies of *asking* by the child at *ref*, which is watched meanwhile."""
        with self.heart.over(ref):
            async for reply in asking:
                yield reply

    def _restarts(self, spec: ChildSpec, why: str) -> bool:
        self.deaths.append(f"{spec.name}: {why}")
        self._tell("died", self.deaths[-1])
        return self._policy.restarts(spec, died=True, why=why, now=self._clock.now())

    async def _started(self, spec: ChildSpec) -> Ref:
        """Return a new life of *spec*: one that ends before it began, as on a node that goes just
        then, is followed by another, by the restart policy."""
        while True:
            try:
                return await self.runtime.start(spec.create(), spec.name)
            except ActorDiedError as error:
                if not self._restarts(spec, error.why):
                    raise

    async def _replaced(self, child: Child) -> Ref:
        """Return a new life of *child* that was told all it must know: nobody may ask it before."""
        while True:
            ref = await self._started(child.spec)
            try:
                await child.prepare(ref)
            except ActorDiedError as error:
                if error.actor != child.spec.name or not self._restarts(child.spec, error.why):
                    raise
                self.runtime.kill(ref)
            except BaseException:  # or nobody would know of it
                self.runtime.kill(ref)
                raise
            else:
                return ref

    async def _prepare(self, child: Child) -> None:
        key = child.key
        try:
            await child.prepare(child.ref)
        except ActorDiedError as error:
            if error.actor != child.spec.name:
                raise
            await self.restart(child, key)
