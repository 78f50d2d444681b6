"""What can be wrong with the evidence of an incident; each error is one sentence."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ....actors.errors import UsageError


class EvidenceError(UsageError):
    """Evidence that cannot be used: which, why, and what to do."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why

    def __str__(self) -> str:
        return f"evidence {self.name!r} {self.why}"


class MissingColumnError(EvidenceError):
    """Evidence without a column that its kind needs."""

    def __init__(self, name: str, wanted: str, found: Sequence[str]) -> None:
        super().__init__(name, f"has no column for {wanted}, only {', '.join(found)}")
        self.args = (name, wanted, tuple(found))
        self.wanted, self.found = wanted, tuple(found)


class UnreadableTimeError(EvidenceError):
    """Evidence whose times are no times."""

    def __init__(self, name: str, column: str, example: str) -> None:
        super().__init__(
            name,
            f"has {example!r} in its column {column!r}; write ISO 8601 in UTC, unix time, or "
            "seconds after the incident",
        )
        self.args = (name, column, example)
        self.column, self.example = column, example


class EmptyEvidenceError(EvidenceError):
    """Evidence without any row."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "has no rows")
        self.args = (name,)


class EmptyWindowError(EvidenceError):
    """Evidence without a row where one is needed: at the incident, or before it.

    *span* holds its first and last time, in seconds on its own clock, where they are known.
    """

    def __init__(self, name: str, window: str, span: tuple[float, float] | None = None) -> None:
        option = "--at" if window == "incident" else "--at and --baseline"
        times = "" if span is None else f"; its times are {_time(span[0])} to {_time(span[1])}"
        super().__init__(name, f"has no rows in the {window} window{times}; check {option}")
        self.args = (name, window, span)
        self.window, self.span = window, span


class UnreadMetricsError(EvidenceError):
    """Metrics of which none is read."""

    def __init__(self, name: str, metrics: Sequence[str]) -> None:
        shown = ", ".join(metrics[:8]) + (", ..." if len(metrics) > 8 else "")
        super().__init__(
            name,
            "has no metric of a service's processor, the only one that is read: one with `cpu` in "
            f"its name, and neither `node` nor `host`; it has {shown}",
        )
        self.args = (name, tuple(metrics))
        self.metrics = tuple(metrics)


_CALENDAR_S = 1e8
"""Later times are of the calendar; earlier ones are seconds of a clock of the evidence's own."""


def _time(seconds: float) -> str:
    if abs(seconds) < _CALENDAR_S:
        return f"{seconds:g}"
    when = datetime.fromtimestamp(seconds, UTC)
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")
