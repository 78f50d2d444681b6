"""A tournament: an actor that holds a ranking, hands matches out and takes outcomes in."""

from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from .tables import MATCHES, OUTCOMES, STANDING

__all__ = ["MATCHES", "OUTCOMES", "STANDING", "Progress", "Ranking"]

Stopped = Literal["target", "budget", "saturation", "data"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a ranking stands; *stopped* is None while it wants more matches."""

    rounds: int
    asked: int
    answered: int
    predicted_tau: float
    stopped: Stopped | None
    expected_calls: int | None
    notes: tuple[str, ...] = ()


class Ranking(Protocol):
    """Decides which matches to ask and what order the outcomes support: no clock, no I/O."""

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        ...

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (schema OUTCOMES), in the order its matches were handed out."""
        ...

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament: never shown again, absent from the standing."""
        ...

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (schema STANDING)."""
        ...

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        ...
