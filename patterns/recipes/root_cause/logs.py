"""Log lines into counts: which templates there were, and what followed what in each trace.

The digest has one row for each (window, service, template, measure, value):

- `traces`: traces with a line of the template; `value` is its level, in lower case;
- `follows`: traces in which the first line of `value`, `SERVICE TEMPLATE`, came soon after the
  first of this one: among the next eight templates;
- `after`: traces in which an error of the template came after the error `value` of another service.

A template is a message with its numbers, identifiers and quoted texts masked.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .counting import Ints, add, codes, group, ints, tally

MASKS = (
    (r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{20,}", "*"),
    (r"'[^']*'|\"[^\"]*\"", "*"),
    (r"[A-Za-z0-9+/_.=-]{40,}", "*"),
    (r"(0x)?[0-9a-fA-F]*[0-9][0-9a-fA-F]*", "*"),
    (r"\*([^A-Za-z\[\]{}()*]*\*)+", "*"),
)
"""In this order: UUIDs, quoted texts, long tokens, numbers and hexadecimals, runs of those."""

TEMPLATE_CHARS = 90
"""Of a masked message, its beginning tells which line of the program wrote it."""

SOON = 8
"""A template follows soon when it is among so many new ones."""

ERROR_LEVELS = ("error", "fatal", "critical", "severe", "panic", "alert", "emergency")
_SEPARATOR = "\x1f"


def digest(rows: pa.Table) -> pa.Table:
    """Count normalised log *rows*, whose traces must be whole (see `shard`)."""
    order = _in_traces(rows)
    rows = rows.take(pa.array(order))
    template = _templates(rows)
    rows = rows.append_column("template", template)
    level = pc.utf8_lower(rows["level"])
    traced = _traced(rows)
    first = _firsts(rows, traced)
    once = rows.take(pa.array(first))
    present = _count(once, "traces", level.take(pa.array(first)))
    return add([present, _follows(once, traced[first]), _after(rows, level, traced)])


def split(value: str) -> tuple[str, str]:
    """Return the service and the template of a following line."""
    service, _, template = value.partition(_SEPARATOR)
    return service, template


def template_of(message: str) -> str:
    """Return the template of one *message*."""
    return str(_mask(pa.array([message]))[0])


def _mask(messages: pa.Array) -> pa.Array:
    for pattern, mask in MASKS:
        messages = pc.replace_substring_regex(messages, pattern=pattern, replacement=mask)
    return pc.utf8_slice_codeunits(messages, 0, TEMPLATE_CHARS)


def _templates(rows: pa.Table) -> pa.Array:
    """Return the masked messages, after the logger when it says where in the program it is."""
    rank, messages = codes(rows["message"])
    masked = _mask(messages).take(pa.array(rank))
    logger = rows["logger"].combine_chunks()
    placed = pc.binary_join_element_wise(logger, masked, " ")
    return pc.if_else(pc.match_substring_regex(logger, "[0-9]$"), placed, masked)


def _in_traces(rows: pa.Table) -> Ints:
    """Return the order of *rows* by trace, then time, then row."""
    trace, _ = codes(rows["trace"])
    time = rows["time"].to_numpy()
    return np.lexsort([ints(rows["row"]), time, trace]).astype(np.int64)


def _traced(rows: pa.Table) -> Ints:
    """Return a number for each row's trace, -1 where it has none."""
    rank, names = codes(rows["trace"])
    empty = [position for position, name in enumerate(names.to_pylist()) if not name]
    return np.where(np.isin(rank, empty), -1, rank)


def _firsts(rows: pa.Table, traced: Ints) -> Ints:
    """Return where each template first occurs in each trace, in order; untraced lines all count."""
    alone = np.where(traced < 0, -1 - np.arange(len(traced)), traced)
    ranks = [alone, codes(rows["service"])[0], codes(rows["template"])[0]]
    order, starts = group(ranks, rows.num_rows)
    return np.sort(order[starts])


def _follows(rows: pa.Table, traced: Ints) -> pa.Table:
    """Count the traces in which one template first came soon after another's first line."""
    name, traced = _names(rows), np.where(traced < 0, -1 - np.arange(len(traced)), traced)
    before, after = [], []
    for lag in range(1, min(SOON, len(traced) - 1) + 1):
        at = np.flatnonzero(traced[lag:] == traced[:-lag])
        before.append(at)
        after.append(at + lag)
    none = np.zeros(0, np.int64)
    first = pa.array(np.concatenate([none, *before]))
    return _count(rows.take(first), "follows", name.take(pa.array(np.concatenate([none, *after]))))


def _after(rows: pa.Table, level: pa.ChunkedArray, traced: Ints) -> pa.Table:
    """Count the traces in which one service's error came after another's first error."""
    error = pc.is_in(level, pa.array(ERROR_LEVELS)).to_numpy() & (traced >= 0)
    at = np.flatnonzero(error)
    changed = np.append(True, np.diff(traced[at]) != 0)[: len(at)]
    first = at[np.maximum.accumulate(np.where(changed, np.arange(len(at)), 0))] if len(at) else at
    service = codes(rows["service"])[0]
    later = service[at] != service[first]
    kept, cause = pa.array(at[later]), pa.array(first[later])
    return _count(rows.take(kept), "after", _names(rows).take(cause))


def _names(rows: pa.Table) -> pa.Array:
    service, template = rows["service"].combine_chunks(), rows["template"].combine_chunks()
    return pc.binary_join_element_wise(service, template, _SEPARATOR)


def _count(rows: pa.Table, measure: str, value: pa.Array) -> pa.Table:
    keys = {
        "window": rows["window"],
        "service": rows["service"],
        "template": rows["template"],
        "measure": pa.array([measure] * rows.num_rows, pa.string()),
        "value": value,
    }
    return tally(keys, ints(rows["row"]))


def has_exception(template: str) -> bool:
    """Whether *template* speaks of an exception."""
    return (
        re.search(r"exception|traceback|panic|stack ?trace|unhandled|threw", template, re.I)
        is not None
    )
