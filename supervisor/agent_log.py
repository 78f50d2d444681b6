"""The table of a run's agents: one row an agent that ended, for people and for reports."""

import threading
from collections.abc import Iterable
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
    """Collects the rows in columns; any thread may add."""

    def __init__(self) -> None:
        self._columns: list[list[Any]] = [[] for _ in AGENT_LOG]
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        """How many agents have ended."""
        return len(self._columns[0])

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add *rows* of AGENT_LOG."""
        with self._lock:
            for column, told in zip(self._columns, zip(*rows, strict=True), strict=True):
                column.extend(told)

    def table(self) -> pa.Table:
        """Return all rows so far (AGENT_LOG)."""
        with self._lock:
            told = zip(self._columns, AGENT_LOG.types, strict=True)
            arrays = [pa.array(column, kind) for column, kind in told]
        return pa.Table.from_arrays(arrays, schema=AGENT_LOG)
