"""Times as a user writes them, checked before anything runs."""

from ....actors.errors import UsageError
from .evidence import seconds


def check_time(at: str) -> str:
    """Return *at*; raises UsageError where it is no time."""
    _read(at, "at")
    return at


def check_baseline(baseline: str | None) -> str | None:
    """Return *baseline*; raises UsageError where it is no span of time, or ends as it begins."""
    if baseline is not None:
        span(baseline)
    return baseline


def span(baseline: str) -> tuple[float, float]:
    """Return the times from and to which FROM/TO goes; raises UsageError where it is no span."""
    since, slash, until = baseline.partition("/")
    if not slash:
        raise UsageError(f"--baseline {baseline!r} is no span of time; write it as FROM/TO")
    first, last = _read(since, "baseline"), _read(until, "baseline")
    if first >= last:
        raise UsageError(f"--baseline {baseline!r} ends before it begins; write it as FROM/TO")
    return first, last


def _read(text: str, option: str) -> float:
    try:
        return seconds(text)
    except ValueError:
        raise UsageError(
            f"--{option} {text!r} is no time; write 2026-11-25T14:02:00Z, or a number"
        ) from None
