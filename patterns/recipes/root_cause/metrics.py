"""Measurements into counts: what values each metric of each service took in each window.

The digest has one row for each (window, service, metric, value); a value is rounded to four
significant digits, so that digests add up exactly.
"""

import numpy as np
import pyarrow as pa

from .counting import Floats, ints, tally
from .evidence import metric_columns

DIGITS = 4


def digest(rows: pa.Table) -> pa.Table:
    """Count normalised metric *rows*, a metric a column or a measurement a row."""
    if "metric" in rows.column_names and pa.types.is_string(rows.schema.field("metric").type):
        return _measured(rows)
    names = sorted(metric_columns(rows))
    none = np.zeros(0, np.float64)
    values = np.concatenate([none, *(_values(rows, name) for name in names)])
    known = pa.array(np.isfinite(values))
    times = np.tile(np.arange(rows.num_rows), len(names))
    long = rows.select(["row", "window", "service"]).take(pa.array(times, pa.int64())).filter(known)
    which = np.repeat(np.arange(len(names)), rows.num_rows)
    metric = pa.array(names, pa.string()).take(pa.array(which, pa.int64())).filter(known)
    return _count(long, metric, pa.array(_rounded(values)).filter(known))


def _measured(rows: pa.Table) -> pa.Table:
    values = _values(rows, "value")
    known = pa.array(np.isfinite(values))
    long = rows.filter(known)
    return _count(long, long["metric"], pa.array(_rounded(values)).filter(known))


def _count(rows: pa.Table, metric: pa.Array, value: pa.Array) -> pa.Table:
    keys = {"window": rows["window"], "service": rows["service"], "metric": metric, "value": value}
    return tally(keys, ints(rows["row"]))


def _values(rows: pa.Table, name: str) -> Floats:
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(), np.float64)


def _rounded(values: Floats) -> Floats:
    """Return *values* to so many significant digits."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
    unit = 10.0 ** (DIGITS - 1 - size)
    return np.asarray(np.where(values == 0, 0.0, np.round(values * unit) / unit), np.float64)
