"""What a simulated call takes, and how it fails: tokens, latency, refusals, broken answers.

Tokens are lognormal by role, with thinking tokens by effort on top; an answer never takes fewer
than it is long. Time to the first token is a mixture of lognormals, decoding is tokens over a
lognormal speed. Failures are draws by call and attempt; those of schemas have a part that persists
per (model, schema), mixed on the normal scale, so asking again is no cure.
Source: research notes on simulation, 2.3 and 5.3 H.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from .keyed import Floats, Ints, Keys, mix, normal, text_key, uniform
from .profile import AgentProfile
from .skill import Flags

OK: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
INVALID: Final = 3
"""How a call ended."""

EFFORTS: Final[Mapping[str | None, float]] = {
    None: 1.0,
    "low": 0.5,
    "medium": 1.0,
    "high": 2.0,
    "xhigh": 3.0,
    "max": 4.0,
}
"""Thinking tokens at each effort, relative to medium."""

_LONGEST_US: Final = 10**13
_MOST_TOKENS: Final = 10**8
_STREAMS: Final = ("tokens", "thinking", "ttft", "slow", "speed", "transient", "refusal", "schema")
_KEY: Final = {name: text_key(name) for name in _STREAMS}


def endings(
    profile: AgentProfile, seed: int, *, call: Keys, attempt: Keys, schema: Keys | None
) -> Ints:
    """Return how each call ends: OK, FAILED, REFUSED or INVALID.

    *attempt* keys this attempt at the call: a refusal stays, the rest is drawn anew. *schema* is
    the key of the answer's schema; None where any text will do.
    """
    found = np.zeros(len(call), np.int64)
    if schema is not None and profile.schema_failure:
        found[_breaks_schema(profile, seed, attempt, schema)] = INVALID
    if profile.refusal:
        found[uniform(mix(call, _KEY["refusal"])) < profile.refusal] = REFUSED
    if profile.transient:
        found[uniform(mix(attempt, _KEY["transient"])) < profile.transient] = FAILED
    return found


def thinking_tokens(profile: AgentProfile, *, attempt: Keys, effort: Floats) -> Ints:
    """Return the tokens that each call thinks, with *effort* relative to medium."""
    median = profile.thinking_tokens * effort
    return _whole(median * np.exp(profile.tokens_sd * normal(mix(attempt, _KEY["thinking"]))))


def written_tokens(profile: AgentProfile, role: str, *, attempt: Keys, answer: Ints) -> Ints:
    """Return the tokens that each call writes, at least those of its *answer*."""
    median = {
        "verifier": profile.verifier_tokens,
        "reader": profile.reader_tokens,
    }.get(role, profile.worker_tokens)
    drawn = median * np.exp(profile.tokens_sd * normal(mix(attempt, _KEY["tokens"])))
    return np.maximum(_whole(drawn), answer)


def durations(profile: AgentProfile, *, attempt: Keys, tokens_out: Ints) -> tuple[Ints, Ints]:
    """Return microseconds to the first token, and from there to the last; at least one each."""
    is_slow = uniform(mix(attempt, _KEY["slow"])) < profile.slow_share
    spread = np.where(is_slow, profile.slow_sd, profile.ttft_sd)
    median = profile.ttft_s * np.where(is_slow, profile.slow_factor, 1.0)
    ttft = median * np.exp(spread * normal(mix(attempt, _KEY["ttft"])))
    speed = profile.speed * np.exp(profile.speed_sd * normal(mix(attempt, _KEY["speed"])))
    return _microseconds(ttft), _microseconds(tokens_out / speed)


def _breaks_schema(profile: AgentProfile, seed: int, attempt: Keys, schema: Keys) -> Flags:
    from scipy.special import ndtri  # here, because only hosts that simulate need it

    lasting = normal(mix(text_key("schema", seed, profile.name), schema))
    fresh = normal(mix(attempt, _KEY["schema"]))
    share = profile.schema_persistent
    z = np.sqrt(share) * lasting + np.sqrt(1 - share) * fresh
    return np.asarray(z < ndtri(profile.schema_failure))


def _whole(tokens: Floats) -> Ints:
    return np.minimum(np.rint(tokens), _MOST_TOKENS).astype(np.int64)


def _microseconds(seconds: Floats) -> Ints:
    return np.clip(np.rint(seconds * 1e6), 1, _LONGEST_US).astype(np.int64)
