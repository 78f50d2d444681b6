"""A server's rate limits, kept before it has to enforce them. Pure: facts and the time come in.

What a server allows a minute is learned from the headers of its answers. Requests leave evenly, a
little below that: a bucket that holds a second's worth never meets the limit, however the server
counts bursts. A refusal halves the pace, answers let it grow again; a wait that the server asks for
is kept by all requests of that class of models.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from ..actors.models.wire import Axis, RateLimits, Usage

PACE: Final = 0.95
"""The share of the allowed rate that is used when all goes well."""
SLOWEST: Final = 0.05
RECOVERY: Final = 0.02
"""By so much the share grows a second, while answers come."""
BURST_S: Final = 1.0
"""A bucket holds what is allowed in so many seconds: servers may count by the second."""
USUAL_IN: Final = 0.3
"""Tokens of a prompt for each of its strict bound (its bytes, about), until answers tell."""
USUAL_OUT: Final = 200
NOTHING: Final = 1e-6
"""What lacks less lacks nothing: it is what adding up floats loses."""
_LEARNS: Final = 0.1

_POOLED: Final = re.compile(r"claude-(opus|sonnet)-4(?:-|$)")
_DATED: Final = re.compile(r"-20[0-9]{6}$")


def class_of(model: str) -> str:
    """Return what the limits of *model* are shared by: Opus 4.x are one class, Sonnet 4.x too."""
    pooled = _POOLED.match(model)
    return f"claude-{pooled[1]}-4" if pooled else _DATED.sub("", model)


@dataclass(frozen=True, slots=True)
class Need:
    """What one request is expected to take of each limit."""

    tokens_in: int
    tokens_out: int

    def of(self, axis: Axis) -> float:
        """Return what it takes along *axis*."""
        match axis:
            case "requests":
                return 1.0
            case "tokens_in":
                return float(self.tokens_in)
            case "tokens_out":
                return float(self.tokens_out)
        return float(self.tokens_in + self.tokens_out)


@dataclass(slots=True)
class Bucket:
    """Lets through *a_minute*, evenly; one request may overdraw it, and the next ones wait."""

    a_minute: float
    at: float
    level: float = 0.0

    def wait_s(self, amount: float, now: float, pace: float) -> float:
        """Return how long until *amount* may be taken, at a share *pace* of the rate."""
        self._refill(now, pace)
        lacks = min(amount, self._depth(pace)) - self.level
        return lacks / self._a_second(pace) if lacks > NOTHING else 0.0

    def take(self, amount: float) -> None:
        """Take *amount*."""
        self.level -= amount

    def settle(self, expected: float, actual: float) -> None:
        """Put right what a request took: *actual* in place of what was *expected*."""
        self.level += expected - actual

    def told(self, a_minute: float, remaining: float, now: float, pace: float) -> None:
        """Take in what the server says: how much it allows, and what is left, whoever took it."""
        self._refill(now, pace)
        self.a_minute = a_minute
        self.level = min(self.level, self._depth(pace), remaining)

    def _refill(self, now: float, pace: float) -> None:
        grown = self.level + max(now - self.at, 0.0) * self._a_second(pace)
        self.level, self.at = min(grown, self._depth(pace)), max(now, self.at)

    def _a_second(self, pace: float) -> float:
        return max(self.a_minute * pace / 60.0, 1e-9)

    def _depth(self, pace: float) -> float:
        return BURST_S * self._a_second(pace)


@dataclass(slots=True)
class Throttle:
    """How fast requests to one class of models leave."""

    pace: float = PACE
    opens_at: float = 0.0
    buckets: dict[Axis, Bucket] = field(default_factory=dict)
    usual_in: float = USUAL_IN
    usual_out: float = USUAL_OUT
    _grew_at: float | None = None

    def need(self, size: int, room: int) -> Need:
        """Return what a request of *size* tokens at most, with *room* for its answer, may take."""
        return Need(round(size * self.usual_in), min(room, round(self.usual_out)))

    def wait_s(self, need: Need, *, now: float) -> float:
        """Return how long a request has to wait; 0 if it may leave now."""
        closed = max(self.opens_at - now, 0.0)
        waits = [b.wait_s(need.of(axis), now, self.pace) for axis, b in self.buckets.items()]
        return max([closed, *waits])

    def sent(self, need: Need) -> None:
        """Take note that a request leaves."""
        for axis, bucket in self.buckets.items():
            bucket.take(need.of(axis))

    def settled(self, need: Need, size: int, usage: Usage | None) -> None:
        """Take note of how a request ended: with *usage*, or without anything known of it."""
        took = need
        if usage is not None:  # what is read from a cache counts for no limit
            took = Need(usage.tokens_in + usage.cache_write, usage.tokens_out)
        for axis, bucket in self.buckets.items():
            bucket.settle(need.of(axis), took.of(axis))
        if usage is not None and usage.total > 0:
            read = usage.tokens_in + usage.cache_write + usage.cache_read
            self.usual_in += _LEARNS * (read / max(size, 1) - self.usual_in)
            self.usual_out += _LEARNS * (usage.tokens_out - self.usual_out)

    def told(self, limits: RateLimits, *, now: float) -> None:
        """Take in what an answer's headers say of the limits."""
        for axis, limit in limits.items():
            bucket = self.buckets.get(axis)
            if bucket is None:  # what left before it was known is nobody's to settle
                bucket = self.buckets[axis] = Bucket(limit.a_minute, now)
            bucket.told(limit.a_minute, limit.remaining, now, self.pace)

    def answered(self, *, now: float) -> None:
        """Let the pace grow again: the server is content."""
        if self._grew_at is not None:
            self.pace = min(self.pace + RECOVERY * max(now - self._grew_at, 0.0), PACE)
        self._grew_at = now

    def pushed_back(self, *, now: float) -> None:
        """Halve the pace: the server has refused a request as too much."""
        self.pace = max(self.pace / 2.0, SLOWEST)
        self._grew_at = now

    def hold(self, seconds: float, *, now: float) -> None:
        """Let nothing leave for *seconds*: the server asked for it."""
        self.opens_at = max(self.opens_at, now + seconds)
