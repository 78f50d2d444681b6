"""What happens to a request, once it is read: struck, held off, or accepted, charged, answered."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException

from .answering import Answerer
from .cache import Cached, PromptCache
from .faults import Faults, Strike, Where
from .latency import Latency, Pace
from .ledger import Entry, Ledger
from .limits import Limiter
from .request import Posted
from .timing import ServedTime
from .visits import Visits


@dataclass(slots=True)
class Desk:
    """Holds all that a server knows of its clients."""

    answerer: Answerer
    time: ServedTime
    ledger: Ledger
    latency: Latency
    limiter: Limiter
    faults: Faults
    cache: PromptCache = field(default_factory=PromptCache)
    visits: dict[Where, Visits] = field(default_factory=dict)

    def strike(self, entry: Entry, *, on: Where) -> Strike | None:
        """Return the fault that strikes the request of *entry*; it is let in by `let_in`."""
        visits, digest = self._visits(on), entry.digest or ""
        entry.attempt = visits.attempt(digest)
        elapsed_s = visits.elapsed(self.time.now())
        found = self.faults.strike(
            digest,
            on=on,
            attempt=entry.attempt,
            number=visits.number,
            elapsed_s=elapsed_s,
        )
        entry.fault = None if found is None else found.name
        return found

    def let_in(self, entry: Entry, *, on: Where) -> None:
        """Count the request of *entry*."""
        self._visits(on).let_in(entry.digest or "")

    def accept(
        self, entry: Entry, posted: Posted, spec: str | None, *, is_limited: bool = True
    ) -> tuple[dict[str, Any], Pace]:
        """Charge a request, and return its answer with how long that takes.

        Raises HTTPException: 400 for a *spec* that cannot be used, 429 beyond a rate limit.
        """
        now, model = self.time.now(), posted.model
        message = self.answerer.message(posted, spec)
        cached = self.cache.look(posted.marks, now=now)
        uncached = posted.tokens - cached.read
        wait_s = self.limiter.admit(model, uncached, now=now) if is_limited else 0.0
        if wait_s > 0.0:
            raise self._held_off(model, wait_s)
        usage = message["usage"]
        if posted.marks:
            usage |= _cache_usage(posted.tokens, cached)
        pace = self.latency.pace(
            entry.digest or "",
            attempt=entry.attempt or 0,
            tokens_in=uncached,
            tokens_out=usage["output_tokens"],
        )
        self.cache.use(posted.marks, now=now, begins_at=now + pace.ttft_s)
        message["id"] = entry.id.replace("req_", "msg_")
        entry.usage, entry.is_charged = usage, True
        return message, pace

    def produced(self, posted: Posted, usage: Mapping[str, Any]) -> dict[str, str]:
        """Count the output of an answer that leaves, and return the headers with what is left."""
        self.limiter.produce(posted.model, usage["output_tokens"], now=self.time.now())
        return self.limit_headers(posted.model)

    def limit_headers(self, model: str) -> dict[str, str]:
        """Return the headers that tell how much of *model* is left."""
        time = self.time
        return self.limiter.headers(model, now=time.now(), stamp=time.stamp, scale=time.scale)

    def _held_off(self, model: str, wait_s: float) -> HTTPException:
        after = f"{math.ceil(wait_s) / self.time.scale:g}"
        headers = {**self.limit_headers(model), "retry-after": after}
        why = "this request would exceed your rate limit; try again later"
        return HTTPException(429, why, headers)

    def _visits(self, on: Where) -> Visits:
        return self.visits.setdefault(on, Visits())


def _cache_usage(tokens: int, cached: Cached) -> dict[str, Any]:
    return {
        "input_tokens": tokens - cached.read - cached.written,
        "cache_creation_input_tokens": cached.written,
        "cache_read_input_tokens": cached.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cached.written_5m,
            "ephemeral_1h_input_tokens": cached.written_1h,
        },
    }
