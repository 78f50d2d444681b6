"""One door to the four kinds of evidence: digest a part, add parts up, read the signs."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from .counting import add
from .events import digest as digest_events
from .events import read as read_events
from .evidence import Kind
from .log_signs import read as read_logs
from .logs import digest as digest_logs
from .metric_signs import read as read_metrics
from .metrics import digest as digest_metrics
from .signs import Reading
from .span_signs import read as read_spans
from .spans import digest as digest_spans

DIGEST: dict[Kind, Callable[[pa.Table], pa.Table]] = {
    "logs": digest_logs,
    "spans": digest_spans,
    "metrics": digest_metrics,
    "events": digest_events,
}
"""Digests normalised rows, whole traces together (see `evidence.shard`)."""

READ: dict[Kind, Callable[[pa.Table], Reading]] = {
    "logs": read_logs,
    "spans": read_spans,
    "metrics": read_metrics,
    "events": read_events,
}
"""Reads the signs in the digest of a whole piece of evidence."""


def merge(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the digest of all that the digests *parts* of one kind count, in any order."""
    return add(parts)
