"""How often each request was made, and when the first of all came."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Visits:
    """Counts the requests that were let in, by their digest."""

    _seen: Counter[str] = field(default_factory=Counter)
    _count: int = 0
    _first_at: float | None = None

    def attempt(self, digest: str) -> int:
        """Return how often the request *digest* was let in before."""
        return self._seen[digest]

    @property
    def number(self) -> int:
        """The number that the next request has, from 1."""
        return self._count + 1

    def elapsed(self, now: float) -> float:
        """Return the seconds since the first request; it is made now, if there was none."""
        if self._first_at is None:
            self._first_at = now
        return now - self._first_at

    def let_in(self, digest: str) -> None:
        """Count a request; one that a rate limit holds off is not let in."""
        self._seen[digest] += 1
        self._count += 1
