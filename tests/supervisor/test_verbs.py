"""The verbs of a run: what each returns, what it refuses, and that nothing fails in silence."""

import asyncio
import enum
from datetime import date
from typing import Any, Literal

import pyarrow as pa
import pytest
from pydantic import BaseModel
from runs import Row, echo, play

from commedia.actors.answers import Preference
from commedia.actors.errors import AgentError, ToolError, UsageError
from commedia.actors.questions import Question
from commedia.supervisor.run import Run
from commedia.supervisor.workflow import workflow


class Cause(BaseModel):
    service: str
    score: int


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


@pytest.mark.parametrize(
    ("output", "said", "expected"),
    [
        (None, "plain words", "plain words"),
        (Cause, {"service": "cart", "score": 3}, Cause(service="cart", score=3)),
        (list[str], {"value": ["a", "b"]}, ["a", "b"]),
        (int, {"value": 7}, 7),
        (Literal["red", "blue"], {"value": "red"}, "red"),
        (Size, {"value": "large"}, Size.LARGE),
        (date, {"value": "2026-11-25"}, date(2026, 11, 25)),
        ({"type": "object", "properties": {"x": {"type": "integer"}}}, {"x": 1}, {"x": 1}),
        ({"type": "array", "items": {"type": "integer"}}, {"value": [1]}, [1]),
    ],
    ids=str,
)
def test_an_answer_comes_back_as_the_type_that_was_asked_for(
    output: Any, said: Any, expected: Any
) -> None:
    async def script(run: Run) -> Any:
        return await run.work("Do it.", output=output)

    assert play(script, model=lambda row: said).value == expected


DEAD = {"type": "object", "properties": {"x": {"$ref": "#/$defs/nothing"}}}


@pytest.mark.parametrize(
    "output",
    [len, {"type": "nonsense"}, "text", DEAD],
    ids=["f", "schema", "text", "dead reference"],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_asked(output: Any) -> None:
    asked: list[Row] = []

    async def script(run: Run) -> Any:
        return await run.work("Do it.", output=output)

    result = play(script, model=lambda row: asked.append(row))

    assert (result.status, asked) == ("failed", [])
    assert "output" in str(result.why)


def test_an_answer_that_does_not_fit_is_asked_again_with_the_error() -> None:
    asked: list[str] = []

    def model(row: Row) -> Any:
        asked.append(row["prompt"])
        return {"service": "cart", "score": "many" if len(asked) < 3 else 2}

    async def script(run: Run) -> Cause:
        return await run.work("Which?", output=Cause)

    assert play(script, model=model).value.score == 2
    assert "score does not fit the schema" in asked[1]


def test_an_agent_without_an_answer_raises_or_is_none_and_is_counted_either_way() -> None:
    async def script(run: Run) -> str:
        nothing = await run.work("a", on_error="null")
        assert nothing is None
        with pytest.raises(AgentError, match=r"/work:2 has no answer: failed \(RuntimeError\)"):
            await run.work("b")
        return "went on"

    def model(row: Row) -> Any:
        raise RuntimeError

    result = play(script, model=model)

    assert (result.status, result.missing) == ("degraded", {"failed": 2})
    with pytest.warns(UserWarning, match="2 agents failed"):
        assert result.value == "went on"


def test_what_a_workflow_raises_fails_its_run_in_one_sentence() -> None:
    async def script(run: Run) -> None:
        raise KeyError("lost")

    result = play(script)

    assert result.status == "failed"
    assert str(result.why).startswith("KeyError: 'lost' (test_verbs.py:")


def test_a_workflow_that_exits_fails_its_run() -> None:
    async def script(run: Run) -> None:
        raise SystemExit(3)

    assert str(play(script).why).startswith("SystemExit: 3 (test_verbs.py:")


def test_a_verifier_that_dies_abstains() -> None:
    async def script(run: Run) -> tuple[bool, bool, bool, str]:
        verdict = await run.verify("the sky is green", "true")
        return verdict.upheld, verdict.refuted, verdict.abstained, verdict.reason

    def model(row: Row) -> Any:
        raise RuntimeError

    result = play(script, model=model)

    with pytest.warns(UserWarning):
        assert result.value == (False, False, True, "failed (RuntimeError)")


def test_a_verifier_is_told_to_refute_and_not_who_made_the_claim() -> None:
    asked: list[str] = []

    def model(row: Row) -> Any:
        asked.append(row["prompt"])
        return echo(row)

    async def script(run: Run) -> bool:
        verdict = await run.verify(Cause(service="cart", score=1), "cites a row", lens="time")
        return verdict.upheld

    assert play(script, model=model).value
    assert "Try to refute" in asked[0]
    assert '<claim>\n{"service":"cart","score":1}\n</claim>' in asked[0]
    assert "in this way above all: time" in asked[0]


def test_a_judge_says_who_has_more() -> None:
    async def script(run: Run) -> list[Preference]:
        pair = await run.judge("long text", "short", "length")
        graded = await run.judge("a", "b", "length", question=Question("graded"))
        return [pair, graded]

    def model(row: Row) -> Any:
        return {"verdict": "second" if row["task"] == "pair" else "much more first"}

    assert play(script, model=model).value == [Preference(-1), Preference(2)]


def test_a_tool_returns_what_its_function_returns() -> None:
    async def script(run: Run) -> list[Any]:
        table = await run.tool(_counted, table=pa.table({"x": [1, 2, 2]}))
        return [table.to_pydict(), await run.tool(_cause, service="cart")]

    assert play(script).value == [{"distinct": [2]}, Cause(service="cart", score=1)]


def test_a_tool_that_raises_says_where_and_what() -> None:
    async def script(run: Run) -> None:
        with pytest.raises(ToolError, match=r"the tool at /tool:1 failed: ValueError: bad"):
            await run.tool(_broken)

    assert play(script).status == "completed"


def test_a_workflow_may_run_another_but_no_deeper() -> None:
    @workflow
    async def inner(run: Run, word: str) -> str:
        return await run.work(word)

    @workflow
    async def deeper(run: Run) -> str:
        return await run.workflow(inner, word="no")

    async def script(run: Run) -> list[str]:
        first = await run.workflow(inner, word="yes")
        with pytest.raises(UsageError, match="inside a workflow"):
            await run.workflow(deeper)
        return [first]

    assert play(script, model=echo).value == ["yes"]


@pytest.mark.parametrize("model", ["sim:ideal", echo], ids=["simulated", "scripted"])
def test_bulk_verbs_answer_row_for_row(model: Any) -> None:
    async def script(run: Run) -> list[Any]:
        prompts = pa.table({"prompt": ["one", "two", "three"]})
        worked = await run.map(run.work, prompts)
        claims = pa.table({"claim": ["a", "b"]})
        verified = await run.map(run.verify, claims, rubric="it is true")
        judged = await run.map(run.judge, pa.table({"left": ["a"], "right": ["b"]}), by="size")
        return [table.column("status").to_pylist() for table in (worked, verified, judged)]

    assert play(script, model=model).value == [["ok"] * 3, ["ok"] * 2, ["ok"]]


def test_judges_in_bulk_are_told_what_to_compare_by() -> None:
    async def script(run: Run) -> None:
        with pytest.raises(UsageError, match="by="):
            await run.map(run.judge, pa.table({"left": ["a"], "right": ["b"]}))

    assert play(script, model=echo).status == "completed"


def test_map_takes_verbs_of_its_own_run_only() -> None:
    async def script(run: Run) -> None:
        with pytest.raises(TypeError, match="a verb of this run"):
            await run.map(len, pa.table({"x": [1]}))

    assert play(script).status == "completed"


def test_the_budget_says_what_is_left() -> None:
    async def script(run: Run) -> tuple[int | None, int | None]:
        before = run.budget.agents_left
        await run.work("one")
        return before, run.budget.agents_left

    assert play(script, model=echo, budget="5agents").value == (5, 4)


def test_a_spent_budget_pauses_and_keeps_what_was_answered() -> None:
    async def script(run: Run) -> list[str]:
        return [await run.work(f"{i}") for i in range(9)]

    result = play(script, model=echo, budget="4agents")

    assert (result.status, result.calls) == ("paused", 4)
    assert "is spent; what was answered is kept; resume with a higher --budget" in str(result.why)


@pytest.mark.parametrize(
    ("budget", "said"),
    [("1k", "(1000tokens)"), ("0.0001usd", "(0.0001usd)"), ("1k 5agents", "(1000tokens 5agents)")],
)
def test_a_budget_that_is_too_small_for_a_call_is_not_called_spent(budget: str, said: str) -> None:
    async def script(run: Run) -> str:
        return await run.work("hello")

    result = play(script, model="sim:haiku", budget=budget)

    assert result.status == "paused"
    assert str(result.why).startswith(f"the budget {said} does not cover the next call, which may")
    assert "4,096 tokens of answer" in str(result.why)


def test_a_stage_that_cannot_fit_the_budget_does_not_begin() -> None:
    async def script(run: Run) -> list[str | None]:
        await run.work("first")
        return await run.parallel([run.work(f"{i}") for i in range(9)])

    result = play(script, model=echo, budget="4agents")

    assert (result.status, result.calls) == ("paused", 1)
    assert "9 agents wide, the budget (4agents) leaves 3" in str(result.why)


def test_there_is_no_cap_of_1000_agents() -> None:
    async def script(run: Run) -> int:
        answers = await run.parallel([run.work(f"{i}") for i in range(3_000)])
        return len({*answers})

    result = play(script)

    assert (result.agents, result.status) == (3_000, "completed")


def test_verbs_work_under_asyncio_too() -> None:
    async def script(run: Run) -> list[str]:
        async with asyncio.timeout(60):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(run.work(word)) for word in "abc"]
        return [task.result() for task in tasks] + list(
            await asyncio.gather(run.work("d"), run.work("e"))
        )

    assert play(script, model=echo).value == list("abcde")


def test_an_agents_timeout_passes_on_the_virtual_clock() -> None:
    async def script(run: Run) -> float:
        with pytest.raises(AgentError, match="timeout"):
            await run.work("slow", timeout_s=0.001)
        return run.now()

    with pytest.warns(UserWarning):
        assert play(script, model="sim:sonnet").value == pytest.approx(0.001)


def _counted(table: pa.Table) -> pa.Table:
    return pa.table({"distinct": [len({*table.column("x").to_pylist()})]})


def _cause(service: str) -> Cause:
    return Cause(service=service, score=1)


def _broken() -> None:
    raise ValueError("bad")
