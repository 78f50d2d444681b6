"""A tournament: an actor that holds a ranking, hands matches out and takes outcomes in."""

from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

Stopped = Literal["target", "budget", "saturation", "data"]

MATCHES = pa.schema([pa.field("shown", pa.list_(pa.int32()), nullable=False)])
"""Matches: the items to compare, as row numbers of the item table, in the order shown."""

OUTCOMES = pa.schema(
    [
        pa.field("shown", pa.list_(pa.int32()), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("grade", pa.int8()),
        pa.field("order", pa.list_(pa.int32())),
    ]
)
"""Outcomes: a match with its answer. *grade* is from the first shown item's side (questions.py),
*order* the items best first (a valid prefix is enough). Both are null where *status* is not `ok`:
missing data, never a verdict."""

STANDING = pa.schema(
    [
        pa.field("item", pa.int32(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("rank_low", pa.float64(), nullable=False),
        pa.field("rank_high", pa.float64(), nullable=False),
        pa.field("comparisons", pa.int32(), nullable=False),
    ]
)
"""The ranking so far, best first: posterior mean, 90% interval of the rank (1 = best), matches."""


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
