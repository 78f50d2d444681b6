"""Writes rankings: whole files or none, nothing that a spreadsheet would run; and to a terminal."""

import base64
import datetime
import decimal
import io
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from .actors.errors import UsageError
from .inert import inert
from .readers import FORMATS

if TYPE_CHECKING:
    from rich.console import Console

MIN_FREE_BYTES = 10_000_000

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_TO_QUOTE = re.compile('[,"\r\n]')
_CHUNK_ROWS = 10_000


def check_output(path: str, frame: pa.Table | None = None) -> None:
    """Find out before the run whether *path* can be written, as far as can be known; UsageError.

    With *frame*, the columns that will be written are tried as well.
    """
    write = _writer(path)
    try:
        _check_place(path, Path(path).resolve())
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); write elsewhere") from None
    if frame is not None:
        _try_columns(path, frame, write)


def write_table(table: pa.Table, path: str) -> None:
    """Write *table* to *path*, its format told by its extension.

    The file appears whole or not at all: it is written beside and then renamed. Raises OSError
    when the disk refuses, and leaves nothing behind.
    """
    write = _writer(path)
    target = Path(path).resolve()
    beside = _beside(target)
    try:
        with beside.open("xb") as stream:
            write(table, stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def write_csv(table: pa.Table, stream: IO[str]) -> None:
    """Write *table* as CSV; a text that a spreadsheet would run gets a leading apostrophe."""
    stream.write(_csv_row(table.column_names))
    for row in _rows(table):
        stream.write(_csv_row(row.values()))


def csv_cell(value: object) -> str:
    """Return *value* as a CSV cell: numbers as they are, texts without a formula, null empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | decimal.Decimal):
        return str(value)
    text = value if isinstance(value, str) else _nested(value)
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def print_table(
    table: pa.Table, console: "Console", *, texts: Mapping[str, str] | None = None
) -> None:
    """Show the best rows that fit the terminal; *texts* by id, else the longest text column."""
    from rich.table import Table
    from rich.text import Text

    top = table.slice(0, max(console.height - 12, 5))
    shown = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for name in ("rank", "90% interval", "score"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("id", no_wrap=True, overflow="ellipsis", max_width=24)
    shown.add_column("text")  # the only one that gives way when the terminal is narrow
    text_column = _longest_text_column(top)
    for row in top.to_pylist():
        text = (texts or {}).get(row["id"]) or row.get(text_column) or ""
        shown.add_row(
            str(row["rank"]),
            f"{row['rank_low']:.0f} - {row['rank_high']:.0f}",
            f"{row['score']:.2f}",
            Text(inert(row["id"], 24)),
            Text(inert(text, console.width), no_wrap=True, overflow="ellipsis"),
        )
    console.print(shown)
    if table.num_rows > top.num_rows:
        console.print(f"... and {table.num_rows - top.num_rows:,} more rows", style="dim")


def _writer(path: str) -> Callable[[pa.Table, BinaryIO], None]:
    write = _WRITERS.get(Path(path).suffix.lower())
    if write is None:
        raise UsageError(f"{path} has no known extension; write to a {FORMATS} file")
    return write


def _beside(target: Path) -> Path:
    """Return a name for a file that will become *target*, in the same folder."""
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")


def _check_place(path: str, target: Path) -> None:
    if target.is_dir():
        raise UsageError(f"{path} is a folder; name a {FORMATS} file in it")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {Path(path).parent}; make it, or write elsewhere")
    target.exists()  # raises where the name is too long
    probe = _beside(target)
    probe.touch(exist_ok=False)
    probe.unlink()
    if shutil.disk_usage(target.parent).free < MIN_FREE_BYTES:
        raise UsageError(
            f"{path} cannot be written: less than {MIN_FREE_BYTES // 1_000_000} MB are free there; "
            "make room, or write elsewhere"
        )


def _try_columns(path: str, frame: pa.Table, write: Callable[[pa.Table, BinaryIO], None]) -> None:
    for name in frame.column_names:
        try:
            write(frame.select([name]).slice(0, 1), io.BytesIO())
        except (pa.ArrowException, TypeError, ValueError) as error:
            why = str(error).splitlines()[0].rstrip(".")
            raise UsageError(
                f"column {name!r} cannot be written to {path} ({why}); choose another format"
            ) from None


def _csv_row(values: Iterable[object]) -> str:
    """Return one row; `csv.writer` would leave a bare carriage return unquoted."""
    cells = [csv_cell(value) for value in values]
    if cells == [""]:
        return '""\n'  # a blank line would be no row
    quoted = [
        '"' + cell.replace('"', '""') + '"' if _TO_QUOTE.search(cell) else cell for cell in cells
    ]
    return ",".join(quoted) + "\n"


def _write_csv_bytes(table: pa.Table, stream: BinaryIO) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    write_csv(table, text)
    text.detach()


def _write_jsonl(table: pa.Table, stream: BinaryIO) -> None:
    for row in _rows(table):
        finite = {name: _json_value(value) for name, value in row.items()}
        line = json.dumps(finite, ensure_ascii=False, default=_plain, allow_nan=False)
        stream.write(line.encode() + b"\n")


def _write_parquet(table: pa.Table, stream: BinaryIO) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, stream)


def _rows(table: pa.Table) -> Iterator[dict[str, object]]:
    for start in range(0, table.num_rows, _CHUNK_ROWS):
        yield from table.slice(start, _CHUNK_ROWS).to_pylist()


def _json_value(value: object) -> object:
    """Return *value* with null for what JSON cannot say (nan, infinity), at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_json_value(part) for part in value]
    if isinstance(value, dict):
        return {name: _json_value(part) for name, part in value.items()}
    return value


def _nested(value: object) -> str:
    if isinstance(value, list | dict):
        return json.dumps(_json_value(value), ensure_ascii=False, default=_plain)
    return str(_plain(value))


def _plain(value: object) -> str | float:
    """Return a value that JSON has no type for as a text or a number."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def _longest_text_column(table: pa.Table) -> str | None:
    lengths: dict[str, int] = {}
    for field in table.schema:
        if field.name != "id" and (
            pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ):
            values = table.column(field.name).to_pylist()
            lengths[field.name] = sum(len(value or "") for value in values)
    return max(lengths, key=lambda name: lengths[name]) if lengths else None


_WRITERS: dict[str, Callable[[pa.Table, Any], None]] = {
    ".csv": _write_csv_bytes,
    ".jsonl": _write_jsonl,
    ".ndjson": _write_jsonl,
    ".parquet": _write_parquet,
}
