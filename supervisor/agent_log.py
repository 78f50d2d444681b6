"""The table of a run's agents: one row an agent that ended, for people and for reports."""

import threading
from collections.abc import Mapping, Sequence
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
        self._columns: dict[str, list[Any]] = {name: [] for name in AGENT_LOG.names}
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        """How many agents have ended."""
        return len(self._columns["path"])

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add *rows*, mappings with the columns of AGENT_LOG."""
        with self._lock:
            for name, column in self._columns.items():
                column.extend(row[name] for row in rows)

    def table(self) -> pa.Table:
        """Return all rows so far (AGENT_LOG)."""
        with self._lock:
            arrays = [pa.array(self._columns[f.name], f.type) for f in AGENT_LOG]
        return pa.Table.from_arrays(arrays, schema=AGENT_LOG)
