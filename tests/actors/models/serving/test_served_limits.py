"""Token buckets: what is admitted stays below the limit over any stretch of time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.models.serving.limits import Bucket, Limiter, Limits

gaps = st.floats(0.0, 5.0)
arrivals = st.lists(st.tuples(gaps, st.integers(1, 900)), min_size=1, max_size=60)
limits = st.builds(
    Limits,
    requests=st.none() | st.integers(1, 600),
    tokens_in=st.none() | st.integers(1, 6_000),
    tokens_out=st.none() | st.integers(1, 6_000),
    burst_s=st.floats(1.0, 60.0),
)


@given(limits, arrivals)
def test_never_more_is_admitted_than_the_burst_and_the_refill(
    limits: Limits, arrivals: list[tuple[float, int]]
) -> None:
    """Over every stretch of time; a request larger than the bucket is let in when it is full."""
    limiter, now = Limiter(limits), 0.0
    admitted: list[tuple[float, int]] = []
    for gap, tokens in arrivals:
        now += gap
        if limiter.admit("m", tokens, now=now) == 0.0:
            admitted.append((now, tokens))

    for rate, weigh in ((limits.requests, lambda _: 1), (limits.tokens_in, lambda t: t)):
        if rate is None:
            continue
        capacity = max(rate / 60 * limits.burst_s, 1.0)
        for first in range(len(admitted)):
            used = 0.0
            for at, tokens in admitted[first:]:
                refilled = (at - admitted[first][0]) * rate / 60
                assert used + min(weigh(tokens), capacity) <= capacity + refilled + 1e-3
                used += weigh(tokens)


@given(limits, arrivals)
def test_who_waits_as_told_is_admitted_and_who_comes_sooner_is_not(
    limits: Limits, arrivals: list[tuple[float, int]]
) -> None:
    limiter, now = Limiter(limits), 0.0
    for gap, tokens in arrivals:
        now += gap
        wait = limiter.admit("m", tokens, now=now)
        if wait > 0.0:
            assert limiter.admit("m", tokens, now=now + 0.9 * wait) > 0.0
            now += wait + 1e-3
            assert limiter.admit("m", tokens, now=now) == 0.0
        limiter.produce("m", tokens, now=now)


@given(st.integers(1, 10_000), st.floats(0.1, 60.0), arrivals)
def test_a_bucket_never_holds_more_than_it_can(
    rate: int, burst_s: float, arrivals: list[tuple[float, int]]
) -> None:
    bucket, now = Bucket(rate, burst_s), 0.0
    for gap, units in arrivals:
        now += gap
        bucket.take(units, now)

        assert bucket.level(now) <= bucket.level(now + 1.0) <= bucket.capacity
        assert bucket.level(now + bucket.full_in(now)) == pytest.approx(bucket.capacity)


def test_output_counts_when_it_is_there() -> None:
    """A debt must be refilled before anybody is let in again."""
    limiter = Limiter(Limits(tokens_out=600))

    assert limiter.admit("m", 10**6, now=0.0) == 0.0
    limiter.produce("m", 900, now=0.0)
    assert limiter.admit("m", 1, now=0.0) == pytest.approx(30.1)
    assert limiter.admit("other", 1, now=0.0) == 0.0


def test_the_headers_tell_what_is_left_and_when_all_is_back() -> None:
    limiter = Limiter(Limits(requests=60, tokens_in=6_000, tokens_out=600))
    limiter.admit("m", 3_000, now=0.0)
    limiter.produce("m", 60, now=0.0)
    headers = limiter.headers("m", now=0.0, stamp=lambda ahead: f"+{ahead:g}")
    prefix = "anthropic-ratelimit"

    assert headers == {
        f"{prefix}-requests-limit": "60",
        f"{prefix}-requests-remaining": "59",
        f"{prefix}-requests-reset": "+1",
        f"{prefix}-tokens-limit": "6600",
        f"{prefix}-tokens-remaining": "3540",
        f"{prefix}-tokens-reset": "+30",
        f"{prefix}-input-tokens-limit": "6000",
        f"{prefix}-input-tokens-remaining": "3000",
        f"{prefix}-input-tokens-reset": "+30",
        f"{prefix}-output-tokens-limit": "600",
        f"{prefix}-output-tokens-remaining": "540",
        f"{prefix}-output-tokens-reset": "+6",
    }
    assert limiter.headers("m", now=60.0, stamp=str)[f"{prefix}-tokens-remaining"] == "6600"
    fast = limiter.headers("m", now=60.0, stamp=str, scale=10.0)
    assert fast[f"{prefix}-requests-limit"] == "600"


def test_a_steady_client_below_the_limit_is_never_held_off() -> None:
    limiter = Limiter(Limits(requests=600, burst_s=1.0))
    waits = [limiter.admit("m", 1, now=n / 9.0) for n in range(2_000)]

    assert max(waits) == 0.0
    assert all(a <= b for a, b in pairwise(waits))
