"""A halted run ends, whatever its workflow makes of that, and says what it kept to."""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from runs import Row, echo, play

from commedia.supervisor.control import give_order
from commedia.supervisor.run import Run
from commedia.supervisor.store import find_run

MODELS = pytest.mark.parametrize("model", [echo, "sim:ideal"], ids=["scripted", "simulated"])


@MODELS
@pytest.mark.parametrize("verb", ["work", "parallel", "tool", "sleep", "ask"])
def test_a_workflow_that_clears_up_with_a_verb_is_paused_all_the_same(
    model: Any, verb: str
) -> None:
    """What its `finally` asks for is not begun: nothing that is spent can be spent there."""
    left = list[str]()

    def called() -> None:
        left.append("a tool was called")

    async def script(run: Run) -> str:
        last: dict[str, Callable[[], Awaitable[object]]] = {
            "work": lambda: run.work("clear up"),
            "parallel": lambda: run.parallel([lambda: run.work("clear up")]),
            "tool": lambda: run.tool(called),
            "sleep": lambda: run.sleep(0.001),
            "ask": lambda: run.ask("All clear?"),
        }
        try:
            await run.work("first")
            return await run.work("second")
        finally:
            left.append(verb)
            await last[verb]()

    result = play(script, model=model, budget="1agents")

    assert (result.status, result.calls, left) == ("paused", 1, [verb])
    assert "is spent" in str(result.why)


def test_a_workflow_that_is_stopped_while_it_clears_up_is_interrupted() -> None:
    def model(row: Row) -> str:
        give_order(find_run("last").path, {"stop": True})
        return "first"

    async def script(run: Run) -> str:
        try:
            await run.work("first")
            while True:  # until the order comes
                await run.sleep(0.01)
        finally:
            await run.work("clear up")

    result = play(script, model=model)

    assert (result.status, result.calls) == ("interrupted", 1)


@MODELS
def test_a_workflow_that_will_not_be_taken_back_is_paused_all_the_same(model: Any) -> None:
    """It swallows what ends it, and goes on asking; no answer follows, and its value is none."""

    async def script(run: Run) -> str:
        for number in range(20):
            try:
                await run.work(f"part {number}")
            except asyncio.CancelledError:
                continue
        return "done"

    result = play(script, model=model, budget="2agents")

    assert (result.status, result.calls) == ("paused", 2)


def test_a_workflow_that_never_listens_is_left_to_itself() -> None:
    """After some patience, which takes no time on the virtual clock."""
    released = threading.Event()

    async def script(run: Run) -> None:
        while not released.is_set():
            try:
                await run.work("go on")
                await run.sleep(1e6)
            except asyncio.CancelledError:
                await asyncio.sleep(0)

    result = play(script, budget="1agents")
    released.set()

    assert result.status == "paused"


@pytest.mark.parametrize("wide", [False, True], ids=["in turn", "side by side"])
@pytest.mark.parametrize("budget", ["4agents", "2000tokens"])
def test_a_simulated_run_keeps_to_its_caps_and_says_so(budget: str, wide: bool) -> None:
    """As one that costs money does: what is rehearsed is what will happen."""

    async def script(run: Run) -> Any:
        asked = [
            lambda n=n: run.work(f"part {n}", max_tokens=200) for n in range(4 if wide else 40)
        ]
        for _ in range(10):
            if wide:
                await run.parallel(asked)
            else:
                await asked.pop()()

    result = play(script, model="sim:sonnet", budget=budget)

    assert result.status == "paused"
    assert 0 < result.calls <= 4 if "agents" in budget else 0 < result.tokens <= 2_000
    assert budget.removesuffix("tokens") in str(result.why).replace(",", "")


@MODELS
def test_a_workflow_that_awaits_what_it_cancelled_fails_in_one_sentence(model: Any) -> None:
    async def script(run: Run) -> list[str]:
        tasks = [asyncio.create_task(run.work(f"part {n}")) for n in range(3)]
        tasks[0].cancel()
        return await asyncio.gather(*tasks)

    result = play(script, model=model)

    assert (result.status, result.why) == (
        "failed",
        "CancelledError: the workflow awaited what it had cancelled",
    )


@pytest.mark.parametrize("first", ["cancelled", "raises"])
def test_a_branch_that_is_cancelled_before_it_begins_takes_nobody_down(first: str) -> None:
    def cancelled() -> Awaitable[str]:
        raise asyncio.CancelledError

    async def script(run: Run) -> Any:
        on_error: Any = "raise" if first == "raises" else "null"
        return await run.parallel([lambda: run.work("kept"), cancelled], on_error=on_error)

    result = play(script, model=echo)

    if first == "raises":
        assert (result.status, "branch 1 was cancelled" in str(result.why)) == ("failed", True)
    else:
        assert result.value == ["kept", None]


def leaves() -> None:
    """End the process, as a script's `main` does."""
    sys.exit(3)


def cancels() -> None:
    """Raise what only a task should be told."""
    raise asyncio.CancelledError


def runs_dry() -> str:
    """Raise StopIteration, which cannot leave a thread."""
    return next(iter(list[str]()))


@pytest.mark.parametrize(
    ("function", "said"),
    [(leaves, "SystemExit: 3"), (cancels, "CancelledError"), (runs_dry, "StopIteration")],
    ids=["leaves", "cancels", "runs dry"],
)
def test_a_function_that_would_end_its_host_is_a_failure_like_any_other(
    function: Callable[[], Any], said: str
) -> None:
    async def tool(run: Run) -> None:
        await run.tool(function)

    async def agent(run: Run) -> None:
        await run.work("begin")

    as_tool = play(tool, model=echo)
    as_model = play(agent, model=lambda row: function())

    assert (as_tool.status, as_model.status) == ("failed", "failed")
    assert said in str(as_tool.why)
    assert said in str(as_model.why)


def test_an_agent_that_nobody_waits_for_is_told_of_and_may_have_been_charged() -> None:
    async def model(row: Row) -> str:
        if row["prompt"] == "slow":
            await asyncio.sleep(60)
        return "done"

    async def script(run: Run) -> str:
        slow = asyncio.create_task(run.work("slow"))
        said = await run.work("quick")
        assert not slow.done()
        return said

    result = play(script, model=model)

    assert (result.status, result.value) == ("completed", "done")
    assert [call["path"] for call in result.unsettled] == ["/work:1"]
    assert any("no answer yet when the workflow ended: 'slow'" in note for note in result.notes)


def test_a_timeout_ends_a_scripted_agent_too() -> None:
    async def model(row: Row) -> str:
        await asyncio.sleep(60)
        return "too late"

    async def script(run: Run) -> str | None:
        return await run.work("hurry", timeout_s=0.02, on_error="null")

    result = play(script, model=model)

    assert (result.value, result.missing) == (None, {"timeout": 1})
