"""Latency is a function of the request, with the shape that was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from commedia.actors.errors import UsageError
from commedia.actors.models.serving.latency import Latency, Pace, latency_of


def paces(latency: Latency, count: int, *, tokens_out: int = 100) -> list[Pace]:
    return [
        latency.pace(f"d{n}", attempt=0, tokens_in=1_000, tokens_out=tokens_out)
        for n in range(count)
    ]


def test_seconds_are_what_every_answer_takes() -> None:
    assert {pace.total_s for pace in paces(latency_of("0.5"), 5)} == {0.5}


def test_the_same_request_takes_the_same_time_and_a_retry_another() -> None:
    opus = latency_of("opus")
    first, again = paces(opus, 50), paces(opus, 50)
    retry = opus.pace("d0", attempt=1, tokens_in=1_000, tokens_out=100)

    assert first == again
    assert retry != first[0] and len(set(first)) == 50


def test_a_profile_has_the_median_the_speed_and_the_tail_it_says() -> None:
    found = paces(latency_of("sonnet"), 4_000)
    ttft = np.array([pace.ttft_s for pace in found])
    speed = 100 / np.array([pace.decode_s for pace in found])

    assert np.median(ttft) == pytest.approx(1.6 + 0.08, rel=0.05)
    assert np.median(speed) == pytest.approx(85.0, rel=0.03)
    assert 0.003 < np.mean(ttft > 5.0) < 0.03


def test_input_that_no_cache_spares_takes_longer() -> None:
    sonnet = latency_of("sonnet")
    short, long = (sonnet.pace("d", attempt=0, tokens_in=n, tokens_out=1) for n in (0, 100_000))

    assert long.ttft_s - short.ttft_s == pytest.approx(5.0)
    assert long.decode_s == short.decode_s


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"ttft_s": 2, "ttft_sd": 0, "slow_share": 0, "network_s": 1}))
    found = latency_of(str(path)).pace("d", attempt=0, tokens_in=9, tokens_out=1)

    assert found.ttft_s == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ('{"ttft": 1}', "has 'ttft'; what it may have"),
        ('{"speed": 0}', "has 0 as its speed"),
        ('{"slow_share": 2}', "has 2 as its slow_share"),
        ('{"ttft_s": NaN}', "has nan as its ttft_s"),
        ('{"ttft_s": true}', "has True as its ttft_s"),
        ("[]", "no JSON object"),
        ("{", "no JSON"),
    ],
)
def test_a_file_it_cannot_use_is_one_sentence(tmp_path: Path, given: str, says: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(given)

    with pytest.raises(UsageError, match=says):
        latency_of(str(path))


@pytest.mark.parametrize(
    ("text", "says"), [("-1", "from 0 to 3600"), ("nan", "from 0 to"), ("slow", "fast, haiku")]
)
def test_what_is_no_latency_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        latency_of(text)
