"""A server's rate limits are kept, used, learned, and recovered from."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.actors.models.wire import Limit, Usage
from commedia.supervisor.limits import PACE, SLOWEST, Need, Throttle, class_of


@dataclass
class Server:
    """A token bucket as servers keep it: it refills evenly, up to a minute's worth or *depth*."""

    a_minute: float
    depth: float
    level: float = 0.0
    at: float = 0.0
    refused: int = 0
    times: list[float] = field(default_factory=list)

    def take(self, amount: float, now: float) -> bool:
        """Take *amount* if it is there."""
        self.level = min(self.level + (now - self.at) * self.a_minute / 60.0, self.depth)
        self.at = now
        if self.level < amount:
            self.refused += 1
            return False
        self.level -= amount
        self.times.append(now)
        return True


@pytest.mark.parametrize(
    ("model", "shared"),
    [
        ("claude-opus-4-6", "claude-opus-4"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-sonnet-4-5", "claude-sonnet-4"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-haiku-5-5-20261007", "claude-haiku-5-5"),
        ("my-model", "my-model"),
    ],
)
def test_models_of_one_class_share_their_limits(model: str, shared: str) -> None:
    assert class_of(model) == shared


def test_what_is_not_known_to_be_limited_does_not_wait() -> None:
    throttle = Throttle()
    need = throttle.need(1000, 100)
    for _ in range(1000):
        assert throttle.wait_s(need, now=0.0) == 0.0
        throttle.sent(need)


@settings(deadline=None, max_examples=60)
@given(
    a_minute=st.integers(30, 60_000),
    by_the_second=st.booleans(),
    latency=st.floats(0.05, 5.0),
    seed=st.integers(0, 2**16),
)
def test_a_server_is_never_asked_for_more_than_it_allows(
    a_minute: int, by_the_second: bool, latency: float, seed: int
) -> None:
    """However it counts bursts: nothing is refused once its limits are known, and most is used."""
    depth = max(a_minute / 60.0, 1.0) if by_the_second else float(a_minute)
    server = Server(a_minute, depth, level=depth)
    throttle = Throttle()
    need = Need(10, 10)
    throttle.told({"requests": Limit(a_minute, int(depth))}, now=0.0)
    now, answers = 0.0, list[float]()
    while len(server.times) < 300:
        if wait := throttle.wait_s(need, now=now):
            now += wait
            continue
        throttle.sent(need)
        assert server.take(1.0, now)
        answers.append(now + latency)
        while answers and answers[0] <= now:
            answers.pop(0)
            throttle.settled(need, 100, Usage(10, 10))
            left = Limit(a_minute, int(server.level))
            throttle.told({"requests": left}, now=now)
            throttle.answered(now=now)
    assert server.refused == 0
    assert len(server.times) >= 0.85 * now * a_minute / 60.0


def test_a_refusal_halves_the_pace_and_answers_let_it_grow_again() -> None:
    throttle = Throttle()
    throttle.answered(now=0.0)
    throttle.pushed_back(now=1.0)
    assert throttle.pace == PACE / 2
    for _ in range(20):
        throttle.pushed_back(now=1.0)
    assert throttle.pace == SLOWEST
    for second in range(2, 60):
        throttle.answered(now=float(second))
    assert throttle.pace == PACE


def test_tokens_that_were_expected_are_put_right_by_those_that_were_used() -> None:
    throttle = Throttle()
    throttle.told({"tokens_in": Limit(60_000, 60_000)}, now=0.0)
    need = Need(5_000, 0)
    wait = throttle.wait_s(need, now=0.0)
    throttle.sent(need)
    assert throttle.wait_s(need, now=wait) > 4.0
    throttle.settled(need, 20_000, Usage(100, 10, cache_read=4_900))

    assert throttle.wait_s(need, now=wait) < 1.5
    assert throttle.need(20_000, 1_000).tokens_in < need.tokens_in + 2_000


def test_others_who_use_the_same_key_leave_less_for_us() -> None:
    throttle = Throttle()
    throttle.told({"requests": Limit(600, 600)}, now=0.0)
    need = Need(1, 1)
    assert throttle.wait_s(need, now=1.0) == 0.0
    throttle.told({"requests": Limit(600, 0)}, now=1.0)
    assert throttle.wait_s(need, now=1.0) > 0.0
