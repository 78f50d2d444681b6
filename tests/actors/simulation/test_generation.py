"""Ideas repeat as in a Chinese restaurant, claims are made up at a rate, long lists lose items."""

from dataclasses import replace

import numpy as np
import pytest

from commedia.actors.simulation.generation import (
    MADE_UP,
    fresh_ideas,
    ideas,
    is_kept,
    made_up,
    measure,
)
from commedia.actors.simulation.keyed import Floats, Ints, mix, text_key
from commedia.actors.simulation.profile import IDEAL, OPUS, OTHER, SONNET, AgentProfile

POOL = mix(text_key("pool"), np.arange(2_500, dtype=np.uint64))
EVEN = np.ones(len(POOL))


def had(profile: AgentProfile, seed: int, count: int, *, variant: str = "", calls: int = 1) -> Ints:
    """Return *count* ideas in as many *calls*."""
    chances = measure(profile, seed, pool=POOL, weights=EVEN, variant=variant)
    key = mix(text_key("calls", seed, profile.name, variant), np.arange(calls, dtype=np.uint64))
    return ideas(chances, call=key, count=np.full(calls, count // calls))


def test_different_ideas_are_as_many_as_in_a_chinese_restaurant() -> None:
    """The numbers of the literature for alpha = 44, whether one call has them or many."""
    for count, different in ((20, 17), (50, 34), (200, 76)):
        for calls in (1, 10):
            found = [len(set(had(SONNET, seed, count, calls=calls))) for seed in range(12)]
            wanted = sum(44 / (44 + n) for n in range(count))

            assert wanted == pytest.approx(different, abs=1.0)
            assert np.mean(found) == pytest.approx(
                wanted, abs=float(3 * np.std(found) / 12**0.5 + 1)
            )


def test_prompts_of_a_family_overlap_in_part() -> None:
    def common(left: Ints, right: Ints) -> float:
        return float(np.isin(left, right).mean())

    def mean_common(profile: AgentProfile, variant: str, overlap: float) -> float:
        pairs = [
            (
                had(replace(SONNET, overlap=overlap), seed, 200),
                had(replace(profile, overlap=overlap), seed, 200, variant=variant),
            )
            for seed in range(6)
        ]
        return float(np.mean([common(left, right) for left, right in pairs]))

    same, half = mean_common(SONNET, "other", 1.0), mean_common(SONNET, "other", 0.5)
    none, stranger = mean_common(SONNET, "other", 0.0), mean_common(OTHER, "", 1.0)

    assert same > half + 0.2 > none + 0.4
    assert none < 0.1 and stranger < 0.1
    assert mean_common(OPUS, "", 0.5) > none + 0.2


def test_an_idea_with_more_weight_is_had_more() -> None:
    weights: Floats = np.where(np.arange(100) < 10, 9.0, 1.0)
    shares = [
        measure(SONNET, seed, pool=POOL[:100], weights=weights, variant="")[9] for seed in range(60)
    ]

    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


def test_a_concentration_near_nothing_has_one_idea() -> None:
    chances = measure(replace(SONNET, alpha=1e-9), 1, pool=POOL, weights=EVEN, variant="")

    assert len(set(ideas(chances, call=POOL[:9], count=np.ones(9, np.int64)))) == 1


def test_an_ideal_agent_has_no_idea_twice() -> None:
    three = np.arange(3)
    found = fresh_ideas(1, pool=POOL[:60], variant="", repeat=three, count=np.full(3, 20))

    assert sorted(found) == list(range(60))


def test_claims_are_made_up_at_their_rate() -> None:
    many = mix(text_key("things"), np.arange(40_000, dtype=np.uint64))
    found = [text for text in made_up(SONNET, call=many, thing=many) if text]

    assert len(found) == pytest.approx(0.013 * 40_000, abs=4 * (0.013 * 40_000) ** 0.5)
    assert len(set(found)) == len(found)
    assert all(text.startswith(MADE_UP) for text in found)
    assert not any(made_up(IDEAL, call=many, thing=many))


@pytest.mark.parametrize(("among", "kept"), [(100, 0.9997), (2_500, 0.5), (10_000, 1 / 33)])
def test_the_longer_the_list_the_more_is_left_out(among: int, kept: float) -> None:
    many = mix(text_key("things"), np.arange(40_000, dtype=np.uint64))
    sizes = np.full(len(many), float(among))

    assert is_kept(SONNET, call=many, thing=many, among=sizes).mean() == pytest.approx(
        kept, abs=4 * (kept * (1 - kept) / len(many)) ** 0.5 + 1e-4
    )
    assert is_kept(IDEAL, call=many, thing=many, among=sizes).all()
