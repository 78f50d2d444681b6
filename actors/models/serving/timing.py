"""The server's own time, which may run faster than the clock on the wall."""

from datetime import UTC, datetime

from ...clock import Clock, WallClock


class ServedTime:
    """Seconds since the server began, *scale* of them in each real one."""

    def __init__(self, clock: Clock | None = None, *, scale: float = 1.0) -> None:
        self._clock = clock or WallClock()
        self.scale = scale
        self._start = self._clock.now()

    def now(self) -> float:
        """Return the server's seconds since it began."""
        return (self._clock.now() - self._start) * self.scale

    def epoch(self) -> float:
        """Return the real time in seconds since 1970."""
        return self._clock.epoch()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds* of the server's time."""
        if seconds > 0.0:
            await self._clock.sleep(seconds / self.scale)

    def stamp(self, ahead: float) -> str:
        """Return the moment that is *ahead* seconds of the server's on, as RFC 3339."""
        moment = datetime.fromtimestamp(self.epoch() + ahead / self.scale, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
