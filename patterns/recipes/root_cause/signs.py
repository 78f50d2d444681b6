"""Signs: how strongly each service shows one, against the same on fault-free windows.

A strength is a logarithm, so that strengths of counts and of times can be compared. The claim "as
strong as this" is scaled by its own false alarms: the strongest service of each baseline window is
a false alarm, their median the level that noise reaches in every other window. Beyond it, false
alarms are taken to fall with the square of the strength (Chebyshev's bound): no list of baseline
windows is long enough to count such rare ones, and some of them may hold an older fault.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .counting import Floats

MOST_NATS = 7.0
"""No sign speaks stronger than a thousand to one."""

CONTRADICTION_NATS = 2.0
"""At most this speaks against: what is needed is taken to be missed, and what should be absent to
have another cause, one time in seven."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A sign at one service."""

    excess: float
    """Strength above the level of noise."""
    false_alarms: float
    """Share of the baseline windows whose strongest service is as strong."""
    rows: tuple[int, ...] = ()
    note: str = ""

    @property
    def nats(self) -> float:
        """How strongly it speaks: the logarithm of one over its false-alarm bound, levelled."""
        bound = 2.0 * self.excess + math.log(2.0)
        return MOST_NATS * -math.expm1(-bound / MOST_NATS) if self.excess > 0 else 0.0


@dataclass(slots=True)
class Sign:
    """A sign being measured: each service's strength in each window, the incident first."""

    name: str
    windows: int
    strength: dict[str, Floats] = field(default_factory=dict)
    rows: dict[str, tuple[int, ...]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, service: str, strength: Floats, rows: tuple[int, ...], note: str) -> None:
        """Take *strength* where it is more than the service's so far."""
        before = self.strength.get(service)
        if before is None:
            self.strength[service] = strength
        else:
            self.strength[service] = np.fmax(before, strength)
        if before is None or not before[0] >= strength[0]:
            self.rows[service], self.notes[service] = rows, note

    def read(self) -> dict[str, Shown]:
        """Return what each service that can be measured in the incident shows."""
        if not self.strength:
            return {}
        alarms = np.fmax.reduce([strength[1:] for strength in self.strength.values()], axis=0)
        alarms = alarms[np.isfinite(alarms)]
        noise = float(np.median(alarms)) if len(alarms) else 0.0
        return {
            service: Shown(
                float(strength[0]) - noise,
                (1 + int(np.sum(alarms >= strength[0]))) / (1 + len(alarms)),
                self.rows[service],
                self.notes[service],
            )
            for service, strength in sorted(self.strength.items())
            if np.isfinite(strength[0])
        }


Reading = Mapping[str, Mapping[str, Shown]]
"""What one kind of evidence shows: sign, then service."""
