"""Reads table files (CSV, JSONL, Parquet, lines); what is wrong is one sentence with its place."""

import codecs
import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from .actors.errors import UsageError

FORMATS = ".csv, .jsonl (.ndjson) or .parquet"

Record = dict[str, object]

_INT64 = range(-(2**63), 2**63)
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?")
_KINDS = {
    str: "a text",
    bool: "a yes/no",
    int: "a number",
    float: "a number",
    dict: "an object",
    list: "a list",
}


def read_file(source: str) -> pa.Table:
    """Read the table file *source*, its format told by its extension."""
    path = Path(source)
    read = _READERS.get(path.suffix.lower())
    if read is None or path.is_dir():
        raise UsageError(_why_not_read(source, path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(_why_not_opened(source, error)) from None
    if not data.strip():
        raise UsageError(f"{source} is empty; give a table with at least one row")
    table = read(source, data)
    if table.num_rows == 0:
        raise UsageError(f"{source} has no rows; give a table with at least one")
    return table


def read_lines() -> pa.Table:
    """Read standard input, one text a line; blank lines are skipped."""
    name = "standard input"
    lines = _decoded(name, sys.stdin.buffer.read()).split("\n")
    texts = [line.rstrip("\r") for line in lines if line.strip()]
    if not texts:
        raise UsageError(f"{name} is empty; pipe in at least one line of text")
    return pa.table({"text": pa.array(texts, pa.string())})


def table_of_records(
    records: Sequence[Record], *, source: str, places: Sequence[str] | None = None
) -> pa.Table:
    """Return *records* as a table, a key missing in one of them as null there.

    Errors say where a record stands by *places*, or else by its row from 0.
    """
    places = places or [f"row {row}" for row in range(len(records))]
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {}
    for name in names:
        values = [record.get(name) for record in records]
        columns[name] = _column(f"{source}: {name!r}", values, places)
    return pa.table(columns)


def _csv(source: str, data: bytes) -> pa.Table:
    rows = _csv_rows(source, _decoded(source, data))
    _, header = next(rows, (1, []))
    names = [name.strip() or f"column_{at}" for at, name in enumerate(header, start=1)]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{source} has two columns named {name!r}; rename one")
    cells: list[list[str]] = [[] for _ in names]
    for line, row in rows:
        if len(row) != len(names):
            raise UsageError(
                f"{source}: line {line} has {len(row)} cells, but the header has {len(names)}; "
                "quote cells that contain commas or line breaks"
            )
        for column, cell in zip(cells, row, strict=True):
            column.append(cell)
    columns = [_typed(column) for column in cells]
    return pa.table(columns, names=names)


def _csv_rows(source: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it begins on; blank lines are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    limit = csv.field_size_limit(sys.maxsize)  # long cells are refused later, by name
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(
            f"{source}: the row that begins on line {line} is not CSV ({error}); check its quotes"
        ) from None
    finally:
        csv.field_size_limit(limit)


def _typed(cells: list[str]) -> pa.Array:
    """Return a CSV column, empty cells null; numbers only where that loses nothing (not 007)."""
    filled = [cell for cell in cells if cell]
    if filled and all(_is_integer(cell) for cell in filled):
        return pa.array([int(cell) if cell else None for cell in cells], pa.int64())
    if filled and all(_is_float(cell) for cell in filled):
        return pa.array([float(cell) if cell else None for cell in cells], pa.float64())
    return pa.array([cell or None for cell in cells], pa.string())


def _is_integer(cell: str) -> bool:
    if len(cell) > 20 or not _DECIMAL.fullmatch(cell) or not cell.removeprefix("-").isdecimal():
        return False
    return str(int(cell)) == cell and int(cell) in _INT64


def _is_float(cell: str) -> bool:
    if not _DECIMAL.fullmatch(cell):
        return False
    shown = repr(float(cell))
    return shown == cell or shown == cell + ".0"


def _jsonl(source: str, data: bytes) -> pa.Table:
    records, lines = [], []
    for line, text in enumerate(_decoded(source, data).split("\n"), start=1):
        if text.strip():
            records.append(_record(source, line, text))
            lines.append(f"line {line}")
    if not any(records):
        raise UsageError(f"{source} has no columns; give objects with at least one key")
    return table_of_records(records, source=source, places=lines)


def _record(source: str, line: int, text: str) -> Record:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = getattr(error, "msg", "a number or a nest in it is too big")
        raise UsageError(
            f"{source}: line {line} is not JSON ({why}); put one whole object on each line"
        ) from None
    if not isinstance(record, dict):
        raise UsageError(
            f"{source}: line {line} is not an object; write lines such as "
            '{"title": "...", "text": "..."}'
        )
    return record


def _column(name: str, values: list[object], places: Sequence[str]) -> pa.Array:
    kinds: dict[str, str] = {}
    for value, place in zip(values, places, strict=True):
        if value is not None:
            kinds.setdefault(_KINDS.get(type(value), type(value).__name__), place)
    if len(kinds) > 1:
        (one, here), (other, there) = list(kinds.items())[:2]
        raise UsageError(
            f"{name} is {one} on {here} but {other} on {there}; make them one kind of value"
        )
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError) as error:
        if kinds.keys() & {"an object", "a list"}:
            return _as_json(values)
        why = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"{name} cannot be stored ({why}); correct it") from None
    return _as_json(values) if "struct<>" in str(array.type) else array


def _as_json(values: list[object]) -> pa.Array:
    """Return nested values that no Arrow type fits as JSON texts."""
    texts = [None if value is None else json.dumps(value, default=str) for value in values]
    return pa.array(texts, pa.string())


def _parquet(source: str, data: bytes) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"{source} is not a sound Parquet file ({why}); write it again") from None
    return table


def _decoded(source: str, data: bytes) -> str:
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{source} is not UTF-8: byte 0x{data[error.start]:02x} on line {line} "
            f"(offset {error.start:,}); save it as UTF-8"
        ) from None


def _why_not_read(source: str, path: Path) -> str:
    if path.is_dir():
        return f"{source} is a folder; give one {FORMATS} file"
    if not path.exists():
        return f"there is no file {source}; check the path"
    return f"{source} has no known extension; give a {FORMATS} file, or - for lines"


def _why_not_opened(source: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"there is no file {source}; check the path"
    return f"{source} cannot be read ({error.strerror}); check its permissions"


_READERS: dict[str, Callable[[str, bytes], pa.Table]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
