"""Whether who is asked still lives: a process that is gone without a trace never says so.

A machine that loses its power closes no connection; Ray takes a quarter of a minute to miss it.
Who is waited for is asked every second whether it lives, on a thread that its work does not hold
up, and given up after some seconds of silence.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ..actors.actor import Ref
from ..actors.errors import ActorDiedError
from .runtime.base import Runtime

PERIOD_S: Final = 1.0
PATIENCE: Final = 4
"""Periods of silence, one after the other, that are death."""
SHORT: Final = 2
"""The same where another has fallen silent in the same place."""


@dataclass(slots=True)
class Pulse:
    """What is known of one life. Pure: it counts the ticks of whoever asks, not the time, so that
    a process that was held up itself does not find everybody else dead."""

    patience: int = PATIENCE
    silent: int = 0
    is_asked: bool = False

    def tick(self) -> bool:
        """Take note that a period has passed; returns whether to ask again."""
        if self.is_asked:
            self.silent += 1
            return False
        self.is_asked = True
        return True

    def heard(self) -> None:
        """Take note of an answer."""
        self.silent, self.is_asked = 0, False

    @property
    def is_dead(self) -> bool:
        """Whether it has been silent for too long."""
        return self.silent >= self.patience


@dataclass(slots=True)
class _Watched:
    ref: Ref
    pulse: Pulse
    waits: int = 0
    beat: "asyncio.Task[None] | None" = None


class Heartbeat:
    """Watches actors for as long as somebody waits for them, and ends those that fall silent.

    To end one is enough: the runtime tells all who ask it of its death.
    """

    def __init__(
        self,
        runtime: Runtime,
        tell: Callable[[str, str], None],
        *,
        period_s: float = PERIOD_S,
    ) -> None:
        self._runtime, self._tell, self._period_s = runtime, tell, period_s
        self._watched: dict[int, _Watched] = {}
        self._ticking: asyncio.Task[None] | None = None

    @contextmanager
    def over(self, ref: Ref) -> Iterator[None]:
        """Watch the actor at *ref* until the block ends."""
        watched = self._watched.get(id(ref)) or self._begin(ref)
        watched.waits += 1
        try:
            yield
        finally:
            watched.waits -= 1
            if not watched.waits and self._watched.get(id(ref)) is watched:
                del self._watched[id(ref)]

    def _begin(self, ref: Ref) -> _Watched:
        pulse = Pulse(SHORT if self._runtime.is_doubted(ref) else PATIENCE)
        watched = self._watched[id(ref)] = _Watched(ref, pulse)
        if pulse.patience < PATIENCE and pulse.tick():
            watched.beat = asyncio.create_task(self._ask(watched))
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        return watched

    def close(self) -> None:
        """Watch nobody any more."""
        if self._ticking is not None:
            self._ticking.cancel()

    async def _tick(self) -> None:
        while self._watched:
            await asyncio.sleep(self._period_s)
            for key, watched in list(self._watched.items()):
                if watched.pulse.tick():
                    watched.beat = asyncio.create_task(self._ask(watched))
                elif watched.pulse.is_dead:
                    del self._watched[key]
                    self._end(watched)

    async def _ask(self, watched: _Watched) -> None:
        try:
            await self._runtime.beat(watched.ref)
        except ActorDiedError:
            if self._watched.pop(id(watched.ref), None) is not None:
                self._runtime.kill(watched.ref)  # who asks it may not have heard yet
        else:
            watched.pulse.heard()

    def _end(self, watched: _Watched) -> None:
        self._tell("silent", watched.ref.name)
        if watched.beat is not None:
            watched.beat.cancel()
        self._runtime.doubt(watched.ref)
        self._runtime.kill(watched.ref)
