"""The table of a run's agents: one row an agent that ended, for people and for reports."""

import threading
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

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


class AgentLog:
    """Collects the rows, a batch at a time; any thread may add."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self.rows = 0
        """How many agents have ended."""
        self._lock = threading.Lock()

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add *rows* of AGENT_LOG."""
        if not rows:
            return
        told = zip(zip(*rows, strict=True), AGENT_LOG.types, strict=True)
        arrays = [pa.array(column, kind) for column, kind in told]
        with self._lock:
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=AGENT_LOG))
            self.rows += len(rows)

    def table(self) -> pa.Table:
        """Return all rows so far (AGENT_LOG)."""
        with self._lock:
            return pa.Table.from_batches(self._batches, schema=AGENT_LOG)
