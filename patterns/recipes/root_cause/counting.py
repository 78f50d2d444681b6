"""Counts that add up: the same table whether counted at once or in parts on several hosts."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def tally(keys: Mapping[str, pa.Array], row: Ints, count: Ints | None = None) -> pa.Table:
    """Return one row for each distinct key with the sum of *count* and the least *row*, sorted.

    Integers only, so that no order of adding changes a digit.
    """
    size = len(row)
    count = np.ones(size, np.int64) if count is None else count
    ranked = [codes(column) for column in keys.values()]
    order, starts = group([rank for rank, _ in ranked], size)
    firsts = order[starts]
    columns = {
        name: values.take(pa.array(rank[firsts]))
        for (rank, values), name in zip(ranked, keys, strict=True)
    }
    columns["count"] = pa.array(_reduce(np.add, count[order], starts), pa.int64())
    columns["row"] = pa.array(_reduce(np.minimum, row[order], starts), pa.int64())
    return pa.table(columns)


def add(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the tally of what the *parts* count together."""
    whole = stack(parts)
    keys = {name: whole[name] for name in whole.column_names if name not in ("count", "row")}
    return tally(keys, ints(whole["row"]), ints(whole["count"]))


def stack(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of *parts* one under the other."""
    batches = [batch for part in parts for batch in part.to_batches()]
    return pa.Table.from_batches(batches, parts[0].schema)


def codes(column: pa.Array) -> tuple[Ints, pa.Array]:
    """Return each value's rank among the distinct values, and those values in order."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(column, pa.ChunkedArray):
        column = pa.array([], column.type)
    coded = column.dictionary_encode()
    names = coded.dictionary
    order = np.array(names.to_numpy(zero_copy_only=False).argsort(kind="stable"), np.int64)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[coded.indices.to_numpy(zero_copy_only=False)], names.take(pa.array(order))


def group(ranks: Sequence[Ints], size: int) -> tuple[Ints, Ints]:
    """Return an order in which equal keys stand together, and where each key starts."""
    if not size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    code, bound = np.zeros(size, np.int64), 1
    for rank in ranks:
        low, span = int(rank.min()), int(rank.max() - rank.min()) + 1
        if bound * span >= 2**62:
            code, bound = _dense(code)
        code, bound = code * span + (rank - low), bound * span
    order = np.argsort(code, kind="stable").astype(np.int64)
    starts = np.flatnonzero(np.diff(code[order], prepend=code[order[0]] - 1))
    return order, starts.astype(np.int64)


def _dense(code: Ints) -> tuple[Ints, int]:
    """Return the ranks of *code* among its distinct values, and how many there are."""
    values, ranks = np.unique(code, return_inverse=True)
    return ranks.astype(np.int64), len(values)


def ints(column: pa.ChunkedArray) -> Ints:
    """Return *column* as integers."""
    return np.asarray(column.to_numpy(), np.int64)


def texts(column: pa.ChunkedArray) -> list[str]:
    """Return *column* as strings, absent ones empty."""
    return [value or "" for value in column.to_pylist()]


def _reduce(operation: np.ufunc, values: Ints, starts: Ints) -> Ints:
    if not len(starts):
        return np.zeros(0, np.int64)
    return np.asarray(operation.reduceat(values, starts), np.int64)
