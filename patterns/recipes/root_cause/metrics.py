"""Measurements into counts: what values each metric of each service took in each window.

The digest has one row for each (window, service, metric, measure, value); the measure is `value`,
and a value is rounded to four significant digits, so that digests add up exactly.
"""

import numpy as np
import pyarrow as pa

from .counting import Floats, add, ints, tally
from .evidence import metric_columns

DIGITS = 4


def digest(rows: pa.Table) -> pa.Table:
    """Count normalised metric *rows*."""
    parts = [_digest_metric(rows, metric) for metric in sorted(metric_columns(rows))]
    return add(parts)


def _digest_metric(rows: pa.Table, metric: str) -> pa.Table:
    values = np.asarray(rows[metric].cast(pa.float64()).to_numpy(), np.float64)
    known = np.isfinite(values)
    rows = rows.filter(pa.array(known))
    keys = {
        "window": rows["window"],
        "service": rows["service"],
        "metric": pa.array([metric] * rows.num_rows, pa.string()),
        "measure": pa.array(["value"] * rows.num_rows, pa.string()),
        "value": pa.array(_rounded(values[known])).cast(pa.string()),
    }
    return tally(keys, ints(rows["row"]))


def _rounded(values: Floats) -> Floats:
    """Return *values* to so many significant digits."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
    unit = 10.0 ** (DIGITS - 1 - size)
    return np.asarray(np.where(values == 0, 0.0, np.round(values * unit) / unit), np.float64)
