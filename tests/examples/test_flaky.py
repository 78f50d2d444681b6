"""A test is really run: so the planted cause is found, and so wrong theories are ruled out."""

from pathlib import Path
from typing import Any

import pytest
from runs import Row, play
from shown import held

FLAKY, WORLD = held("flaky.py", "flaky"), held("flaky.py", "WORLD")
CAUSE, KNOBS, PROMPT = (held("flaky.py", name) for name in ("CAUSE", "KNOBS", "PROMPT"))
TEST = FLAKY.parameters[0].default
RUNS = 4
"""Few, because each is a process."""

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


def theory(knob: str, because: str = "so it seems") -> dict[str, str]:
    return {"knob": knob, "because": because}


@pytest.mark.parametrize("seed", [1, 5])
def test_the_planted_cause_holds_and_nothing_else(seed: int) -> None:
    result = play(FLAKY, TEST, RUNS, model="sim:sonnet", world=WORLD, seed=seed)
    found = result.value

    assert found.cause.knob == CAUSE
    assert WORLD.find(found.cause.because).holds
    assert [trial.theory.knob for trial in found.trials if trial.holds] == [CAUSE]
    assert (result.status, found.ended) == ("completed", "the goal is reached")


def test_theories_are_tried_in_turn_and_no_knob_is_turned_twice() -> None:
    """Every wrong theory is tried first, by a model that also repeats itself in other words."""
    asked: list[str] = []
    thoughts = [
        [theory("TZ"), theory("TEST_ORDER")],
        [theory("TZ", "it is the zone"), theory("RANDOM_SEED")],
        [theory(CAUSE), theory("TEST_ORDER", "it is the order")],
    ]

    def model(row: Row) -> Any:
        asked.append(row["prompt"])
        return {"value": thoughts[len(asked) - 1]}

    found = play(FLAKY, TEST, RUNS, model=model).value

    assert [t.theory.knob for t in found.trials] == ["TZ", "TEST_ORDER", "RANDOM_SEED", CAUSE]
    assert [trial.holds for trial in found.trials] == [False, False, False, True]
    assert all(t.turned in (0, RUNS) and t.held is None for t in found.trials[:3])
    assert 0 < found.trials[3].turned < RUNS
    assert found.trials[3].held in (0, RUNS)
    assert "it was not them: none yet" in asked[0]
    assert "it was not them: TZ, TEST_ORDER, RANDOM_SEED" in asked[2]
    assert all("join(set(tags))" in prompt for prompt in asked)


def test_without_a_theory_that_holds_there_is_no_cause() -> None:
    def model(row: Row) -> Any:
        return {"value": [theory("TZ")]}

    found = play(FLAKY, TEST, RUNS, 2, model=model).value

    assert (found.cause, len(found.trials), found.ended) == (None, 1, "2 rounds are done")


def test_nobody_is_asked_about_a_test_that_does_not_flake(tmp_path: Path) -> None:
    steady = tmp_path / "test_steady.py"
    steady.write_text("def test_one() -> None:\n    assert True\n")

    result = play(FLAKY, steady, 2)

    assert (result.value.cause, result.agents) == (None, 0)
    assert result.value.ended == "0 of 2 runs failed: not flaky"


def test_a_model_that_has_no_answer_ends_it_and_is_told() -> None:
    def model(row: Row) -> Any:
        raise TimeoutError

    result = play(FLAKY, TEST, RUNS, model=model)

    assert (result.status, result.missing) == ("degraded", {"failed": 3})
    assert result.value.ended == "3 rounds in a row failed"


def test_the_prompt_says_what_each_knob_is() -> None:
    assert all(f"- {knob}: " in PROMPT for knob in KNOBS)
