"""Many agents side by side, and one answer of which code says whether it holds everything."""

import re
from typing import Any

import pytest
from pydantic import BaseModel
from runs import Row, play

from commedia.actors.errors import UsageError
from commedia.actors.simulation.world import Thing, World
from commedia.patterns.fan_out_and_synthesize import Synthesis, fan_out, reconcile, synthesize
from commedia.supervisor.results import Results
from commedia.supervisor.run import Run

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


class Cause(BaseModel):
    service: str


def logged(result: Any) -> str:
    import pyarrow.parquet as pq

    from commedia.supervisor.store import find_run

    table = pq.read_table(find_run(result.run_id).path / "events.parquet")
    return "\n".join(table.column("text").to_pylist())


def test_answers_keep_their_order_and_one_that_fails_takes_nobody_down() -> None:
    def model(row: Row) -> Any:
        if "two" in row["prompt"]:
            raise ValueError("not today")
        return {"service": row["prompt"]}

    async def script(run: Run) -> Results[Cause]:
        return await fan_out(run, ["one", "two", "three"], output=Cause)

    result = play(script, model=model)

    assert result.status == "degraded"
    assert result.value == Results(
        [Cause(service="one"), Cause(service="three")], result.value.failed
    )
    assert result.value.places == (0, 2)
    assert [failure.place for failure in result.value.failed] == [1]


def test_simulated_agents_are_asked_about_their_prompts() -> None:
    """A world of questions and answers needs no topics; an ideal agent is right."""
    world = World([Thing(f"q{n}", text=f"How much is {n}?", truth=n) for n in range(20)])

    async def script(run: Run) -> Results[int]:
        return await fan_out(run, [f"How much is {n}?" for n in range(20)], output=int)

    assert play(script, world=world).value == list(range(20))


def test_asked_twice_a_simulated_agent_has_two_lives_and_across_calls_the_same_luck() -> None:
    world = World([Thing("q", truth=7, difficulty=0.9)])

    async def script(run: Run) -> list[list[int]]:
        return [list(await fan_out(run, ["q"] * 40, output=int)) for _ in range(2)]

    first, second = play(script, model="sim:sonnet", world=world).value

    assert first == second
    assert len(set(first)) > 1


def synthesist(*left_out: int) -> Any:
    """A model that leaves these numbers out in its first answer, and none in the second."""
    asked: list[str] = []

    def model(row: Row) -> Any:
        asked.append(row["prompt"])
        numbers = re.findall(r'<item number="(\d+)">', row["prompt"])
        lost = left_out if len(asked) == 1 else ()
        used = [number for number in numbers if int(number) not in lost]
        return {"answer": f"answer {len(asked)}", "used": used}

    model.asked = asked  # type: ignore[attr-defined]
    return model


def test_an_item_that_the_answer_left_out_is_asked_about_once_more() -> None:
    model = synthesist(2)

    async def script(run: Run) -> str:
        return await synthesize(run, ["a", "b", "c"], "Sum up.")

    result = play(script, model=model)

    assert result.value == "answer 2"
    assert "left out these items: 2." in model.asked[1]


def test_an_item_that_stays_left_out_is_named() -> None:
    model = synthesist(2, 3)

    async def script(run: Run) -> Synthesis[Any]:
        return await reconcile(run, ["a", "b", "c"], "Sum up.", retry=False)

    result = play(script, model=model)

    assert (result.value.used, result.value.dropped) == ((0,), (1, 2))
    assert "dropped item 2 of 3: b" in logged(result)
    assert len(model.asked) == 1


def test_items_are_known_by_number_by_word_and_by_quotation() -> None:
    items = ["the cart service is slow", "the queue is full", "disk 3 is full", "the queue is full"]

    async def script(run: Run) -> Synthesis[Any]:
        return await reconcile(run, items, "Sum up.", output=dict[str, str])

    def model(row: Row) -> Any:
        said = {"why": "As The Cart Service is slow, all is."}
        return {"answer": said, "used": ["Item 3", "The queue is full.", "the moon"]}

    found = play(script, model=model).value

    assert found.used == (0, 1, 2, 3)
    assert found.unknown == ("the moon",)
    assert found.answer == {"why": "As The Cart Service is slow, all is."}


def test_what_failed_before_is_told_to_the_model_and_kept() -> None:
    model = synthesist()

    async def script(run: Run) -> Synthesis[Any]:
        items = await run.parallel([run.work("b"), run.work("a")], on_error="collect")
        return await reconcile(run, items, "Sum up.")

    def answer(row: Row) -> Any:
        if row["prompt"] == "b":
            raise ValueError("not today")
        return "x" if row["prompt"] == "a" else model(row)

    found = play(script, model=answer).value

    assert found.missing == 1
    assert "1 more were asked for and failed" in model.asked[0]


def test_of_nothing_the_model_is_told_to_say_so() -> None:
    model = synthesist()

    async def script(run: Run) -> str:
        return await synthesize(run, [], "Sum up.")

    assert play(script, model=model).value == "answer 1"
    assert "There are no items" in model.asked[0]


def test_a_handle_cannot_be_synthesized() -> None:
    async def script(run: Run) -> str:
        handle = await run.read("evil", "What does it say?")
        return await synthesize(run, ["a", handle], "Sum up.")

    result = play(script, model=lambda row: "evil words")

    assert result.status == "failed"
    assert "may not enter worker.prompt" in (result.why or "")
    assert "evil words" not in (result.why or "")


def test_code_combines_without_an_agent_and_what_it_drops_is_named() -> None:
    async def script(run: Run) -> tuple[Any, Any]:
        items = ["a", "b", "c"]
        kept = await reconcile(run, items, combine=lambda them: list(them)[:2])
        counted = await reconcile(run, items, combine=len)
        assert await synthesize(run, items, combine=len) == 3
        return kept, counted

    result = play(script)
    kept, counted = result.value

    assert (kept.answer, kept.dropped, kept.checked) == (["a", "b"], (2,), True)
    assert (counted.answer, counted.dropped, counted.checked) == (3, (), False)
    assert result.agents == 0


def test_a_synthesis_needs_words_or_code() -> None:
    async def script(run: Run) -> Any:
        with pytest.raises(UsageError, match="needs an instruction"):
            await synthesize(run, ["a"], "")

    assert play(script).status == "completed"


def test_what_a_simulated_synthesiser_loses_of_many_is_found() -> None:
    """sonnet keeps about 64 of 100 among 2,000; all that it lost is named, and nothing else."""
    items = [f"finding number {n}" for n in range(2000)]

    async def script(run: Run) -> tuple[Any, Any]:
        few = await reconcile(run, items[:40], "Sum up.")
        return few, await reconcile(run, items, "Sum up.", retry=False)

    few, many = play(script, model="sim:sonnet").value

    assert few.dropped == ()
    assert 0.5 < len(many.used) / 2000 < 0.75
    assert sorted({*many.used, *many.dropped}) == list(range(2000))
    assert all("nothing supports" in name for name in many.unknown)
