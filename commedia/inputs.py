"""What is to be ranked: any table, list or frame becomes ids, texts and (maybe) a truth."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .actors.errors import UsageError
from .readers import read_file, read_lines, table_of_records
from .templates import Template

MAX_TEXT_CHARS = 100_000

Items = Any
"""A `pa.Table`, a list of texts or of dicts, or a pandas or polars frame: `prepare` checks."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The items of a ranking: row i of *frame* has id *ids[i]*, text *texts[i]*, *truth[i]*."""

    frame: pa.Table
    ids: list[str]
    texts: list[str]
    truth: npt.NDArray[np.float64] | None
    """What is known, higher = more; nan where it is missing."""

    def take(self, rows: npt.NDArray[np.intp]) -> "Prepared":
        """Return only *rows*, in that order."""
        truth = None if self.truth is None else self.truth[rows]
        ids, texts = [self.ids[row] for row in rows], [self.texts[row] for row in rows]
        return Prepared(self.frame.take(pa.array(rows)), ids, texts, truth)


def read_table(source: str) -> pa.Table:
    """Read a CSV, JSONL or Parquet file, or with `-` the lines of standard input as `text`."""
    return read_lines() if source == "-" else read_file(source)


def prepare(
    items: Items, *, text: str | None = None, id: str | None = None, truth: str | None = None
) -> Prepared:
    """Check *items* and return them ready to rank; raises UsageError, naming column and row.

    *text* is a column or a template (`"{title}: {report}"`); None means the only text column. An
    empty field of a template counts as nothing as long as another field holds something. A text
    that is null, blank or above 100,000 characters is refused. *id* is a column without nulls and
    duplicates, by default the row number from 0; *truth* a column of numbers, nulls allowed.
    """
    frame = _plain(_table(items))
    if frame.num_rows == 0:
        raise UsageError("there are no rows to rank; give at least one")
    for role, name in (("id", id), ("truth", truth)):
        if name is not None and name not in frame.column_names:
            raise _no_column(role, name, frame)
    ids = _ids(frame, id)
    texts = _texts(frame, text, taken={id, truth}, ids=ids if id is not None else None)
    return Prepared(frame, ids, texts, None if truth is None else _truth(frame, truth))


def _table(items: Items) -> pa.Table:
    if isinstance(items, pa.Table):
        return items
    if isinstance(items, pa.RecordBatch):
        return pa.Table.from_batches([items])
    if isinstance(items, str | bytes):
        raise UsageError("the items are one text; give a list of texts, a frame or an Arrow table")
    if isinstance(items, Sequence):
        return _table_of_list(items)
    return _table_of_frame(items)


def _table_of_list(items: Sequence[object]) -> pa.Table:
    if all(isinstance(item, str) for item in items):
        return table_of_records([{"text": item} for item in items], source="the list")
    for row, item in enumerate(items):
        if not isinstance(item, dict):
            raise UsageError(
                f"row {row} of the list is a {type(item).__name__}; "
                "give a list of texts or a list of dicts"
            )
    records = [{str(key): value for key, value in item.items()} for item in items]  # type: ignore[attr-defined]
    return table_of_records(records, source="the list")


def _table_of_frame(items: object) -> pa.Table:
    import narwhals as nw

    try:
        frame = nw.from_native(items, eager_only=True, allow_series=True)  # type: ignore[call-overload]
    except TypeError:
        raise UsageError(
            f"the items are a {type(items).__name__}; give a list of texts or of dicts, "
            "a pandas or polars frame, or an Arrow table"
        ) from None
    if isinstance(frame, nw.Series):
        return _table_of_list(frame.to_list())
    try:
        table = frame.to_arrow()
    except (pa.ArrowException, TypeError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(
            f"the frame does not fit an Arrow table ({why}); mend the column"
        ) from None
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    return table.drop_columns(index)


def _plain(table: pa.Table) -> pa.Table:
    """Return *table* without dictionary columns and foreign metadata, its names checked."""
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise UsageError(f"column {twice[0]!r} occurs twice; rename one of them")
    fields = []
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields))


def _ids(frame: pa.Table, id: str | None) -> list[str]:
    if id is None:
        return [str(row) for row in range(frame.num_rows)]
    ids: list[str] = []
    seen: dict[str, int] = {}
    for row, value in enumerate(_column_of_texts(frame, id)):
        if value is None or not value.strip():
            raise UsageError(
                f"column {id!r} has no id in row {row} (counted from 0); give every row one, "
                "or leave the id out to use row numbers"
            )
        if value in seen:
            raise UsageError(
                f"id {_short(value)} of column {id!r} occurs in rows {seen[value]} and {row} "
                "(counted from 0); ids must differ, or leave the id out to use row numbers"
            )
        seen[value] = row
        ids.append(value)
    return ids


def _texts(
    frame: pa.Table, text: str | None, *, taken: set[str | None], ids: list[str] | None
) -> list[str]:
    name = _only_text_column(frame, taken) if text is None else text
    if name in frame.column_names:
        values = _column_of_texts(frame, name)
    elif "{" in name or "}" in name:
        template = Template.parse(name, frame.column_names)
        columns = {field: _column_of_texts(frame, field) for field in template.fields}
        values = [
            template.render(dict(zip(columns, row, strict=True)))
            for row in zip(*columns.values(), strict=True)
        ]
    else:
        raise _no_column("text", name, frame)
    return [_checked_text(value, row, ids) for row, value in enumerate(values)]


def _checked_text(value: str | None, row: int, ids: list[str] | None) -> str:
    where = f"row {row} (counted from 0)"
    if ids is not None:
        where += f", id {_short(ids[row])},"
    if value is None or not value.strip():
        raise UsageError(f"{where} has no text; fill it in or leave the row out")
    if len(value) > MAX_TEXT_CHARS:
        raise UsageError(
            f"{where} has a text of {len(value):,} characters, which is more than "
            f"{MAX_TEXT_CHARS:,}; shorten it"
        )
    return value


def _only_text_column(frame: pa.Table, taken: set[str | None]) -> str:
    candidates = [
        str(field.name)
        for field in frame.schema
        if field.name not in taken and _is_text(field.type)
    ]
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise UsageError(
            "there is no text column; say with --text (text= in Python) what to read "
            f"(the columns are {_names(frame)})"
        )
    raise UsageError(
        f"there are several text columns, {', '.join(map(repr, candidates))}; say with --text "
        "(text= in Python) which to read, or join some as in "
        f"'{{{candidates[0]}}}: {{{candidates[1]}}}'"
    )


def _truth(frame: pa.Table, name: str) -> npt.NDArray[np.float64]:
    truth = np.full(frame.num_rows, np.nan)
    for row, value in enumerate(frame.column(name).to_pylist()):
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            truth[row] = float(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"the truth in column {name!r} is no number in row {row} (counted from 0): "
                f"{_short(str(value))}; give a column of numbers, empty where unknown"
            ) from None
        if math.isinf(truth[row]):
            raise UsageError(f"the truth in column {name!r} is infinite in row {row}; correct it")
    if np.isnan(truth).all():
        raise UsageError(f"the truth in column {name!r} is empty in every row; name another column")
    return truth


def _column_of_texts(frame: pa.Table, name: str) -> list[str | None]:
    return [None if value is None else _as_text(value) for value in frame.column(name).to_pylist()]


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _no_column(role: str, name: str, frame: pa.Table) -> UsageError:
    return UsageError(
        f"there is no column {name!r} to use as {role}; the columns are {_names(frame)}"
    )


def _names(frame: pa.Table) -> str:
    return ", ".join(repr(str(name)) for name in frame.column_names)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
