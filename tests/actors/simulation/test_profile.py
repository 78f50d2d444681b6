"""A profile says what each of its numbers is worth, and that it is simulated."""

import pickle
from dataclasses import fields, replace

import pytest

from commedia.actors.messages import ModelSpec
from commedia.actors.models.prices import price_of
from commedia.actors.simulation.profile import (
    GRADES,
    HAIKU,
    IDEAL,
    OPUS,
    OTHER,
    SONNET,
    AgentProfile,
    profile_of,
)

TIERS = [HAIKU, SONNET, OPUS, OTHER]


def test_every_number_has_a_grade_and_a_source() -> None:
    numbers = [f.name for f in fields(AgentProfile) if isinstance(f.default, float)]
    rows = SONNET.provenance()

    assert [row.name for row in rows] == numbers == list(GRADES)
    assert {row.grade for row in rows} <= set("MPSDG")
    assert all(row.source for row in rows)
    assert [row.name for row in rows if not row.is_weak] == [
        "agree_wrong",
        "refusal",
        "ttft_sd",
        "speed_sd",
    ]


def test_tiers_are_one_family_and_another_is_not() -> None:
    assert {p.family for p in (HAIKU, SONNET, OPUS)} == {"claude"}
    assert OTHER.family != "claude"
    assert HAIKU.acc0 < SONNET.acc0 < OPUS.acc0


@pytest.mark.parametrize("profile", [*TIERS, IDEAL], ids=lambda p: p.name)
def test_a_profile_is_found_by_its_name_and_has_a_price(profile: AgentProfile) -> None:
    assert profile_of(profile.name) is profile
    assert price_of(profile.priced_as) is not None


def test_no_other_name_is_a_profile() -> None:
    assert profile_of("claude-opus-5-5") is None


def test_a_profile_cannot_hide_that_it_is_simulated() -> None:
    with pytest.raises(ValueError, match="says so in its name"):
        replace(SONNET, name="claude-opus-5-5")


def test_a_profile_travels_with_its_model() -> None:
    spec = ModelSpec(name="sim:ideal", agents=replace(IDEAL, acc0=0.5))

    assert pickle.loads(pickle.dumps(spec)) == spec
