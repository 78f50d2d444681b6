"""How long an answer takes: a pure function of the request, never of when it came."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...errors import UsageError
from ...simulation.costs import durations
from ...simulation.keyed import mix, text_key
from ...simulation.profile import HAIKU, OPUS, SONNET, AgentProfile

_LONGEST_S: Final = 3600.0
_LATENCY: Final = text_key("latency")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds until an answer begins, and from there to its end."""

    ttft_s: float
    decode_s: float

    @property
    def total_s(self) -> float:
        """Seconds until the answer is whole."""
        return self.ttft_s + self.decode_s


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers take: *fixed_s*, or as *profile* says.

    A profile's first token is drawn from a mixture of lognormals; *prefill_s* comes on top for
    each 1,000 tokens of input that no cache spares, *network_s* for each request.
    """

    fixed_s: float = 0.0
    profile: AgentProfile | None = None
    prefill_s: float = 0.0
    network_s: float = 0.0

    def pace(self, digest: str, *, attempt: int, tokens_in: int, tokens_out: int) -> Pace:
        """Return how long the answer to the request *digest* takes at this *attempt*."""
        if self.profile is None:
            return Pace(self.fixed_s / 2, self.fixed_s / 2)
        key = mix(_LATENCY, text_key(digest), np.array([attempt], np.uint64))
        first, rest = durations(self.profile, attempt=key, tokens_out=np.array([tokens_out]))
        before = self.network_s + self.prefill_s * tokens_in / 1000.0
        return Pace(before + float(first[0]) / 1e6, float(rest[0]) / 1e6)


PROFILES: Final = {
    "fast": Latency(profile=replace(HAIKU, ttft_s=0.15, speed=400.0), prefill_s=0.005),
    "haiku": Latency(profile=HAIKU, prefill_s=0.02, network_s=0.03),
    "sonnet": Latency(profile=SONNET, prefill_s=0.05, network_s=0.03),
    "opus": Latency(profile=OPUS, prefill_s=0.08, network_s=0.03),
}
"""Guesses but for their spread; time to the first token and speed are those of the agents."""

_OF_PROFILE: Final = (
    "ttft_s",
    "ttft_sd",
    "speed",
    "speed_sd",
    "slow_share",
    "slow_factor",
    "slow_sd",
)
_OWN: Final = ("prefill_s", "network_s")
_POSITIVE: Final = ("speed", "slow_factor")


def latency_of(text: str) -> Latency:
    """Read seconds, the name of a profile, or a JSON file; raises UsageError."""
    if text in PROFILES:
        return PROFILES[text]
    try:
        seconds = float(text)
    except ValueError:
        return _from_file(text)
    if not 0.0 <= seconds <= _LONGEST_S:
        raise UsageError(f"a latency is from 0 to {_LONGEST_S:.0f} seconds, and not {text}")
    return Latency(seconds)


def _from_file(text: str) -> Latency:
    try:
        given = json.loads(Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        names = ", ".join(PROFILES)
        why = error.strerror or str(error)
        raise UsageError(
            f"a latency is seconds, one of {names}, or a JSON file, and not {text!r}: {why}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the latency {text} is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise UsageError(f"the latency {text} is no JSON object")
    for name, value in given.items():
        if name not in (*_OF_PROFILE, *_OWN):
            known = ", ".join((*_OF_PROFILE, *_OWN))
            raise UsageError(f"the latency {text} has {name!r}; what it may have is {known}")
        if not _fits(name, value):
            raise UsageError(f"the latency {text} has {value!r} as its {name}")
    drawn: dict[str, Any] = {name: float(given[name]) for name in _OF_PROFILE if name in given}
    own = {name: float(given[name]) for name in _OWN if name in given}
    return Latency(profile=replace(SONNET, **drawn), **own)


def _fits(name: str, value: Any) -> bool:  # Any: whatever the file holds
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        return False
    if name == "slow_share":
        return bool(value <= 1)
    return bool(value > 0) if name in _POSITIVE else True
