"""Evidence files, read a batch at a time: Parquet, CSV or JSON lines."""

from collections.abc import Iterator
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
    """Return *evidence*; raises EvidenceError where its first rows show that it cannot be used."""
    for name, path in evidence.items():
        first = first_rows(name, path.absolute())
        check_columns(name, kind_of(name, first), first)
    return evidence


def first_rows(name: str, path: Path) -> pa.Table:
    """Return the first rows of the evidence *name*; raises EvidenceError where there are none."""
    if not path.is_file():
        raise EvidenceError(name, f"is not there: {path} is no file; give {name}=FILE ({KINDS})")
    for table in read_batches(name, path):
        if table.num_rows:
            return table.drop_columns(["row"])
    raise EvidenceError(name, f"has no rows: {path}")


def read_batches(name: str, path: Path) -> Iterator[pa.Table]:
    """Yield the rows of the evidence *name*, each with its number in the whole file (`row`).

    Raises EvidenceError where the file cannot be read.
    """
    first = 0
    try:
        for batch in _batches(name, path):
            yield number_rows(pa.Table.from_batches([batch]), first)
            first += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        why = str(error).partition("\n")[0]
        raise EvidenceError(name, f"cannot be read: {path}: {why}") from None


def _batches(name: str, path: Path) -> Iterator[pa.RecordBatch]:
    match path.suffix:
        case ".parquet":
            yield from pq.ParquetFile(path).iter_batches(BATCH_ROWS)
        case ".csv":
            yield from pyarrow.csv.open_csv(path)
        case ".jsonl":
            yield from pyarrow.json.open_json(path)
        case other:
            found = f"a {other} file" if other else "a file without ending"
            raise EvidenceError(name, f"is {found}, not {KINDS}: {path}")
