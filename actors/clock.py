"""Time as an argument: who needs it takes a Clock, so a test needs no patience."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and waits."""

    def now(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    def epoch(self) -> float:
        """Return seconds since 1970: the same for every process, but it may be set back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""
        ...


class WallClock:
    """The time of this machine."""

    def now(self) -> float:
        """Return the monotonic time in seconds."""
        return time.monotonic()

    def epoch(self) -> float:
        """Return the time in seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds* of real time."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when someone sleeps or calls *advance*."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the time it was set to."""
        return self._now

    epoch = now

    def advance(self, seconds: float) -> None:
        """Move the time on by *seconds*."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        """Move the time on by *seconds*, and let others run."""
        self.advance(seconds)
        await asyncio.sleep(0)
