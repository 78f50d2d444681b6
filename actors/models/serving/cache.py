"""A prompt cache as the API has it: prefixes, kept for a while after their last use. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from .prefixes import TTLS, Mark

LEAST_TOKENS: Final = 1024
"""A shorter prefix is not kept."""
LOOKED_BACK: Final = 20
"""So many blocks before a breakpoint an earlier one may stand and still be found."""
_MOST_KEPT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Cached:
    """What a cache did for a request: tokens *read*, and tokens written, by how long they stay."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        """All tokens written."""
        return self.written_5m + self.written_1h


@dataclass(slots=True)
class _Kept:
    begins_at: float
    expires_at: float
    ttl_s: float


@dataclass(slots=True)
class PromptCache:
    """Keeps the prefixes that requests have marked."""

    _kept: dict[bytes, _Kept] = field(default_factory=dict)

    def look(self, marks: Sequence[Mark], *, now: float) -> Cached:
        """Return what a request with *marks* reads and writes now."""
        kept = self._longest(marks, now)
        read = 0 if kept is None else kept.tokens
        written = {ttl: 0 for ttl in TTLS.values()}
        so_far = read
        for mark in marks:
            if mark.ttl_s is not None and mark.tokens > so_far and mark.tokens >= LEAST_TOKENS:
                written[mark.ttl_s] += mark.tokens - so_far
                so_far = mark.tokens
        return Cached(read, written[TTLS["5m"]], written[TTLS["1h"]])

    def use(self, marks: Sequence[Mark], *, now: float, begins_at: float) -> None:
        """Keep what a request with *marks* writes: others find it once its answer has begun."""
        kept = self._longest(marks, now)
        if kept is not None:
            found = self._kept[kept.prefix]
            found.expires_at = max(found.expires_at, now + found.ttl_s)
        for mark in marks:
            is_new = kept is None or mark.tokens > kept.tokens
            if mark.ttl_s is not None and mark.tokens >= LEAST_TOKENS and is_new:
                self._keep(mark.prefix, mark.ttl_s, now=now, begins_at=begins_at)
        self._forget(now)

    def _keep(self, prefix: bytes, ttl_s: float, *, now: float, begins_at: float) -> None:
        expires_at = begins_at + ttl_s
        found = self._kept.get(prefix)
        if found is not None and found.expires_at > now:
            begins_at = min(begins_at, found.begins_at)
            expires_at = max(expires_at, found.expires_at)
        self._kept[prefix] = _Kept(begins_at, expires_at, ttl_s)

    def _longest(self, marks: Sequence[Mark], now: float) -> Mark | None:
        """Return the longest prefix that is kept, not far before a breakpoint."""
        since_breakpoint = LOOKED_BACK + 1
        for mark in reversed(marks):
            since_breakpoint = 0 if mark.ttl_s is not None else since_breakpoint + 1
            found = self._kept.get(mark.prefix) if since_breakpoint <= LOOKED_BACK else None
            if found is not None and found.begins_at <= now < found.expires_at:
                return mark
        return None

    def _forget(self, now: float) -> None:
        if len(self._kept) > _MOST_KEPT:
            self._kept = {p: kept for p, kept in self._kept.items() if kept.expires_at > now}
