"""Every table that crosses between actors: schemas, labels, the way to bytes and back."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa

from .errors import InvalidBatchError

TRUSTED: Final = 0
CLOSED: Final = 1
UNTRUSTED: Final = 2
"""Integrity of a row, least trusted highest: the join of labels is their maximum."""

PROGRAM: Final = 0
INPUT: Final = 1
ANSWERS: Final = 2
SOURCES: Final = ("program", "input table", "model answers")
"""Provenance: `_provenance` is an index into this table of sources (run.json has it too)."""

MAX_BATCH_BYTES: Final = 2_000_000_000
_MANY: Final = 1024
_NARROW: Final = 200
"""So many rows, of fewer bytes each, are packed on the wire: a third of the bytes, or less."""

_WORD = pa.dictionary(pa.int16(), pa.string())
LABELS: Final = (
    pa.field("_integrity", pa.uint8(), nullable=False),
    pa.field("_provenance", pa.int32(), nullable=False),
)


_LABEL_NAMES: Final = tuple(field.name for field in LABELS)


def labelled(schema: pa.Schema) -> pa.Schema:
    """Return *schema* with the two label columns that every table on the wire has."""
    return pa.schema([*schema, *LABELS])


REQUESTS: Final = labelled(
    pa.schema(
        [
            pa.field("call_id", pa.int64(), nullable=False),
            pa.field("path", pa.string()),
            pa.field("role", _WORD, nullable=False),
            pa.field("model", _WORD, nullable=False),
            pa.field("effort", _WORD),
            pa.field("prompt", pa.string()),
            pa.field("template", pa.int16()),
            pa.field("items", pa.list_(pa.int32())),
            pa.field("output_schema", _WORD),
            pa.field("context_tokens", pa.int32()),
            pa.field("max_tokens", pa.int32()),
            pa.field("timeout_us", pa.int64()),
            pa.field("attempt", pa.int8(), nullable=False),
            pa.field("task", _WORD),
            pa.field("by", _WORD),
            pa.field("variant", _WORD),
            pa.field("repeat", pa.int32()),
            pa.field("spec", pa.string()),
        ]
    )
)
"""Requests. *call_id* is unique in a run; *template* with *items* (rows of the item table, in the
order shown) stands for a *prompt* not yet rendered. *task, by, variant, repeat* are the call spec;
*spec* is the same as JSON with item ids, filled where a request leaves the host that knows them.
*output_schema* is the JSON Schema of the answer as JSON text (null: any text, or a judge's
question), *max_tokens* the room for that answer, *timeout_us* its deadline."""

REPLIES: Final = labelled(
    pa.schema(
        [
            pa.field("call_id", pa.int64(), nullable=False),
            pa.field("status", _WORD, nullable=False),
            pa.field("reason", _WORD),
            pa.field("answer", pa.string()),
            pa.field("grade", pa.int8()),
            pa.field("order", pa.list_(pa.int32())),
            pa.field("tokens_in", pa.int32(), nullable=False),
            pa.field("tokens_out", pa.int32(), nullable=False),
            pa.field("tokens_thinking", pa.int32(), nullable=False),
            pa.field("tokens_cache_write", pa.int32(), nullable=False),
            pa.field("tokens_cache_read", pa.int32(), nullable=False),
            pa.field("cost_nanousd", pa.int64()),
            pa.field("ttft_us", pa.int64()),
            pa.field("decode_us", pa.int64()),
            pa.field("served_model", _WORD),
            pa.field("attempts", pa.int8(), nullable=False),
        ]
    )
)
"""Replies. *status*: ok, refused, truncated, invalid, failed, timeout, cancelled, over_budget,
skipped, abstained; *reason* a short closed word beside a status that is not ok. *answer* is JSON;
*grade* and *order* are a judge's typed answer (bracket.OUTCOMES; *order* holds places shown, from
0, best first). Tokens and cost sum over the attempts; cost is null where no price is known."""

ITEMS: Final = labelled(
    pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("text", pa.large_string(), nullable=False),
            pa.field("context", pa.large_string()),
            pa.field("utility", pa.float64()),
        ]
    )
)
"""The items of a tournament. *context* is what the texts of one match all answer, shown above them
(null: nothing); *utility* is what a simulated judge knows (logits; null: nothing)."""

_ASKED: Final = (
    pa.field("shown", pa.list_(pa.int32()), nullable=False),
    pa.field("task", _WORD, nullable=False),
    pa.field("judge", pa.int16(), nullable=False),
    pa.field("criterion", pa.int16(), nullable=False),
)

MATCHES: Final = pa.schema(_ASKED)
"""Matches: the items to compare (*shown*), as row numbers of the item table, in the order shown;
how they are asked about (*task*, a Question's text); which of the panel's judges is asked, and by
which of the qualities (*criterion*), both counted from 0."""

OUTCOMES: Final = pa.schema(
    [
        *_ASKED,
        pa.field("status", pa.string(), nullable=False),
        pa.field("grade", pa.int8()),
        pa.field("order", pa.list_(pa.int32())),
    ]
)
"""Outcomes: a match with its answer. *grade* is from the first shown item's side (questions.py; the
score of an item by itself), *order* the items best first (a valid prefix is enough). Both are null
where *status* is not `ok`: missing data, never a verdict."""

STANDING: Final = pa.schema(
    [
        pa.field("item", pa.int32(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("rank_low", pa.float64(), nullable=False),
        pa.field("rank_high", pa.float64(), nullable=False),
        pa.field("comparisons", pa.int32(), nullable=False),
        pa.field("p_best", pa.float64(), nullable=False),
        pa.field("scores", pa.list_(pa.float64())),
    ]
)
"""The ranking so far, best first: posterior mean, 90% interval of the rank (1 = best), matches, and
the chance of being the best of all; *scores* by each criterion, where there are several."""

MATCHES_SENT: Final = labelled(MATCHES)
OUTCOMES_SENT: Final = labelled(OUTCOMES)
STANDING_SENT: Final = labelled(STANDING)

REPLY_STATUSES: Final = (
    *("ok", "refused", "truncated", "invalid", "failed", "timeout"),
    *("cancelled", "over_budget", "skipped", "abstained"),
)
UNASKED: Final = frozenset(("cancelled", "over_budget", "skipped"))
"""The statuses of requests that never left."""


def batch(
    schema: pa.Schema,
    columns: dict[str, Any],
    *,
    rows: int,
    integrity: int,
    provenance: int,
) -> pa.RecordBatch:
    """Build a batch of *schema*: a scalar fills its column, a missing column is null."""
    given = {**columns, "_integrity": integrity, "_provenance": provenance}
    return pa.record_batch(
        [_column(given.get(f.name), f.type, rows) for f in schema], schema=schema
    )


def stamp(rows: pa.RecordBatch, *, integrity: int, provenance: int) -> pa.RecordBatch:
    """Return *rows* with labels set by whom they came from, whatever they claimed or lacked."""
    names = [name for name in rows.schema.names if name not in _LABEL_NAMES]
    plain = rows.select(names)
    marks = [
        _column(v, f.type, rows.num_rows)
        for v, f in zip((integrity, provenance), LABELS, strict=True)
    ]
    return pa.record_batch([*plain.columns, *marks], schema=labelled(plain.schema))


def bare(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of *schema* alone: for a reader that holds no text."""
    return rows.select(schema.names).cast(schema)


def integrity_of(rows: pa.RecordBatch) -> int:
    """Return the join of the rows' integrity: a missing label reads as untrusted."""
    if LABELS[0].name not in rows.schema.names:
        return UNTRUSTED
    labels = rows.column(LABELS[0].name)
    if labels.type != LABELS[0].type or labels.null_count:
        return UNTRUSTED
    return int(labels.to_numpy().max(initial=TRUSTED))


def concat(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """Put *batches* of one *schema* together; each row keeps its label."""
    if not batches:
        return _empty(schema)
    table = pa.Table.from_batches([b.cast(schema) for b in batches], schema).unify_dictionaries()
    merged = table.combine_chunks().to_batches()
    return merged[0] if merged else _empty(schema)


def encode(rows: pa.RecordBatch) -> bytes:
    """Return *rows* as one Arrow IPC stream; many narrow ones, which are much alike, are packed."""
    sink = pa.BufferOutputStream()
    is_packed = rows.num_rows >= _MANY and rows.nbytes < rows.num_rows * _NARROW
    options = pa.ipc.IpcWriteOptions(compression="lz4" if is_packed else None)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue())


def bytes_of(table: pa.Table | pa.RecordBatch) -> bytes:
    """Return a table of any schema as one Arrow IPC stream: for what a workflow keeps itself."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return bytes(sink.getvalue())


def table_of(data: bytes) -> pa.Table:
    """Return the table that `bytes_of` wrote."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def decode(
    data: bytes | pa.Buffer, schema: pa.Schema, *, max_bytes: int = MAX_BATCH_BYTES
) -> pa.RecordBatch:
    """Read one batch of *schema* from another process; raises InvalidBatchError.

    What Arrow's own validation lets through is refused here: nulls inside a list or a dictionary,
    labels that nobody knows. Metadata is dropped, for labels are columns.
    """
    name = ", ".join(schema.names[:3]) + ", ..."
    if len(data) > max_bytes:
        raise InvalidBatchError(name, f"{len(data):,} bytes are more than {max_bytes:,}")
    try:
        with pa.ipc.open_stream(data) as reader:
            if not reader.schema.equals(schema):
                raise InvalidBatchError(name, "its schema is another one")
            batches = list(reader)
        if len(batches) != 1:
            raise InvalidBatchError(name, f"it holds {len(batches)} batches instead of one")
        batches[0].validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise InvalidBatchError(name, str(error).partition("\n")[0]) from error
    rows = pa.record_batch(batches[0].columns, schema=schema)
    if rows.nbytes > max_bytes:
        raise InvalidBatchError(name, f"unpacked, it has more than {max_bytes:,} bytes")
    for field, column in zip(schema, rows.columns, strict=True):
        if (column.null_count and not field.nullable) or _has_inner_nulls(column):
            raise InvalidBatchError(name, f"column {field.name} has nulls")
    if integrity_of(rows) > UNTRUSTED:
        raise InvalidBatchError(name, "an integrity label is unknown")
    return rows


_PIECE: Final = 512


class Rows:
    """The rows of a batch as mappings, for who needs one after the other: decoded by the piece."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.batch = rows
        self._here = range(0)
        self._same: dict[str, Any] = {}
        self._columns: dict[str, list[Any]] = {}

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Return the row at *place* as a new mapping."""
        if place not in self._here:
            self._here = range(place - place % _PIECE, place - place % _PIECE + _PIECE)
            piece = self.batch.slice(self._here.start, _PIECE)
            found = {name: values(piece.column(name)) for name in piece.schema.names}
            self._same = {name: column[0] for name, column in found.items()}
            differ = {name for name, all_ in found.items() if all_.count(all_[0]) < len(all_)}
            self._columns = {name: found[name] for name in differ}
        inside = place - self._here.start
        return {**self._same, **{name: column[inside] for name, column in self._columns.items()}}


def values(column: pa.Array) -> list[Any]:  # Any: the column's type
    """Return *column* as Python's values; what a dictionary holds is decoded once."""
    if column.null_count == len(column):
        return [None] * len(column)
    if not isinstance(column, pa.DictionaryArray):
        return list(column.to_pylist())
    named = [*column.dictionary.to_pylist(), None]  # null is the last place
    return [named[place] for place in column.indices.fill_null(-1).to_pylist()]


def _has_inner_nulls(column: pa.Array) -> bool:
    if isinstance(column, pa.DictionaryArray):
        return bool(column.dictionary.null_count)
    return isinstance(column, pa.ListArray) and bool(column.flatten().null_count)


def _column(value: Any, kind: pa.DataType, rows: int) -> pa.Array:  # Any: whatever Arrow reads
    if isinstance(value, pa.ChunkedArray):
        value = value.combine_chunks()
    if isinstance(value, pa.Array):
        return value.cast(kind)
    if value is None:
        return pa.nulls(rows, kind)
    if isinstance(value, str | int | float):
        if pa.types.is_dictionary(kind):
            return pa.DictionaryArray.from_arrays(
                pa.repeat(pa.scalar(0, kind.index_type), rows), [value]
            )
        return pa.repeat(pa.scalar(value, kind), rows)
    if pa.types.is_dictionary(kind):
        return pa.array(value, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(value, kind)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.record_batch([pa.array([], field.type) for field in schema], schema=schema)


def words(values: Iterable[str | None]) -> pa.Array:
    """Return *values* as a dictionary column of a table above."""
    return pa.array(list(values), pa.string()).dictionary_encode().cast(_WORD)


def replace_columns(rows: pa.RecordBatch, columns: dict[str, Any]) -> pa.RecordBatch:
    """Return *rows* with *columns* in place of their own of that name; labels stay.

    Raises ValueError for a label, and for a column that *rows* lack.
    """
    if alien := columns.keys() - ({*rows.schema.names} - {*_LABEL_NAMES}):
        raise ValueError(f"no columns to replace: {', '.join(sorted(alien))}")
    arrays = [
        _column(columns[f.name], f.type, rows.num_rows)
        if f.name in columns
        else rows.column(f.name)
        for f in rows.schema
    ]
    return pa.record_batch(arrays, schema=rows.schema)


def text_hash(text: str) -> str:
    """Return what a run's matches keep of an item's text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
