"""Verifiers are right as often as their profile says, and are fooled by what fooled their kin."""

from dataclasses import replace

import numpy as np
import pytest

from commedia.actors.simulation.keyed import mix, text_key
from commedia.actors.simulation.profile import HAIKU, IDEAL, OPUS, OTHER, SONNET, AgentProfile
from commedia.actors.simulation.skill import Flags, is_right
from commedia.actors.simulation.verification import (
    SELF,
    SIBLING,
    STRANGER,
    holds_by_chance,
    upholds,
)

MANY = 40_000
THINGS = mix(text_key("things"), np.arange(MANY, dtype=np.uint64))
CLAIMS = mix(text_key("claims"), THINGS)
NOUGHT = np.zeros(MANY)


def upheld(
    profile: AgentProfile, is_true: bool, *, author: int = STRANGER, call: int = 0, b: float = 0.0
) -> Flags:
    return upholds(
        profile,
        7,
        call=np.full(MANY, text_key(profile.name, "verify", call)),
        thing=THINGS,
        claim=CLAIMS,
        difficulty=np.full(MANY, b),
        is_true=np.full(MANY, is_true),
        author=np.full(MANY, author),
    )


def erred(profile: AgentProfile) -> Flags:
    """Return which things a worker of *profile* gets wrong."""
    call = np.full(MANY, text_key(profile.name, "work"))
    return ~is_right(profile, 7, call=call, thing=THINGS, difficulty=NOUGHT, context_tokens=NOUGHT)


def within(share: float, wanted: float, n: float = MANY) -> bool:
    return bool(abs(share - wanted) < 4 * (wanted * (1 - wanted) / n) ** 0.5)


@pytest.mark.parametrize("profile", [HAIKU, SONNET, OPUS, OTHER], ids=lambda p: p.name)
def test_right_and_wrong_claims_are_told_apart_as_the_profile_says(profile: AgentProfile) -> None:
    assert within(upheld(profile, True).mean(), profile.tpr)
    assert within(upheld(profile, False).mean(), 1 - profile.tnr)


def test_claims_about_harder_things_are_upheld_less() -> None:
    assert upheld(SONNET, True, b=1.0).mean() < SONNET.tpr - 0.05


def test_who_erred_like_the_verifier_is_caught_less() -> None:
    """Its own model's errors pass most, its family's more than another's: by the ratios."""
    own, sibling, stranger = erred(SONNET), erred(OPUS), erred(OTHER)
    passed = [
        upheld(SONNET, False, author=author)[wrong].mean()
        for wrong, author in ((own, SELF), (sibling, SIBLING), (stranger, STRANGER))
    ]
    base = 1 - SONNET.tnr

    assert within(passed[0], SONNET.own_ratio * base, own.sum())
    assert within(passed[1], SONNET.family_ratio * base, sibling.sum())
    assert within(passed[2], base, stranger.sum())


def test_what_fooled_the_author_fools_its_kin_without_any_shift() -> None:
    profile = replace(SONNET, shared=0.5)
    ours, theirs = erred(SONNET), erred(OTHER)
    passed = upheld(profile, False)

    assert passed[ours].mean() > passed[theirs].mean() + 0.04


def test_votes_of_one_family_agree() -> None:
    first, again = upheld(SONNET, False), upheld(SONNET, False, call=1)
    sibling, other = upheld(OPUS, False), upheld(OTHER, False)
    together = [np.corrcoef(first, votes)[0, 1] for votes in (again, sibling, other)]

    assert together[0] > together[1] + 0.1 > together[2] + 0.2
    assert abs(together[2]) < 4 / MANY**0.5


def test_an_ideal_verifier_is_always_right() -> None:
    for author in (STRANGER, SIBLING, SELF):
        assert upheld(IDEAL, True, author=author, b=5.0).all()
        assert not upheld(IDEAL, False, author=author).any()


def test_half_of_what_no_world_knows_is_true() -> None:
    assert within(holds_by_chance(CLAIMS).mean(), 0.5)
