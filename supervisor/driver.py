"""The driver's side of a run: starts the supervisor, hands the key over, and starts it again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from ..actors.actor import Envelope, Ref
from ..actors.errors import ActorDiedError, RunFailedError
from ..actors.messages import HandOver
from ..actors.simulation.world import World
from .children import ChildSpec, Restart, RestartPolicy
from .desk import Inquiry
from .heartbeat import Heartbeat
from .orders import Execute, Finished, GatewayStarted, Halt, Inquired, Noted, Told, Warned
from .progress import RunProgress
from .runtime.base import Runtime, one_reply
from .supervisor import Supervisor

Inquire = Callable[[Inquiry], str | None]
"""Asks the user, in a thread; None where the user gives no answer."""

NO_WORLD: Final = World()


class Driver:
    """Runs one workflow under a supervisor. One that dies is started again, and goes on from the
    run's journals: what was paid for is not asked again."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        key: str | None,
        watch: Callable[[RunProgress], None],
        inquire: Inquire | None = None,
    ) -> None:
        self._runtime = runtime
        self._key = key
        self._watch = watch
        self._inquire = inquire
        self._heart = Heartbeat(runtime, lambda kind, text: None)
        self._asking: set[asyncio.Task[None]] = set()
        self._supervisor: Ref | None = None
        self._is_halted = False
        self._progress: RunProgress | None = None

    async def run(self, order: Execute, world: World = NO_WORLD) -> Finished:
        """Run *order* in *world* to its end; raises what ended it."""
        policy = RestartPolicy(order.spec.intensity)
        spec = ChildSpec("supervisor", Supervisor, Restart.TRANSIENT)
        order = order.model_copy(update={"can_ask": self._inquire is not None})
        while True:
            self._supervisor = await self._runtime.start(spec.create(), spec.name)
            try:
                with self._heart.over(self._supervisor):
                    return await self._follow(order, world)
            except ActorDiedError as error:
                now = self._runtime.clock.now()
                if not policy.restarts(spec, died=True, now=now):
                    raise RunFailedError(
                        f"the run's supervisor ended ({error.why}); what it had paid for is in "
                        f"{order.spec.folder}"
                    ) from error
            finally:
                await self._runtime.stop(self._supervisor)

    async def halt(self, *, cancel: bool = False) -> None:
        """Make no new call; with *cancel*, take back those under way as well."""
        self._is_halted = True  # for a supervisor that is still starting
        if self._supervisor is not None:
            order = Halt(how="cancel" if cancel else "drain")
            await one_reply(self._runtime.ask(self._supervisor, Envelope(order)))

    async def _follow(self, order: Execute, world: World) -> Finished:
        assert self._supervisor is not None
        order = order.model_copy(update={"is_halted": self._is_halted})
        envelope = Envelope(order, world.batch())
        async for reply in self._runtime.ask(self._supervisor, envelope):
            match reply.body:
                case GatewayStarted(gateway=gateway):
                    handing = self._runtime.ask(gateway, Envelope(HandOver(key=self._key)))
                    with suppress(ActorDiedError):  # of the gateway's death its hosts tell
                        await one_reply(handing)
                case Noted(progress=progress):
                    self._progress = progress
                    self._watch(progress)
                case Warned(line=line):
                    if self._progress is not None:
                        self._watch(replace(self._progress, said=(line,), is_urgent=True))
                case Inquired(inquiry=inquiry):
                    task = asyncio.create_task(self._answer(inquiry))
                    self._asking.add(task)
                    task.add_done_callback(self._asking.discard)
                case Finished() as finished:
                    return finished
        raise RunFailedError("the run's supervisor ended without a result")

    async def _answer(self, inquiry: Inquiry) -> None:
        assert self._inquire is not None and self._supervisor is not None
        answer = await asyncio.to_thread(self._inquire, inquiry)
        order = Told(path=inquiry.path, answer=answer)
        await one_reply(self._runtime.ask(self._supervisor, Envelope(order)))
