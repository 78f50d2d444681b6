"""Evidence files, read a batch at a time: Parquet, CSV or JSON lines."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from .errors import EvidenceError
from .evidence import number_rows

BATCH_ROWS = 65_536
KINDS = (".parquet", ".csv", ".jsonl")


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
        raise EvidenceError(name, f"{path} cannot be read: {why}") from None


def _batches(name: str, path: Path) -> Iterator[pa.RecordBatch]:
    match path.suffix:
        case ".parquet":
            yield from pq.ParquetFile(path).iter_batches(BATCH_ROWS)
        case ".csv":
            yield from pyarrow.csv.open_csv(path)
        case ".jsonl":
            yield from pyarrow.json.open_json(path)
        case other:
            known = ", ".join(KINDS)
            raise EvidenceError(name, f"{path} is a {other or 'file without ending'}, not {known}")
