"""More ideas than are needed, from agents that differ; then what is left of them is the best."""

from typing import Any

import pytest
from pydantic import BaseModel
from runs import Row, play

from commedia.actors.simulation.world import Thing, World
from commedia.patterns.generate_and_filter import WAYS, distinct, generate, keep_best
from commedia.supervisor.results import Failure, Results
from commedia.supervisor.run import Run

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


class Name(BaseModel):
    title: str


def test_agents_go_about_it_in_different_ways_and_one_that_fails_is_listed() -> None:
    prompts = []

    def model(row: Row) -> Any:
        prompts.append(row["prompt"])
        if WAYS[1] in row["prompt"]:
            raise ValueError("no idea")
        return {"value": [{"title": str(len(row["prompt"]))}] * 2}

    async def script(run: Run) -> Results[Name]:
        return await generate(run, "Name it.", agents=3, count=2, output=Name)

    result = play(script, model=model)

    assert len(result.value) == 4
    assert [failure.place for failure in result.value.failed] == [1]
    assert all(
        any(way in prompt and "2 different" in prompt for prompt in prompts) for way in WAYS[:3]
    )


def plans(count: int = 300) -> World:
    """Plans of which two thirds work; the higher their number, the more useful they are."""
    return World(
        Thing(f"plan {n}", pool="plans", holds=n % 3 > 0, utility=n / 20) for n in range(count)
    )


def test_variants_bring_more_ideas_than_repetition() -> None:
    """Simulated: what all prompts of a family have in common is half of their ideas."""

    async def script(run: Run) -> tuple[int, int]:
        found = [
            distinct(await generate(run, "Plan.", agents=12, ways=ways, about="plans", count=10))
            for ways in (WAYS, WAYS[:1])
        ]
        return len(found[0]), len(found[1])

    varied, repeated = play(script, model="sim:sonnet", world=plans()).value

    assert varied > 1.1 * repeated


def test_the_best_are_distinct_upheld_and_in_order() -> None:
    world = plans()

    async def script(run: Run) -> tuple[Results[str], Results[str]]:
        ideas = await generate(run, "Plan.", agents=6, count=10, about="plans")
        return ideas, await keep_best(run, ideas, "It works.", top=5, by="useful")

    ideas, best = play(script, world=world).value

    assert len(best) == len(set(best)) == 5
    assert all(world.find(idea).is_true for idea in best)  # type: ignore[union-attr]
    useful = sorted((n for n in range(300) if f"plan {n}" in ideas and n % 3), reverse=True)
    assert len({f"plan {n}" for n in useful[:8]} & set(best)) >= 3
    assert [ideas[place] for place in best.places] == list(best)


def test_duplicates_are_removed_before_anything_is_asked() -> None:
    asked = []

    def model(row: Row) -> Any:
        asked.append(row["role"])
        return {"verdict": "upheld", "reason": "", "evidence": []}

    async def script(run: Run) -> Results[str]:
        ideas = Results(["Use a queue.", "use a  queue", "Use 2 queues."], [Failure(1, "lost")])
        return await keep_best(run, ideas, "It works.")

    best = play(script, model=model).value

    assert list(best) == ["Use a queue.", "Use 2 queues."]
    assert best.places == (0, 2)
    assert [failure.why for failure in best.failed] == ["lost"]
    assert asked == ["verifier"] * 2


def test_what_nobody_could_judge_is_listed() -> None:
    def model(row: Row) -> Any:
        if "bad" in row["prompt"]:
            raise ValueError("no verdict")
        return {"verdict": "upheld", "reason": "", "evidence": []}

    async def script(run: Run) -> Results[str]:
        return await keep_best(run, ["good", "bad"], "It works.")

    best = play(script, model=model).value

    assert (list(best), [failure.place for failure in best.failed]) == (["good"], [1])


def test_ideas_can_be_put_in_order_without_being_verified() -> None:
    async def script(run: Run) -> Results[str]:
        ideas = [f"plan {n}" for n in range(1, 300, 3)]
        return await keep_best(run, ideas, "It works.", top=10, by="useful", votes=0)

    result = play(script, world=plans())

    assert len({f"plan {n}" for n in range(240, 300)} & set(result.value)) >= 8
    assert not result.value.failed


@pytest.mark.parametrize("output", [Name, {"type": "object", "$defs": {}, "properties": {}}])
def test_ideas_have_the_type_that_was_asked_for(output: Any) -> None:
    async def script(run: Run) -> Results[Any]:
        return await generate(run, "Name it.", agents=1, output=output)

    [idea] = play(script, model=lambda row: {"value": [{"title": "a"}]}).value

    assert idea == (Name(title="a") if output is Name else {"title": "a"})
