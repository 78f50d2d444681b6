"""Evidence tables as they come, into the columns and windows that the digests count.

A table's kind is told by its columns, each of which may have one of several common names; events,
which may look like logs, also by the evidence's own name. Every row keeps its number in the table
as loaded (`row`), so that whatever is claimed can cite it.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .counting import Floats, Ints, codes
from .errors import EmptyWindowError, EvidenceError, MissingColumnError, UnreadableTimeError

Kind = Literal["logs", "spans", "metrics", "events"]

NAMES = {
    "time": "time timestamp ts t t_s unix date datetime start start_time starttime",
    "service": "service service_name servicename app component pod podname container host",
    "message": "message msg body log text content",
    "level": "level severity severity_text loglevel",
    "logger": "logger logger_name source file class",
    "trace": "trace trace_id traceid",
    "span": "span span_id spanid",
    "parent": "parent parent_id parentid parent_span_id parentspanid",
    "operation": "operation operation_name operationname name span_name",
    "duration": "duration duration_us duration_ms duration_s duration_ns elapsed_ms latency_ms",
    "metric": "metric metric_name metricname kpi kpi_name name",
    "value": "value metric_value val",
    "change": "change event what action deploy deployment release version revision commit",
}
"""What each standard column may be called; the first found counts."""

EVENT_NAMES = re.compile(
    r".*\b(deploy|deployment|release|rollout|change|event|sale|flag)s?\b[\d\W]*"
)
"""Evidence whose name ends in one of these words is events: `deploys`, `prod_releases`."""

NEEDS: dict[Kind, tuple[str, ...]] = {
    "logs": ("time", "service", "message"),
    "spans": ("time", "service", "trace", "span", "operation", "duration"),
    "metrics": ("time", "service"),
    "events": ("time",),
}

WINDOW_S = 60.0
"""Length of a baseline window: what is claimed of the incident is tried on each of them."""

LEAD_S = 3600.0
"""A deploy may take an hour to show: the incident of events begins so early, in windows as long."""

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "nano": 1e-9}
_NOT_METRICS = {"row", "baseline", *NAMES["time"].split(), "window"}


@dataclass(frozen=True, slots=True)
class Windows:
    """Which rows are the incident and which the baseline, in seconds on the evidence's clock.

    The incident is the *horizon_s* from *at*. The baseline is all before it, or what lies from
    *since* to *until*, and every row whose column `baseline` is true. The *guard_s* before *at*
    are neither: what is noted as the time of an incident is rarely right to the minute.
    """

    at: float
    horizon_s: float = 180.0
    guard_s: float = 60.0
    since: float | None = None
    until: float | None = None


def seconds(text: str) -> float:
    """Return a time as a user writes it (ISO 8601, UTC unless it says otherwise) in unix time."""
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not math.isfinite(number):
            raise ValueError(f"{text!r} is no time")
        return number
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (when if when.tzinfo else datetime.fromisoformat(text + "+00:00")).timestamp()


def kind_of(name: str, table: pa.Table) -> Kind:
    """Tell what *table* is from its columns, and from its *name* where that is one of events."""
    found = {role for role in NAMES if column_of(table, role)}
    if {"span", "duration"} <= found:
        return "spans"
    if EVENT_NAMES.fullmatch(name.lower().replace("_", " ")):
        return "events"
    if "message" in found and "service" in found:
        return "logs"
    return "metrics" if "service" in found and metric_columns(table) else "events"


def check_columns(name: str, kind: Kind, table: pa.Table) -> None:
    """Raise MissingColumnError where *table* lacks a column that its *kind* needs.

    What is measurements by its columns, and events by its name alone, is refused as well.
    """
    for role in NEEDS[kind]:
        if column_of(table, role) is None:
            raise MissingColumnError(name, role, table.column_names)
    if kind == "events" and event_column(table) is None and metric_columns(table):
        raise EvidenceError(
            name,
            "is events by its name, and has no column that says what happened (such as message, "
            f"change or version), only {', '.join(table.column_names)}; metrics need another name",
        )


def event_column(table: pa.Table) -> str | None:
    """Return the column of *table* that says what an event was."""
    return column_of(table, "message") or column_of(table, "change")


def long_columns(table: pa.Table) -> tuple[str, str] | None:
    """Return the columns of metric names and of values, where each row is one measurement."""
    metric, value = column_of(table, "metric"), column_of(table, "value")
    if metric is None or value not in metric_columns(table):
        return None
    kind = table.schema.field(metric).type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return (metric, value) if is_text or pa.types.is_dictionary(kind) else None


def column_of(table: pa.Table, role: str) -> str | None:
    """Return the name of the column of *table* that plays *role*."""
    names = {name.lower(): name for name in table.column_names}
    return next((names[alias] for alias in NAMES[role].split() if alias in names), None)


def metric_columns(table: pa.Table) -> list[str]:
    """Return the columns of *table* that hold measurements."""
    return [
        field.name
        for field in table.schema
        if field.name.lower() not in _NOT_METRICS
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]


def number_rows(table: pa.Table, first: int = 0) -> pa.Table:
    """Return *table* with the column `row`: *first* and up, kept by whatever splits it later."""
    rows = pa.array(np.arange(first, first + table.num_rows), pa.int64())
    return table.append_column("row", rows)


def normalise(name: str, kind: Kind, table: pa.Table, windows: Windows) -> pa.Table:
    """Return the rows of *table* that lie in a window, in the standard columns of *kind*.

    Columns: `row`, `window` (0 is the incident, any other a baseline minute), `time` (seconds
    after *at*), then those of the kind; metrics keep their numeric columns under their own names,
    or are `metric` and `value` where each row is one measurement.
    """
    check_columns(name, kind, table)
    time = _times(name, table) - windows.at
    window, kept = _windows(table, time, windows, LEAD_S if kind == "events" else 0.0)
    columns = {"row": table["row"], "window": pa.array(window), "time": pa.array(time)}
    for role in _roles(kind):
        columns[role] = _texts(table, column_of(table, role))
    if kind == "events":
        columns["message"] = _texts(table, event_column(table))
    if kind == "spans":
        columns["duration_us"] = _microseconds(table)
    if kind == "metrics":
        columns |= _measurements(table)
    return pa.table(columns).filter(pa.array(kept))


def check_windows(name: str, kind: Kind, table: pa.Table) -> None:
    """Raise when normalised evidence has nothing at the incident, or nothing to compare with.

    Events need no earlier ones: that there were none is what they are compared with.
    """
    window = table["window"].to_numpy()
    if not np.any(window == 0):
        raise EmptyWindowError(name, "incident")
    if kind != "events" and not np.any(window != 0):
        raise EmptyWindowError(name, "baseline")


def time_span(name: str, table: pa.Table) -> tuple[float, float] | None:
    """Return the first and the last time in *table*, in seconds on its own clock."""
    times = _times(name, table)
    known = times[np.isfinite(times)]
    return (float(known.min()), float(known.max())) if len(known) else None


def shard(table: pa.Table, shards: int) -> list[pa.Table]:
    """Split normalised rows so that a trace is never divided: by a hash of its id, else by row.

    Parts of any split of a table, sharded alike and put together shard by shard, can be digested
    on different hosts; the digests add up to the digest of the whole.
    """
    if "trace" not in table.column_names:
        home = table["row"].to_numpy() % shards
    else:
        rank, names = codes(table["trace"])
        homes = np.array([_hash(trace) % shards for trace in names.to_pylist()], np.int64)
        home = homes[rank] if len(rank) else rank
    return [table.filter(pa.array(home == number)) for number in range(shards)]


def _hash(text: str) -> int:
    """Return the same number for *text* in every process."""
    value = 0
    for byte in text.encode():
        value = (value * 31 + byte) % 2**31
    return value


def _measurements(table: pa.Table) -> dict[str, pa.Array]:
    long = long_columns(table)
    if long is not None:
        return {"metric": _texts(table, long[0]), "value": _floats(table, long[1])}
    return {name: _floats(table, name) for name in metric_columns(table)}


def _floats(table: pa.Table, column: str) -> pa.Array:
    return table[column].cast(pa.float64(), safe=False)


def _roles(kind: Kind) -> Sequence[str]:
    return {
        "logs": ("service", "level", "logger", "message", "trace"),
        "spans": ("service", "operation", "trace", "span", "parent"),
        "metrics": ("service",),
        "events": ("service",),
    }[kind]


def _windows(
    table: pa.Table, time: Floats, windows: Windows, lead_s: float
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return each row's window, and whether it lies in one."""
    minute = np.floor(time / (lead_s or WINDOW_S)).astype(np.int64)
    minute += minute >= 0  # 0 is the incident's alone
    marked = np.zeros(len(time), bool)
    if "baseline" in table.column_names:
        marked = np.asarray(table["baseline"].fill_null(False).to_numpy(), bool)
    incident = ~marked & (time >= -lead_s) & (time < windows.horizon_s)
    since = -np.inf if windows.since is None else windows.since - windows.at
    until = -windows.guard_s if windows.until is None else windows.until - windows.at
    before = ~marked & ~incident & (time >= since) & (time < min(until, -windows.guard_s))
    return np.where(incident, 0, minute), incident | before | marked


def _times(name: str, table: pa.Table) -> Floats:
    """Return the times of *table* in seconds: numbers by their size, texts by ISO 8601."""
    column = column_of(table, "time") or ""
    values = table[column]
    if pa.types.is_timestamp(values.type):
        return np.asarray(values.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() / 1e6)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _read_times(name, column, values)
    numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), np.float64)
    largest = float(np.nanmax(np.abs(numbers), initial=0.0))
    unit = next(
        (u for least, u in ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)) if largest > least), 1
    )
    return np.asarray(numbers * unit)


def _read_times(name: str, column: str, values: pa.ChunkedArray) -> Floats:
    read = []
    for text in values.to_pylist():
        try:
            read.append(seconds(text))
        except (ValueError, TypeError, AttributeError):
            raise UnreadableTimeError(name, column, str(text)) from None
    return np.array(read, np.float64)


def _texts(table: pa.Table, column: str | None) -> pa.Array:
    if column is None:
        return pa.array([""] * table.num_rows)
    return pc.fill_null(table[column].cast(pa.string()), "")


def _microseconds(table: pa.Table) -> pa.Array:
    """Return the durations in whole microseconds; the column's suffix tells its unit."""
    column = column_of(table, "duration") or ""
    suffix = re.search(r"_(ns|us|ms|s)$", column.lower())
    values = np.asarray(table[column].cast(pa.float64(), safe=False).to_numpy(), np.float64)
    unit = _UNITS_S[suffix.group(1)] if suffix else 1e-6
    return pa.array(np.round(np.nan_to_num(values) * unit * 1e6).astype(np.int64))
