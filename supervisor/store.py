"""The run store: a folder for each run, with what it asked, was told, and made of it."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq

from ..actors.errors import UsageError
from .agent_log import AGENT_LOG

MATCH_LOG: Final = pa.schema(
    [
        pa.field("round", pa.int32(), nullable=False),
        pa.field("call_id", pa.int64(), nullable=False),
        pa.field("ids", pa.list_(pa.string()), nullable=False),
        pa.field("text_hashes", pa.list_(pa.string()), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("judge", pa.string(), nullable=False),
        pa.field("by", pa.string(), nullable=False),
        pa.field("prompt_version", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("grade", pa.int8()),
        pa.field("order", pa.list_(pa.string())),
        pa.field("tokens_in", pa.int32(), nullable=False),
        pa.field("tokens_out", pa.int32(), nullable=False),
        pa.field("cost_nanousd", pa.int64()),
        pa.field("why", pa.string()),
    ]
)
"""One row a match. *ids* and *text_hashes* in the order shown, *order* ids best first."""

EVENT_LOG: Final = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("time_us", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
"""What happened, in order: phases, log lines, deaths and restarts; microseconds since the start."""


DAMAGED: Final = "damaged"
_FILES: Final = ("run.json", "run.journal", "charges.journal")


class RunStore:
    """Writes one run's folder; every file is written beside and then renamed."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self.path = path
        self._metadata = {f"commedia.{key}": value for key, value in metadata.items()}

    def write_matches(self, number: int, matches: pa.Table) -> None:
        """Write round *number*'s matches (MATCH_LOG); its words may come as dictionaries."""
        name = Path("matches") / f"round-{number:05d}.parquet"
        plain = {"store_schema": False, "write_statistics": False}  # words, and at half the time
        self._write(name, matches, **plain)

    def write_events(self, events: pa.Table) -> None:
        """Write all events so far (EVENT_LOG)."""
        self._write(Path("events.parquet"), events)

    def write_world(self, world: pa.RecordBatch) -> None:
        """Write what a simulated run knows of its world."""
        self._write(Path("world.parquet"), pa.Table.from_batches([world]))

    def write_agents(self, agents: pa.Table) -> None:
        """Write all agents so far (agent_log.AGENT_LOG)."""
        self._write(Path("agents.parquet"), agents)

    def write_ranking(self, ranking: pa.Table, *, number: int = 0) -> None:
        """Write the ranking so far; the later tournaments of a run have names of their own."""
        name = f"ranking-{number + 1}.parquet" if number else "ranking.parquet"
        self._write(Path(name), ranking)

    def update(self, facts: Mapping[str, Any]) -> None:
        """Merge *facts* into run.json."""
        file = self.path / "run.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        _replace(file, json.dumps({**known, **facts}, indent=1).encode())

    def _write(self, name: Path, table: pa.Table, **options: bool) -> None:
        file = self.path / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        sink = pa.BufferOutputStream()
        table = table.cast(table.schema.with_metadata(self._metadata))
        with pq.ParquetWriter(sink, table.schema, **options) as writer:
            writer.write_table(table)
            if not options.get("store_schema", True):  # then that of the schema is not stored
                writer.add_key_value_metadata(self._metadata)
        _replace(file, sink.getvalue().to_pybytes())


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run's folder, to be read."""

    path: Path
    data: dict[str, Any]

    def matches(self) -> pa.Table:
        """Return its matches so far (MATCH_LOG), by round."""
        files = sorted((self.path / "matches").glob("round-*.parquet"))
        tables = [pq.read_table(file, schema=MATCH_LOG) for file in files]
        batches = [b for table in tables for b in table.to_batches()]
        return pa.Table.from_batches(batches, MATCH_LOG)

    def agents(self) -> pa.Table:
        """Return its agents that have ended (agent_log.AGENT_LOG); no rows before its end."""
        file = self.path / "agents.parquet"
        return pq.read_table(file) if file.exists() else pa.Table.from_batches([], AGENT_LOG)

    def events(self) -> pa.Table:
        """Return its events (EVENT_LOG); no rows before they are written."""
        file = self.path / "events.parquet"
        return pq.read_table(file) if file.exists() else pa.Table.from_batches([], EVENT_LOG)

    def ranking(self) -> pa.Table:
        """Return its ranking; raises UsageError while it has none."""
        file = self.path / "ranking.parquet"
        if not file.exists():
            raise UsageError(f"run {self.path.name} has no ranking yet")
        return pq.read_table(file)


def runs_home() -> Path:
    """Return the folder of all runs: $COMMEDIA_HOME/runs, or the user's data folder."""
    home = os.environ.get("COMMEDIA_HOME")
    return (Path(home) if home else platformdirs.user_data_path("commedia")) / "runs"


def create_run() -> Path:
    """Make a new run's folder, for its owner only; raises UsageError where that cannot be."""
    now = datetime.now(UTC)  # to the microsecond, in hex, so that names sort as runs began
    name = f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{secrets.token_hex(1)}"
    path = runs_home() / name
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except OSError as error:
        raise UsageError(
            f"cannot keep runs in {path.parent}: {error.strerror}; set COMMEDIA_HOME to a folder "
            "that can be written"
        ) from error
    return path


def list_runs() -> list[RunRecord]:
    """Return all runs, the oldest first; folders that are none are passed over.

    One whose account cannot be read is `damaged`, and holds nothing but its name.
    """
    home = runs_home()
    if not home.is_dir():
        return []
    records = []
    for path in sorted(home.iterdir()):
        try:
            records.append(RunRecord(path, json.loads((path / "run.json").read_text())))
        except (OSError, ValueError):
            if _is_run(path):
                records.append(RunRecord(path, {"run_id": path.name, "status": DAMAGED}))
    return records


def find_run(name: str) -> RunRecord:
    """Return the run *name*: an id, a unique prefix of one, or `last`; raises UsageError."""
    record = _found(name)
    if record.data.get("status") == DAMAGED:
        raise UsageError(
            f"run {record.path.name} cannot be read: its run.json is damaged, or may not be read; "
            f"what else there is of it is in {record.path}"
        )
    return record


def _is_run(path: Path) -> bool:
    try:
        return any((path / file).exists() for file in _FILES)
    except OSError:  # nobody may look into it
        return True


def _found(name: str) -> RunRecord:
    runs = list_runs()
    if not runs:
        raise UsageError(f"there are no runs in {runs_home()} yet")
    if name == "last":
        return runs[-1]
    found = [run for run in runs if run.path.name.startswith(name)]
    exact = [run for run in found if run.path.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise UsageError(f"run {name!r} could be {len(found)} runs; give more of its id")
    raise UsageError(f"there is no run {name!r}; `commedia runs` lists them")


def _replace(file: Path, data: bytes) -> None:
    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_bytes(data)
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from error  # it may not name it
