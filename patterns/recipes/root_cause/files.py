"""Evidence files, read a batch at a time: Parquet, CSV or JSON lines."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from .errors import EvidenceError
from .evidence import check_columns, kind_of, number_rows

BATCH_ROWS = 65_536
KINDS = ".parquet, .csv or .jsonl"


def check_files(evidence: dict[str, Path]) -> dict[str, Path]:
    """Return *evidence*; raises EvidenceError where its first rows show that it cannot be used.

    A file without rows is no error, for a quiet service logs nothing: the hunt leaves it out.
    """
    for name, path in evidence.items():
        first = first_rows(name, path.absolute())
        if first.column_names:
            check_columns(name, kind_of(name, first), first)
    return evidence


def first_rows(name: str, path: Path) -> pa.Table:
    """Return the first rows of the evidence *name*, or its columns alone where it has none.

    Raises EvidenceError where there is no file, or it cannot be read.
    """
    if not path.is_file():
        raise EvidenceError(name, f"is not there: {path} is no file; give {name}=FILE ({KINDS})")
    with _reading(name, path):
        schema, batches = _open(name, path)
        filled = (pa.Table.from_batches([batch]) for batch in batches if batch.num_rows)
        return next(filled, schema.empty_table())


def read_batches(name: str, path: Path) -> Iterator[pa.Table]:
    """Yield the rows of the evidence *name*, each with its number in the whole file (`row`).

    Raises EvidenceError where the file cannot be read.
    """
    first = 0
    with _reading(name, path):
        for batch in _open(name, path)[1]:
            yield number_rows(pa.Table.from_batches([batch]), first)
            first += batch.num_rows


@contextmanager
def _reading(name: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        why = str(error).partition("\n")[0]
        raise EvidenceError(name, f"cannot be read: {path}: {why}") from None


def _open(name: str, path: Path) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    match path.suffix:
        case ".parquet":
            file = pq.ParquetFile(path)
            return file.schema_arrow, file.iter_batches(BATCH_ROWS)
        case ".csv" | ".jsonl" if _is_blank(path):
            return pa.schema([]), ()
        case ".csv":
            rows = pyarrow.csv.open_csv(path)
            return rows.schema, rows
        case ".jsonl":
            rows = pyarrow.json.open_json(path)
            return rows.schema, rows
        case other:
            found = f"a {other} file" if other else "a file without ending"
            raise EvidenceError(name, f"is {found}, not {KINDS}: {path}")


def _is_blank(path: Path) -> bool:
    """Whether a text file holds nothing, which Arrow refuses to read."""
    with path.open("rb") as lines:
        return not any(line.strip() for line in lines)
