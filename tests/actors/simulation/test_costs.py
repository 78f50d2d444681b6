"""Tokens, latencies and failures follow the profile, and are whole numbers above 0."""

from dataclasses import replace

import numpy as np
import pytest

from commedia.actors.simulation.costs import (
    FAILED,
    INVALID,
    OK,
    REFUSED,
    durations,
    endings,
    thinking_tokens,
    written_tokens,
)
from commedia.actors.simulation.keyed import Keys, mix, text_key
from commedia.actors.simulation.profile import HAIKU, IDEAL, SONNET, AgentProfile

MANY = 40_000
CALLS = mix(text_key("calls"), np.arange(MANY, dtype=np.uint64))
AGAIN = mix(text_key("again"), CALLS)
SCHEMA = np.asarray(text_key("schema"))


def about(rate: float) -> object:
    return pytest.approx(rate, abs=4 * (rate / MANY) ** 0.5)


def ended(profile: AgentProfile, attempt: Keys = CALLS, schema: Keys | None = None) -> np.ndarray:
    return endings(profile, 7, call=CALLS, attempt=attempt, schema=schema)


def test_failures_have_their_rates() -> None:
    found = ended(SONNET)

    assert (found == FAILED).mean() == about(SONNET.transient)
    assert (found == REFUSED).mean() == about(SONNET.refusal)
    assert (found == INVALID).sum() == 0, "any text will do"
    assert (ended(IDEAL, schema=SCHEMA) == OK).all()


def test_a_refusal_stays_and_a_network_recovers() -> None:
    first, again = ended(SONNET), ended(SONNET, AGAIN)
    refused = (first == REFUSED) & (again != FAILED)

    assert (again[refused] == REFUSED).all()
    assert (again[first == FAILED] == FAILED).mean() < 0.1


def test_broken_answers_persist_by_schema() -> None:
    """Their rate is the profile's over many schemas; but where one broke, the next does too."""
    profile = replace(SONNET, schema_failure=0.05, refusal=0.0, transient=0.0)
    schemas = mix(text_key("schemas"), CALLS)
    first = endings(profile, 7, call=CALLS, attempt=CALLS, schema=schemas) == INVALID
    again = endings(profile, 7, call=CALLS, attempt=AGAIN, schema=schemas) == INVALID

    assert first.mean() == about(0.05)
    assert again[first].mean() > 4 * first.mean()
    assert again[first].mean() < 0.6


@pytest.mark.parametrize("profile", [HAIKU, SONNET, IDEAL], ids=lambda p: p.name)
def test_durations_are_whole_and_positive(profile: AgentProfile) -> None:
    for tokens in (0, 600):
        for found in durations(profile, attempt=CALLS, tokens_out=np.full(MANY, tokens)):
            assert found.dtype == np.int64 and (found > 0).all()


def test_latencies_are_the_profiles() -> None:
    first, rest = durations(SONNET, attempt=CALLS, tokens_out=np.full(MANY, 850))

    assert np.median(first) == pytest.approx(1.6e6, rel=0.02)
    assert np.median(rest) == pytest.approx(10e6, rel=0.02)
    assert (first > 5e6).mean() == pytest.approx(0.01, rel=0.3), "one in a hundred is slow"


def test_tokens_are_the_profiles_and_cover_the_answer() -> None:
    ones = np.ones(MANY, np.int64)
    medians = {
        role: np.median(written_tokens(SONNET, role, attempt=CALLS, answer=ones))
        for role in ("worker", "verifier", "reader")
    }
    thought = thinking_tokens(SONNET, attempt=CALLS, effort=np.full(MANY, 2.0))

    assert medians == pytest.approx({"worker": 600, "verifier": 250, "reader": 150}, rel=0.02)
    assert written_tokens(SONNET, "worker", attempt=CALLS, answer=900 * ones).min() == 900
    assert np.median(thought) == pytest.approx(400, rel=0.02)
    assert not thinking_tokens(HAIKU, attempt=CALLS, effort=np.ones(MANY)).any()
