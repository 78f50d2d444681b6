"""A simulated model behind the patience of a real client: what can be mended is asked again."""

from collections.abc import AsyncIterator
from typing import Final

import numpy as np
import pyarrow as pa

from ..simulation.keyed import Ints
from ..tables import REPLIES, concat, replace_columns
from .base import Model

MAX_ATTEMPTS: Final = 6
MAX_REASKS: Final = 4
BACKOFF_US: Final = 500_000
"""A failed attempt waits half a second before the next one, then twice as long each time."""

_MENDABLE: Final[dict[tuple[str, str | None], int]] = {
    ("failed", "server_error"): MAX_ATTEMPTS - 1,
    ("invalid", "schema"): MAX_REASKS,
}
_SUMMED: Final = (
    *("tokens_in", "tokens_out", "tokens_thinking", "tokens_cache_write", "tokens_cache_read"),
    *("cost_nanousd", "ttft_us", "decode_us", "attempts"),
)


class Patient:
    """Asks *model* again, as often as our client asks a real one: failures six times in all, broken
    answers four times more. A reply sums what all its attempts took, waits included."""

    reads_prompts = True

    def __init__(self, model: Model) -> None:
        self._model = model

    async def answer(self, requests: pa.RecordBatch) -> AsyncIterator[pa.RecordBatch]:
        """Yield one batch with every reply, in the order of the requests."""
        replies = await self._once(requests)
        for attempt in range(1, MAX_ATTEMPTS):
            rows = _mendable(replies, attempt)
            if not len(rows):
                break
            again = replace_columns(requests.take(pa.array(rows)), {"attempt": attempt})
            replies = _merged(replies, await self._once(again), rows, attempt)
        yield replies

    async def _once(self, requests: pa.RecordBatch) -> pa.RecordBatch:
        pieces = [piece async for piece in self._model.answer(requests)]
        return concat(pieces, REPLIES)


def _mendable(replies: pa.RecordBatch, attempt: int) -> Ints:
    """Return the rows that are worth the next *attempt*."""
    endings = zip(*(replies.column(n).to_pylist() for n in ("status", "reason")), strict=True)
    rows = [row for row, ending in enumerate(endings) if attempt <= _MENDABLE.get(ending, 0)]
    return np.array(rows, np.int64)


def _merged(
    before: pa.RecordBatch, after: pa.RecordBatch, rows: Ints, attempt: int
) -> pa.RecordBatch:
    """Return *before* with *after* in its *rows*: the later answer, and what both took together."""
    earlier = before.take(pa.array(rows))
    summed = {name: pa.compute.add(earlier.column(name), after.column(name)) for name in _SUMMED}
    wait = pa.scalar(BACKOFF_US << (attempt - 1), pa.int64())
    summed["ttft_us"] = pa.compute.add(summed["ttft_us"], wait)
    later = replace_columns(after, summed)
    order = np.arange(before.num_rows)
    order[rows] = before.num_rows + np.arange(len(rows))
    return concat([before, later], REPLIES).take(pa.array(order))
