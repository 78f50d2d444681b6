"""Agents are as able as their profile says, and err together as their families do."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from commedia.actors.simulation.keyed import Floats, mix, text_key
from commedia.actors.simulation.profile import HAIKU, IDEAL, OPUS, OTHER, SONNET, AgentProfile
from commedia.actors.simulation.skill import (
    Flags,
    evidence,
    expected,
    is_right,
    level,
    mistakes,
)

MANY = 40_000
THINGS = mix(text_key("things"), np.arange(MANY, dtype=np.uint64))


def right(
    profile: AgentProfile, call: int = 0, *, difficulty: float = 0.0, context: float = 0.0
) -> Flags:
    """Return whether one call about each of many things is right."""
    return is_right(
        profile,
        7,
        call=np.full(MANY, text_key(profile.name, call)),
        thing=THINGS,
        difficulty=np.full(MANY, difficulty),
        context_tokens=np.full(MANY, context),
    )


def passes(profile: AgentProfile, number: int, chance: float = 0.3, holds: bool = True) -> Flags:
    """Return which findings each of *number* passes reports: an array (passes, findings)."""
    few = THINGS[:4_000]
    calls = [np.full(len(few), text_key(profile.name, call)) for call in range(number)]
    chances, true = np.full(len(few), chance), np.full(len(few), holds)
    found = [
        evidence(profile, 7, call=call, thing=few, detectability=chances, holds=true) > 0
        for call in calls
    ]
    return np.array(found)


def within(share: float, wanted: float, n: int = MANY) -> bool:
    return bool(abs(share - wanted) < 4 * (wanted * (1 - wanted) / n) ** 0.5)


@pytest.mark.parametrize("profile", [HAIKU, SONNET, OPUS, OTHER], ids=lambda p: p.name)
def test_accuracy_is_what_the_profile_says(profile: AgentProfile) -> None:
    assert within(right(profile).mean(), profile.acc0)


def test_harder_things_and_long_contexts_cost_accuracy() -> None:
    assert right(SONNET, difficulty=1.0).mean() < 0.7
    assert right(SONNET, difficulty=-1.0).mean() > 0.93
    assert right(SONNET, context=4_096).mean() == right(SONNET).mean()
    assert right(SONNET, context=500_000).mean() < right(SONNET).mean() - 0.05


def test_calls_err_together_by_model_more_than_by_family_more_than_across() -> None:
    first = ~right(SONNET)
    again, sibling, stranger = ~right(SONNET, 1), ~right(OPUS), ~right(OTHER)
    lift = [float(other[first].mean() / other.mean()) for other in (again, sibling, stranger)]

    assert lift[0] > lift[1] + 0.3 > lift[2] + 0.6
    assert lift[2] == pytest.approx(1.0, abs=0.1)


def test_a_family_is_wrong_in_the_same_way() -> None:
    canonical = {
        profile.name: mistakes(profile, 7, call=np.full(MANY, text_key(call)), thing=THINGS)[0]
        for call, profile in enumerate((SONNET, HAIKU, OTHER))
    }
    ours, siblings, others = canonical.values()

    assert within(ours.mean(), SONNET.agree_wrong)
    assert np.array_equal(ours, siblings)
    assert within((ours & others).mean(), SONNET.agree_wrong**2)


def test_an_ideal_agent_is_always_right() -> None:
    assert right(IDEAL, difficulty=9.0, context=1e6).all()
    assert passes(IDEAL, 1, chance=0.01).all()
    assert not passes(IDEAL, 1, chance=1.0, holds=False).any()


def test_one_pass_of_the_reference_finds_what_is_detectable_and_abler_ones_more() -> None:
    found = [passes(profile, 1).mean() for profile in (HAIKU, SONNET, OPUS)]

    assert within(found[1], 0.3, 4_000)
    assert found[0] < found[1] < found[2]
    assert not passes(OPUS, 1, chance=0.0).any() and passes(HAIKU, 1, chance=1.0).all()


def test_abler_agents_fall_for_fewer_traps() -> None:
    fell = [passes(profile, 1, holds=False).mean() for profile in (HAIKU, SONNET, OPUS)]

    assert fell[0] > fell[1] > fell[2]


def test_more_passes_find_more_and_each_adds_less() -> None:
    found = np.logical_or.accumulate(passes(SONNET, 8)).mean(axis=1)
    gains = np.diff(found)

    assert (gains > 0).all() and (np.diff(gains[[0, 2, 6]]) < 0).all()
    assert found[-1] < 1 - (1 - 0.3) ** 8 - 0.1, "what is missed once is missed again"


def test_two_families_find_more_than_two_passes_of_one() -> None:
    ours, theirs = passes(SONNET, 2), passes(OTHER, 1)

    assert (ours[0] | theirs[0]).mean() > (ours[0] | ours[1]).mean() + 0.05


@pytest.mark.parametrize("sd", [0.0, 0.5, 1.69, 3.0])
def test_levels_are_solved_from_shares(sd: float) -> None:
    shares: Floats = np.array([0.001, 0.02, 0.5, 0.85, 0.999])

    assert expected(level(shares, sd), sd) == pytest.approx(shares, abs=1e-4)
    assert level(np.array([0.0, 1.0]), sd).tolist() == [-np.inf, np.inf]


def test_the_mean_over_luck_is_an_integral() -> None:
    exact = quad(lambda x: expit(1.2 + 1.69 * x) * norm.pdf(x), -12, 12)[0]

    assert expected(np.array([1.2]), 1.69)[0] == pytest.approx(exact, abs=1e-6)


def test_without_shared_luck_calls_are_independent() -> None:
    profile = replace(SONNET, sd_family=0.0, sd_model=0.0)
    first, again = ~right(profile), ~right(profile, 1)

    assert within((first & again).mean(), 0.15**2)
