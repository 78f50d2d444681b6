"""Stop rules are pure: the facts of the rounds in, a reason or None out."""

import pytest

from commedia.patterns.stop_rules import (
    All,
    Goal,
    NoneLeft,
    NoneNew,
    Rounds,
    Spent,
    StopRule,
    Trail,
)


def trail(fresh: str, *, sightings: str = "", spent: float = 0.0, failures: int = 0) -> Trail[str]:
    counts = tuple(map(int, sightings))
    findings = tuple(f"finding {n}" for n in range(len(counts)))
    return Trail(findings, counts, tuple(map(int, fresh)), failures, spent)


@pytest.mark.parametrize(
    ("rule", "facts", "is_over"),
    [
        (NoneNew(2), trail("5100"), True),
        (NoneNew(2), trail("5010"), False),
        (NoneNew(2), trail("0"), False),
        (NoneNew(1), trail("0"), True),
        (NoneLeft(), trail("510", sightings="333222"), True),
        (NoneLeft(), trail("51", sightings="222222"), False),
        (NoneLeft(), trail("511", sightings="1113332"), False),
        (NoneLeft(coverage=0.75), trail("511", sightings="1113332"), True),
        (NoneLeft(coverage=0.90), trail("511", sightings="1113332"), False),
        (Goal(lambda found: len(found) >= 3), trail("3", sightings="111"), True),
        (Goal(lambda found: len(found) >= 4), trail("3", sightings="111"), False),
        (Spent(0.5), trail("1", spent=0.5), True),
        (Spent(0.5), trail("1", spent=0.49), False),
        (Rounds(3), trail("11", failures=1), True),
        (Rounds(3), trail("11"), False),
        (All((NoneNew(1), Rounds(2))), trail("10"), True),
        (All((NoneNew(1), Rounds(3))), trail("10"), False),
    ],
)
def test_a_rule_decides_from_the_facts(rule: StopRule, facts: Trail[str], is_over: bool) -> None:
    assert bool(rule.why(facts)) is is_over


def test_a_round_without_a_result_is_no_silence() -> None:
    """Two rounds that failed do not say that nothing is left."""
    facts = trail("5", sightings="11111", failures=2)

    assert NoneNew(2).why(facts) is None
    assert NoneLeft().why(facts) is None
