"""Message batches: what they hold, and when each of their requests is done. Pure: time comes in."""

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.exceptions import HTTPException

from ...simulation.keyed import mix, text_key, uniform

MOST_REQUESTS: Final = 100_000
SPEC_KEY: Final = "commedia-call-spec"
"""Beside `custom_id` and `params`: the call spec of a request, as its header has it."""

_CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CANCELLING: Final = 0.05
"""How long a cancellation takes, as a share of the whole time."""

Result = Mapping[str, Any]  # Any: JSON


@dataclass(slots=True)
class Item:
    """One request of a batch; *due_at* says when it is done, *result* what came of it."""

    custom_id: str
    params: Mapping[str, Any]
    spec: str | None
    due_at: float
    result: Result | None = None


@dataclass(slots=True)
class Batch:
    """Requests that are answered together, until *ends_at*."""

    id: str
    created_at: float
    ends_at: float
    items: list[Item]
    cancelled_at: float | None = None
    _next: int = 0

    def has_ended(self, now: float) -> bool:
        """Whether every request has a result, and its time is over."""
        return now >= self.ends_at and self._next == len(self.items)

    def is_early(self, now: float) -> bool:
        """Whether nothing can be done yet by *now*."""
        if self._next == len(self.items):
            return True
        return self.cancelled_at is None and self.items[self._next].due_at > now

    def due(self, now: float, most: int) -> Iterator[Item]:
        """Yield up to *most* requests that are done by *now*, each once; they get a result."""
        stop = min(now, self.ends_at if self.cancelled_at is None else self.cancelled_at)
        for _ in range(most):
            if self._next == len(self.items):
                return
            item = self.items[self._next]
            if item.due_at <= stop:
                yield item
            elif self.cancelled_at is not None:
                item.result = {"type": "canceled"}
            else:
                return
            self._next += 1

    def cancel(self, now: float) -> None:
        """Let nothing be done that is not done by *now*."""
        if self.cancelled_at is None and now < self.ends_at:
            rest = (self.ends_at - self.created_at) * _CANCELLING
            self.cancelled_at, self.ends_at = now, min(self.ends_at, now + rest)

    def counts(self, now: float) -> dict[str, int]:
        """Return how many requests ended how: all are processing until the batch has ended."""
        kinds = ("succeeded", "errored", "canceled", "expired")
        if not self.has_ended(now):
            return {"processing": len(self.items), **dict.fromkeys(kinds, 0)}
        ends = [(item.result or {}).get("type") for item in self.items]
        return {"processing": 0, **{kind: ends.count(kind) for kind in kinds}}

    def status(self, now: float) -> str:
        """Return in_progress, canceling or ended."""
        if self.has_ended(now):
            return "ended"
        return "in_progress" if self.cancelled_at is None else "canceling"

    def results(self) -> Iterator[tuple[str, Result]]:
        """Yield every request's custom_id and result, in an order of their own."""
        for item in sorted(self.items, key=lambda item: int(text_key("order", item.custom_id))):
            yield item.custom_id, item.result or {"type": "expired"}


@dataclass(slots=True)
class Batches:
    """All batches of a server; each takes *duration_s*."""

    duration_s: float
    _batches: dict[str, Batch] = field(default_factory=dict)

    def create(self, body: Any, *, now: float) -> Batch:  # Any: whatever a client sent
        """Begin the batch in *body*; raises HTTPException 400, which says what is wrong."""
        name = f"msgbatch_{secrets.token_hex(12)}"
        items = [
            Item(custom_id, params, spec, now + self.duration_s * _share(custom_id))
            for custom_id, params, spec in _requests(body)
        ]
        items.sort(key=lambda item: item.due_at)
        self._batches[name] = Batch(name, now, now + self.duration_s, items)
        return self._batches[name]

    def find(self, name: str) -> Batch:
        """Return the batch *name*; raises HTTPException 404."""
        if name not in self._batches:
            raise HTTPException(404, f"there is no batch {name[:100]}")
        return self._batches[name]

    def delete(self, name: str, *, now: float) -> None:
        """Forget the batch *name*; raises HTTPException 400 while it is processed."""
        if not self.find(name).has_ended(now):
            raise HTTPException(400, f"the batch {name} is being processed; cancel it first")
        del self._batches[name]

    def page(
        self, *, limit: int, after: str | None, before: str | None
    ) -> tuple[Sequence[Batch], bool]:
        """Return up to *limit* batches, the newest first, and whether there are more.

        They come after the batch *after*, or right before *before*; raises HTTPException 404.
        """
        found = list(self._batches.values())[::-1]
        names = [batch.id for batch in found]
        if before is not None:
            found = found[: names.index(self.find(before).id)]
            return found[-limit:], len(found) > limit
        start = 0 if after is None else names.index(self.find(after).id) + 1
        return found[start : start + limit], len(found) > start + limit


def _requests(body: Any) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:  # Any: as above
    given = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_REQUESTS:
        raise HTTPException(400, f"requests: a list of 1 to {MOST_REQUESTS} requests is required")
    seen = set[str]()
    for place, one in enumerate(given):
        where = f"requests.{place}"
        name = one.get("custom_id") if isinstance(one, dict) else None
        if not isinstance(name, str) or not _CUSTOM_ID.fullmatch(name):
            raise HTTPException(400, f"{where}.custom_id: 1 to 64 of a-z, A-Z, 0-9, _ and -")
        if name in seen:
            raise HTTPException(400, f"{where}.custom_id: {name} is there already")
        seen.add(name)
        params, spec = one.get("params"), one.get(SPEC_KEY)
        if not isinstance(params, dict):
            raise HTTPException(400, f"{where}.params: an object is required")
        yield name, params, spec if isinstance(spec, str) else None


def _share(custom_id: str) -> float:
    return float(uniform(mix(text_key("done", custom_id))))
