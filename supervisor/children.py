"""Child specs and restart policy, in OTP's words. Pure: the caller passes the time in."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from ..actors.actor import Actor
from ..actors.errors import IntensityExceededError


class Restart(StrEnum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Only if it died; not after an orderly end."""
    TEMPORARY = "temporary"
    """Never."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child: its name, how to make it afresh, and when to start it again."""

    name: str
    create: Callable[[], Actor]
    restart: Restart = Restart.PERMANENT


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most *restarts* within *period_s* seconds, over all children; one more ends the run."""

    restarts: int = 10
    period_s: float = 60.0


@dataclass(slots=True)
class RestartPolicy:
    """Decides, one for one, whether a child that ended starts again."""

    intensity: Intensity
    _times: deque[float] = field(default_factory=deque)

    def restarts(
        self, spec: ChildSpec, *, died: bool, now: float, why: str = "its process ended"
    ) -> bool:
        """Return whether to start *spec* again; *died* is false after an orderly end.

        Raises IntensityExceededError where that would be more often than the intensity allows.
        """
        if spec.restart == Restart.TEMPORARY or (spec.restart == Restart.TRANSIENT and not died):
            return False
        while self._times and now - self._times[0] > self.intensity.period_s:
            self._times.popleft()
        if len(self._times) >= self.intensity.restarts:
            raise IntensityExceededError(
                spec.name, self.intensity.restarts, self.intensity.period_s, why
            )
        self._times.append(now)
        return True
