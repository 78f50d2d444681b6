"""A halted run ends, whatever its workflow makes of that, and says what it kept to."""

import asyncio
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
