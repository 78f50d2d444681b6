"""How fast a model may be asked: token buckets as the API has them. Pure: time comes in."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "anthropic-ratelimit"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model takes a minute: requests, input and output tokens; None: as much as comes.

    A bucket holds what refills in *burst_s*, so 60 is a whole minute at once.
    """

    requests: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    burst_s: float = 60.0


class Bucket:
    """Holds *capacity* units at most, refills *rate* units a second, and may run into debt."""

    def __init__(self, per_minute: int, burst_s: float) -> None:
        self.per_minute = per_minute
        self.rate = per_minute / 60.0
        self.capacity = max(self.rate * burst_s, 1.0)
        self._level, self._updated_at = self.capacity, -math.inf

    def level(self, now: float) -> float:
        """Return what it holds; less than nothing is a debt."""
        if now <= self._updated_at or self._level >= self.capacity:
            return self._level
        return min(self._level + (now - self._updated_at) * self.rate, self.capacity)

    def wait(self, units: float, now: float) -> float:
        """Return the seconds until *units* can be taken; more than it can hold needs it full."""
        lacking = min(units, self.capacity) - self.level(now)
        return lacking / self.rate if lacking > 1e-6 else 0.0

    def take(self, units: float, now: float) -> None:
        """Take *units*, whether they are there or not."""
        self._level, self._updated_at = self.level(now) - units, max(now, self._updated_at)

    def full_in(self, now: float) -> float:
        """Return the seconds until it is full."""
        return (self.capacity - self.level(now)) / self.rate


@dataclass(slots=True)
class _Model:
    """The buckets of one model, by the API's names of them."""

    requests: Bucket | None
    tokens_in: Bucket | None
    tokens_out: Bucket | None


@dataclass(slots=True)
class Limiter:
    """Admits requests to each model within *limits*."""

    limits: Limits
    _models: dict[str, _Model] = field(default_factory=dict)

    def admit(self, model: str, tokens_in: int, *, now: float) -> float:
        """Take a request with *tokens_in* and return 0; or take nothing, and return the wait.

        Input that a cache spares does not count. Output counts when it is there (`produce`): as
        long as more came than is refilled, nobody is admitted.
        """
        buckets = self._of(model)
        needs = ((buckets.requests, 1), (buckets.tokens_in, tokens_in), (buckets.tokens_out, 1))
        waits = [bucket.wait(units, now) for bucket, units in needs if bucket is not None]
        longest = max(waits, default=0.0)
        if longest > 0.0:
            return longest
        for bucket, units in needs[:2]:
            if bucket is not None:
                bucket.take(units, now)
        return 0.0

    def produce(self, model: str, tokens_out: int, *, now: float) -> None:
        """Count the *tokens_out* of an answer."""
        bucket = self._of(model).tokens_out
        if bucket is not None:
            bucket.take(tokens_out, now)

    def headers(
        self, model: str, *, now: float, stamp: Callable[[float], str], scale: float = 1.0
    ) -> dict[str, str]:
        """Return the API's headers; *stamp* writes down the moment that is so many seconds on.

        The client's minutes are real ones: in each of them *scale* times a limit goes through.
        """
        return dict(self._headers(self._of(model), now, stamp, scale))

    def _headers(
        self, model: _Model, now: float, stamp: Callable[[float], str], scale: float
    ) -> Iterator[tuple[str, str]]:
        both = [bucket for bucket in (model.tokens_in, model.tokens_out) if bucket is not None]
        shown = {
            "requests": [model.requests] if model.requests is not None else [],
            "tokens": both,
            "input-tokens": [model.tokens_in] if model.tokens_in is not None else [],
            "output-tokens": [model.tokens_out] if model.tokens_out is not None else [],
        }
        for name, buckets in shown.items():
            if buckets:
                left = sum(max(math.floor(bucket.level(now)), 0) for bucket in buckets)
                a_minute = sum(bucket.per_minute for bucket in buckets)
                yield f"{PREFIX}-{name}-limit", str(round(a_minute * scale))
                yield f"{PREFIX}-{name}-remaining", str(left)
                yield f"{PREFIX}-{name}-reset", stamp(max(b.full_in(now) for b in buckets))

    def _of(self, model: str) -> _Model:
        if model not in self._models:
            limits = self.limits
            rates = (limits.requests, limits.tokens_in, limits.tokens_out)
            self._models[model] = _Model(
                *(None if rate is None else Bucket(rate, limits.burst_s) for rate in rates)
            )
        return self._models[model]
