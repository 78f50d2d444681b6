"""A digest as arrays: for each series, what was counted in each window; the incident is first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .counting import Floats, Ints, codes, group, ints

_FIRST = -(2**62)


@dataclass(frozen=True, slots=True)
class Series:
    """The counts of one series: a row a window, a column a value; *row* cites each value once."""

    key: tuple[str, ...]
    values: tuple[str, ...]
    counts: Floats
    rows: Ints
    """The least row of each value in the incident, else in the baseline."""


def series_of(digest: pa.Table, measure: str, keys: Sequence[str]) -> tuple[list[Series], Ints]:
    """Return the series of *measure*, one for each distinct *keys*, and the windows they span."""
    windows = window_list(digest)
    part = digest.filter(pc.equal(digest["measure"], measure))
    ranked = [codes(part[name]) for name in keys]
    order, starts = group([rank for rank, _ in ranked], part.num_rows)
    place = places(part, windows)
    value_rank, values = codes(part["value"])
    named = values.to_pylist()
    count, row, found = ints(part["count"]), ints(part["row"]), []
    for begin, end in zip(starts, np.append(starts, len(order))[1:], strict=True):
        at = order[begin:end]
        key = tuple(str(names[int(rank[at[0]])]) for rank, names in ranked)
        found.append(
            _series(key, place[at], value_rank[at], named, count[at], row[at], len(windows))
        )
    return found, windows


def window_list(digest: pa.Table) -> Ints:
    """Return the windows of *digest*, the incident (0) first."""
    return np.unique(np.append(_from_incident(ints(digest["window"])), _FIRST))


def places(digest: pa.Table, windows: Ints) -> Ints:
    """Return the position in *windows* of each row's window."""
    return np.searchsorted(windows, _from_incident(ints(digest["window"]))).astype(np.int64)


def _from_incident(window: Ints) -> Ints:
    return np.where(window == 0, _FIRST, window)


def _series(
    key: tuple[str, ...],
    place: Ints,
    rank: Ints,
    named: Sequence[str],
    count: Ints,
    row: Ints,
    windows: int,
) -> Series:
    used, column = np.unique(rank, return_inverse=True)
    counts = np.zeros((windows, len(used)))
    counts[place, column] = count
    rows = np.full(len(used), 2**62, np.int64)
    np.minimum.at(rows, column, np.where(place == 0, row, row + 2**61))
    rows = np.where(rows >= 2**61, rows - 2**61, rows)
    return Series(key, tuple(named[int(value)] for value in used), counts, rows)


def quantile(values: Floats, counts: Floats, share: float) -> Floats:
    """Return each window's quantile of ascending *values*, NaN where nothing was counted."""
    total = counts.sum(axis=1, keepdims=True)
    reached = np.cumsum(counts, axis=1) >= share * total
    found = values[np.argmax(reached, axis=1)]
    return np.asarray(np.where(total[:, 0] > 0, found, np.nan), np.float64)


def others(counts: Floats) -> Floats:
    """Return for each window what the baseline without it counts; the incident is no part of it."""
    whole = counts[1:].sum(axis=0)
    rest = whole - counts
    rest[0] = whole
    return np.asarray(rest, np.float64)
