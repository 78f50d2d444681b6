"""Deploys, switches, sales: events into counts, and which services were touched before it broke.

The digest has one row for each (window, service, measure, value); the measure is `event`, `value`
its text, or `age`, `value` the minutes from the event to the end of its window. The incident window
of events begins an hour early: see `evidence.LEAD_S`. An hour without an event, back to the
earliest of the year, is a baseline of zero.

What breaks at once is noticed at once, so an event counts for less the older it is: a prior, half
after `HALF_LIFE_MIN` minutes, stated and not fitted.
"""

import numpy as np
import pyarrow as pa

from .counting import Floats, add, ints, tally
from .cube import Series, others, series_of
from .evidence import LEAD_S
from .signs import Reading, Sign

HALF_LIFE_MIN = 15.0
"""An event so long before the incident counts half as much as one just before."""

MOST_HOURS = 365 * 24


def digest(rows: pa.Table) -> pa.Table:
    """Count normalised event *rows*."""
    texts = rows["message"].combine_chunks()
    return add([_count(rows, "event", texts), _count(rows, "age", _ages(rows))])


def read(digest: pa.Table) -> Reading:
    """Return the services that had more events before the incident than in other hours."""
    found, windows = series_of(digest, "event", ("service",))
    ages, _ = series_of(digest, "age", ("service",))
    aged = {series.key: series for series in ages}
    earlier = windows[1:]
    span = min(-1 - int(earlier.min(initial=0)), MOST_HOURS)
    hours = max(1, len(earlier), span)
    silent = np.zeros(hours - len(earlier))
    sign = Sign("changed", 1 + hours)
    for series in found:
        if not series.key[0]:
            continue  # what touches no service in particular points to none
        seen = _weighed(aged[series.key])
        due = others(seen) / hours
        score = np.log1p(np.maximum((seen - due) / np.sqrt(due + 1), 0.0))
        here = np.flatnonzero(series.counts[0])[:3]
        texts = ", ".join(repr(series.values[i]) for i in here)
        rows = tuple(int(series.rows[i]) for i in here)
        note = f"event {texts}{_last(aged[series.key])}"
        sign.add(series.key[0], np.append(score, silent), rows, note)
    return {sign.name: sign.read()}


def _count(rows: pa.Table, measure: str, value: pa.Array) -> pa.Table:
    keys = {
        "window": rows["window"],
        "service": rows["service"],
        "measure": pa.array([measure] * rows.num_rows, pa.string()),
        "value": value,
    }
    return tally(keys, ints(rows["row"]))


def _ages(rows: pa.Table) -> pa.Array:
    """Return how many whole minutes each event lies before the end of its window, at least 0.

    That of the incident ends when the incident begins.
    """
    time = rows["time"].to_numpy()
    end = np.where(ints(rows["window"]) == 0, 0.0, (np.floor(time / LEAD_S) + 1) * LEAD_S)
    return pa.array((np.maximum(end - time, 0.0) // 60).astype(np.int64)).cast(pa.string())


def _weighed(series: Series) -> Floats:
    """Return the sum of each window's events, each by its age."""
    ages = np.array([float(value) for value in series.values])
    return np.asarray(series.counts @ 0.5 ** (ages / HALF_LIFE_MIN), np.float64)


def _last(series: Series) -> str:
    """Say how long before the incident the last event of it was."""
    ages = [int(value) for value, seen in zip(series.values, series.counts[0], strict=True) if seen]
    return f", the last {min(ages)} min before" if ages else ""
