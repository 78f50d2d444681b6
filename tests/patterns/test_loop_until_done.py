"""A loop stops by its rules, knows what it has seen, and says what seems left."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from runs import play

from commedia.actors.simulation.world import Thing, World
from commedia.patterns.adversarial_verification import verify_adversarially
from commedia.patterns.loop_until_done import Found, Round, Step, loop_until
from commedia.patterns.stop_rules import Goal, NoneLeft, NoneNew, Rounds, Spent
from commedia.supervisor.results import Failure, Results
from commedia.supervisor.run import Run

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


def rounds(*reports: str | Exception) -> Step[str]:
    """A step that reports these letters, a text a round, and from then on nothing."""

    async def step(now: Round[str]) -> Iterable[str]:
        report = reports[now.number - 1] if now.number <= len(reports) else ""
        if isinstance(report, Exception):
            raise report
        return list(report)

    return step


def looped(step: Step[str], **options: Any) -> Any:
    async def script(run: Run) -> Found[str]:
        return await loop_until(run, step, **options)

    return play(script)


@pytest.mark.parametrize(
    ("until", "expected", "why"),
    [
        (NoneNew(2), 5, "nothing new in 2 rounds"),
        (NoneNew(1), 2, "nothing new in 1 rounds"),
        (Rounds(3), 3, "3 rounds are done"),
        (Goal(lambda found: "c" in found), 3, "the goal is reached"),
        (NoneLeft(least=2), 2, "0.0 findings seem left"),
        (NoneLeft(), 3, "0.0 findings seem left"),
        (Spent(0.5), 7, "7 rounds are done"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_loop_stops_by_its_rule(until: Any, expected: int, why: str) -> None:
    found = looped(rounds("ab", "ab", "abc", "c"), until=[until], most=7).value

    assert (found.rounds, found.stopped) == (expected, why)


def test_a_loop_stops_when_its_share_of_the_budget_is_spent() -> None:
    async def script(run: Run) -> Found[str]:
        async def step(now: Round[str]) -> list[str]:
            return [await run.work(f"Find {now.number}.")]

        return await loop_until(run, step, until=[Spent(0.5)])

    found = play(script, model=lambda row: row["prompt"], budget="12agents").value

    assert (found.rounds, found.stopped) == (6, "50% of the budget is spent")


def test_what_was_seen_is_never_new_again_and_comes_once() -> None:
    told = []

    async def step(now: Round[str]) -> list[str]:
        told.append(now.seen)
        return ["The disk is full.", "the disk  is full", f"number {now.number}"]

    found = looped(step, until=[Rounds(3)]).value

    assert list(found) == ["The disk is full.", "number 1", "number 2", "number 3"]
    assert told == [(), tuple(found[:2]), tuple(found[:3])]
    assert found.trail.fresh == (2, 1, 1)
    assert found.trail.sightings == (3, 1, 1, 1)


def test_what_was_refused_once_is_not_asked_about_again() -> None:
    asked: list[Sequence[str]] = []

    async def confirm(new: Sequence[str]) -> Sequence[str]:
        asked.append(list(new))
        return [item for item in new if item != "b"]

    found = looped(rounds("ab", "abc", "bc", "b"), until=[NoneNew(2)], confirm=confirm).value

    assert asked == [["a", "b"], ["c"]]
    assert (list(found), found.seen, found.rounds) == (["a", "c"], 3, 4)


def test_what_nobody_could_decide_is_asked_about_again_and_listed_in_the_end() -> None:
    asked: list[Sequence[str]] = []

    async def confirm(new: Sequence[str]) -> Results[str]:
        asked.append(list(new))
        decided = [item for item in new if item == "a" or len(asked) > 2]
        return Results(decided, [Failure(new.index(i), "undecided") for i in {*new} - {*decided}])

    step = rounds("ab", "ab", "ab")
    at_last = looped(step, until=[Rounds(3)], confirm=confirm).value
    asked.clear()
    never = looped(step, until=[Rounds(2)], confirm=confirm).value

    assert list(at_last) == ["a", "b"]
    assert not at_last.failed
    assert asked == [["a", "b"], ["b"]]
    assert (list(never), [f.why for f in never.failed]) == (["a"], ["b: undecided"])


def test_a_round_that_fails_is_listed_and_says_nothing_of_what_is_left() -> None:
    step = rounds("a", ValueError("no"), "", ValueError("no"), "b")
    result = looped(step, until=[NoneNew(2)])

    assert (list(result.value), result.value.rounds) == (["a", "b"], 7)
    assert [failure.place for failure in result.value.failed] == [2, 4]
    assert result.status == "degraded"


def test_three_failed_rounds_in_a_row_end_the_loop() -> None:
    errors = [ValueError("no")] * 3
    found = looped(rounds("a", *errors), until=[NoneNew(2)]).value

    assert (list(found), found.rounds) == (["a"], 4)
    assert found.stopped == "3 rounds in a row failed"


def test_a_step_all_of_whose_agents_failed_is_a_failed_round() -> None:
    async def step(now: Round[str]) -> Results[str]:
        return Results(["a"]) if now.number == 1 else Results([], [Failure(0, "lost")])

    found = looped(step, until=[NoneNew(2)]).value

    assert [failure.place for failure in found.failed] == [2, 3, 4]


def test_rounds_take_turns() -> None:
    turns = [(Round[str](n).variant, Round[str](n).turn("xyz")) for n in (1, 2, 3, 4)]

    assert turns == [("round-1", "x"), ("round-2", "y"), ("round-3", "z"), ("round-4", "x")]


def test_a_loop_without_a_round_is_refused() -> None:
    result = looped(rounds("a"), most=0)

    assert result.status == "failed"
    assert str(result.why).startswith("a loop of 0 rounds does nothing (")


def hidden(traps: int = 0) -> World:
    """20 bugs of mixed detectability, and things that only look like bugs."""
    chances = [0.9] * 5 + [0.6] * 5 + [0.35] * 5 + [0.15] * 5
    bugs = [Thing(f"bug {n}", pool="bugs", detectability=p) for n, p in enumerate(chances)]
    return World([*bugs, *(Thing(f"trap {n}", pool="bugs", holds=False) for n in range(traps))])


def test_a_simulated_hunt_finds_most_and_says_what_it_missed() -> None:
    models = ("sim:sonnet", "sim:other", "sim:opus")

    async def script(run: Run) -> Found[str]:
        async def step(now: Round[str]) -> list[str]:
            return await run.work(
                "Find bugs.",
                output=list[str],
                task="find",
                about="bugs",
                repeat=0,
                variant=now.variant,
                model=now.turn(models),
            )

        async def confirm(new: Sequence[str]) -> Results[str]:
            return await verify_adversarially(run, new, "It is a bug.", models=models[1:])

        return await loop_until(run, step, confirm=confirm)

    found = play(script, model="sim:sonnet", world=hidden(traps=8), seed=3).value
    true = [name for name in found if name.startswith("bug")]

    assert len(true) >= 10
    assert len(true) > 0.75 * len(found)
    assert found.seen > len(found)
    assert found.left.low <= found.left.unseen <= found.left.high
