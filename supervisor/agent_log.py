"""The table of a run's agents: one row an agent that ended, for people and for reports."""

import threading
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from ..actors.simulation.keyed import Ints

AGENT_LOG: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("phase", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("duration_us", pa.int64(), nullable=False),
        pa.field("tokens_in", pa.int32(), nullable=False),
        pa.field("tokens_out", pa.int32(), nullable=False),
        pa.field("cost_nanousd", pa.int64()),
        pa.field("served_model", pa.string()),
    ]
)
"""One row an agent: its place in the workflow, how it ended, and what it took."""


Rows: TypeAlias = Sequence[tuple[Any, ...]] | pa.RecordBatch
"""Rows of AGENT_LOG."""


def rows_of(
    replies: pa.RecordBatch, *, paths: list[str], role: str, labels: list[str], phase: str
) -> pa.RecordBatch:
    """Return the row of each agent of a table: its *path*, its *label*, and how its reply ended."""
    given: dict[str, Any] = {
        "path": paths,
        "role": [role] * len(paths),
        "label": labels,
        "phase": [phase] * len(paths),
        "duration_us": durations_of(replies),
    }
    arrays = [
        pa.array(given[field.name], field.type)
        if field.name in given
        else replies.column(field.name).cast(field.type)
        for field in AGENT_LOG
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=AGENT_LOG)


def durations_of(replies: pa.RecordBatch) -> Ints:
    """Return what each of *replies* took, in microseconds."""
    spans = [replies.column(name).fill_null(0).to_numpy() for name in ("ttft_us", "decode_us")]
    return np.asarray(spans[0] + spans[1], np.int64)


class AgentLog:
    """Collects the rows, a batch at a time; any thread may add."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self.rows = 0
        """How many agents have ended."""
        self._lock = threading.Lock()

    def add(self, rows: Rows) -> None:
        """Add *rows*."""
        if not len(rows):
            return
        if not isinstance(rows, pa.RecordBatch):
            told = zip(zip(*rows, strict=True), AGENT_LOG.types, strict=True)
            arrays = [pa.array(column, kind) for column, kind in told]
            rows = pa.RecordBatch.from_arrays(arrays, schema=AGENT_LOG)
        with self._lock:
            self._batches.append(rows)
            self.rows += len(rows)

    def table(self) -> pa.Table:
        """Return all rows so far (AGENT_LOG)."""
        with self._lock:
            return pa.Table.from_batches(self._batches, schema=AGENT_LOG)
