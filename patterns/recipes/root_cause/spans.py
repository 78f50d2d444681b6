"""Spans into counts: how long each service worked itself, waited on each other, and called whom.

The digest has one row for each (window, service, operation, peer, measure, value):

- `within`: spans that call no other service, by their self time;
- `between`: spans that call *peer*, by the time that is neither the callee's nor other children's:
  what the network, and queues at either end, took; *peer* is `*` where the callee records no spans
  (a database, say);
- `spans`: how many spans of the operation there were;
- `calls`: how many of them had a child span of the operation `value` in the service *peer*.

Times are in bins of an eighth of an octave (`value` is the bin), so that digests add up exactly.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .counting import Floats, Ints, add, group, ints, tally

BINS_AN_OCTAVE = 8

OUTSIDE = "*"
"""The peer of calls to what records no spans."""

OUTWARD = (
    r"(?i)^(select|insert|update|delete|merge|commit|http (get|head|put|post|patch|delete))\b"
    r"|\b(sql|jdbc|redis|mongo\w*|memcached|kafka|s3)\b"
)
"""Operations that by their name call something outside, when no child shows what."""


def digest(rows: pa.Table) -> pa.Table:
    """Count normalised span *rows*, whose traces must be whole (see `shard`)."""
    rows = _once(rows)
    parent = _parents(rows)
    child = np.flatnonzero(parent >= 0)
    took = ints(rows["duration_us"])
    of_children = np.zeros(len(took), np.int64)
    np.add.at(of_children, parent[child], took[child])
    self_us = np.maximum(took - of_children, 0)
    peer = _peers(rows, child, parent)
    return add([_times(rows, self_us, peer), _spans(rows), _calls(rows, child, parent)])


def bin_of(microseconds: Ints) -> Ints:
    """Return the bins of times."""
    return np.asarray(np.floor(BINS_AN_OCTAVE * np.log2(microseconds + 1.0)), np.int64)


def middle(bins: Floats) -> Floats:
    """Return the microseconds in the middle of *bins*."""
    return np.asarray(2.0 ** ((bins + 0.5) / BINS_AN_OCTAVE) - 1.0, np.float64)


def _once(rows: pa.Table) -> pa.Table:
    """Return *rows* by row number without a span that occurs twice."""
    rows = rows.take(pa.array(np.argsort(ints(rows["row"]), kind="stable")))
    ranks = [_ranks(rows[name]) for name in ("trace", "span")]
    order, starts = group(ranks, rows.num_rows)
    return rows.take(pa.array(np.sort(order[starts])))


def _ranks(column: pa.ChunkedArray) -> Ints:
    whole = column.combine_chunks()
    if len(whole) == 0:
        return np.zeros(0, np.int64)
    return np.asarray(whole.dictionary_encode().indices.to_numpy(), np.int64)


def _parents(rows: pa.Table) -> Ints:
    """Return for each span the position of its parent, or -1."""
    size = rows.num_rows
    own = pc.binary_join_element_wise(rows["trace"], rows["span"], "\x1f")
    up = pc.binary_join_element_wise(rows["trace"], rows["parent"], "\x1f")
    both = _ranks(pa.chunked_array([*own.chunks, *up.chunks], pa.string()))
    place = np.full(int(both.max(initial=-1)) + 1, -1, np.int64)
    place[both[:size]] = np.arange(size)
    parent = place[both[size:]]
    return np.where(parent == np.arange(size), -1, parent)


def _peers(rows: pa.Table, child: Ints, parent: Ints) -> pa.Array:
    """Return for each span the other service that it calls first, `*` or an empty text."""
    ranks = _ranks(rows["service"])
    remote = child[ranks[child] != ranks[parent[child]]]
    callee = np.full(rows.num_rows, -1, np.int64)
    callee[parent[remote[::-1]]] = remote[::-1]
    names = rows["service"].take(pa.array(np.maximum(callee, 0))).combine_chunks()
    outward = pc.match_substring_regex(rows["operation"].combine_chunks(), OUTWARD)
    leaf = np.ones(rows.num_rows, bool)
    leaf[parent[child]] = False
    other = pc.if_else(pc.and_(outward, pa.array(leaf)), OUTSIDE, "")
    return pc.if_else(pa.array(callee >= 0), names, other)


def _times(rows: pa.Table, self_us: Ints, peer: pa.Array) -> pa.Table:
    measure = pc.if_else(pc.equal(peer, ""), "within", "between")
    value = pa.array(bin_of(self_us)).cast(pa.string())
    return _count(rows, peer, measure, value)


def _spans(rows: pa.Table) -> pa.Table:
    return _count(
        rows, *(pa.array([text] * rows.num_rows, pa.string()) for text in ("", "spans", ""))
    )


def _calls(rows: pa.Table, child: Ints, parent: Ints) -> pa.Table:
    """Count the callers of each operation, a caller once however often it calls."""
    children, callers = rows.take(pa.array(child)), rows.take(pa.array(parent[child]))
    ranks = [parent[child], _ranks(children["service"]), _ranks(children["operation"])]
    order, starts = group(ranks, len(child))
    first = pa.array(order[starts])
    children, callers = children.take(first), callers.take(first)
    measure = pa.array(["calls"] * len(first), pa.string())
    return _count(callers, children["service"], measure, children["operation"])


def _count(rows: pa.Table, peer: pa.Array, measure: pa.Array, value: pa.Array) -> pa.Table:
    keys = {
        "window": rows["window"],
        "service": rows["service"],
        "operation": rows["operation"],
        "peer": peer,
        "measure": measure,
        "value": value,
    }
    return tally(keys, ints(rows["row"]))
