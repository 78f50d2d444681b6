"""The log of a server, which audits its clients: what was asked, and what was charged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from .timing import ServedTime


@dataclass(slots=True)
class Entry:
    """One request, as far as it is known; *status* None: it got no response.

    *is_charged*: it was accepted, and its usage counts, whether or not its answer arrived.
    """

    id: str
    digest: str | None = None
    status: int | None = None
    usage: Mapping[str, Any] | None = None
    is_charged: bool = False
    attempt: int | None = None
    model: str | None = None
    fault: str | None = None
    custom_id: str | None = None
    batch: str | None = None


class Ledger:
    """Writes a JSON line an entry to *out*, and flushes it, before the response leaves."""

    def __init__(self, out: TextIO | None, time: ServedTime) -> None:
        self._out, self._time = out, time

    def write(self, entry: Entry) -> None:
        """Write *entry* down."""
        if self._out is None:
            return
        line: dict[str, Any] = {
            "id": entry.id,
            "time": self._time.stamp(0.0),
            "status": entry.status,
            "usage": entry.usage,
            "digest": entry.digest,
            "charged": entry.is_charged,
            "attempt": entry.attempt,
            "model": entry.model,
            "fault": entry.fault,
        }
        if entry.custom_id is not None:
            line |= {"custom_id": entry.custom_id, "batch": entry.batch}
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()
