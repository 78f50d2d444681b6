"""Deploys, switches, sales: events into counts, and which services were touched before it broke.

The digest has one row for each (window, service, measure, value); the measure is `event`, `value`
its text. The incident window of events begins an hour early: see `evidence.LEAD_S`. An hour without
an event, back to the earliest of the year, is a baseline of zero.
"""

import numpy as np
import pyarrow as pa

from .counting import ints, tally
from .cube import others, series_of
from .signs import Reading, Sign

MOST_HOURS = 365 * 24


def digest(rows: pa.Table) -> pa.Table:
    """Count normalised event *rows*."""
    keys = {
        "window": rows["window"],
        "service": rows["service"],
        "measure": pa.array(["event"] * rows.num_rows, pa.string()),
        "value": rows["message"],
    }
    return tally(keys, ints(rows["row"]))


def read(digest: pa.Table) -> Reading:
    """Return the services that had more events before the incident than in other hours."""
    found, windows = series_of(digest, "event", ("service",))
    earlier = windows[1:]
    span = min(-1 - int(earlier.min(initial=0)), MOST_HOURS)
    hours = max(1, len(earlier), span)
    silent = np.zeros(hours - len(earlier))
    sign = Sign("changed", 1 + hours)
    for series in found:
        if not series.key[0]:
            continue  # what touches no service in particular points to none
        seen = series.counts.sum(axis=1)
        due = others(seen) / hours
        score = np.log1p(np.maximum((seen - due) / np.sqrt(due + 1), 0.0))
        here = np.flatnonzero(series.counts[0])[:3]
        texts = ", ".join(repr(series.values[i]) for i in here)
        rows = tuple(int(series.rows[i]) for i in here)
        sign.add(series.key[0], np.append(score, silent), rows, f"event {texts}")
    return {sign.name: sign.read()}
