"""What is no model's answer happens once, too: tools, waits, time, chance and what users skip."""

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel
from runs import Row, echo, play

from commedia.actors.clock import WallClock
from commedia.resuming import record_answer
from commedia.session import Session
from commedia.supervisor.control import give_order
from commedia.supervisor.run import Run
from commedia.supervisor.store import find_run

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")

CALLED: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    CALLED.clear()


def resume(script: Any, model: Callable[[Row], Any] = echo, **args: Any) -> Any:
    with Session(model=model, runtime="inline") as session:
        return session.resume("last", script, **args)


class Place(BaseModel):
    name: str
    size: float


@dataclass(frozen=True)
class Point:
    x: int
    y: int


def text() -> str:
    return "as it was"


def place() -> Place:
    return Place(name="here", size=0.1)


def places() -> "list[Place]":
    return [Place(name="here", size=0.1)]


def point() -> Point:
    return Point(1, 2)


def pair() -> tuple[int, str]:
    return 1, "two"


def names() -> set[str]:
    return {"a", "b"}


def nothing() -> None:
    return None


def table() -> pa.Table:
    return pa.table({"a": [1, 2]})


def batch():  # type: ignore[no-untyped-def]  # a user's tool, without annotations
    return pa.record_batch({"a": [1, 2]})


def empty() -> pa.RecordBatch:
    return pa.record_batch({"a": pa.array([], pa.int64())})


def unannotated():  # type: ignore[no-untyped-def]  # a user's tool
    return {"a": [1, 2.5, None]}


def unkept_tuple():  # type: ignore[no-untyped-def]  # a user's tool
    return (1, 2)


def unkept_point():  # type: ignore[no-untyped-def]  # a user's tool
    return Point(1, 2)


def unkept_keys():  # type: ignore[no-untyped-def]  # a user's tool
    return {1: "one"}


def numbered() -> dict[int, str]:
    return {1: "one"}


def not_a_number() -> float:
    return math.nan


def array() -> Any:
    return np.array([1, 2])


async def calling(run: Run, tool: str) -> list[Any]:
    """Call a tool, and say what came back, and of which type."""
    value = await run.tool(globals()[f"counted_{tool}"])
    shown = sorted(value) if isinstance(value, set) else value  # a set has no order to compare
    return [repr(shown), type(value).__name__]


def _counted(tool: Callable[[], Any]) -> Callable[[], Any]:
    def counted() -> Any:
        CALLED.append(tool.__name__)
        return tool()

    counted.__annotations__ = tool.__annotations__
    counted.__qualname__ = tool.__name__
    return counted


KEPT = [
    text,
    place,
    places,
    point,
    pair,
    names,
    nothing,
    table,
    batch,
    empty,
    unannotated,
    numbered,
]
UNKEPT = [unkept_tuple, unkept_point, unkept_keys, not_a_number, array]
globals().update({f"counted_{tool.__name__}": _counted(tool) for tool in KEPT + UNKEPT})


@pytest.mark.parametrize("tool", [tool.__name__ for tool in KEPT])
def test_a_tool_is_called_once_and_its_value_is_what_it_was(tool: str) -> None:
    first = play(calling, tool, model=echo)
    second = resume(calling)

    assert second.value == first.value
    assert tool == CALLED[0]
    assert len(CALLED) == 1
    assert second.recalled == 1


@pytest.mark.parametrize("tool", [tool.__name__ for tool in UNKEPT])
def test_a_value_that_would_come_back_as_another_is_not_kept(tool: str) -> None:
    """So the tool is called again; the run's events say so."""
    first = play(calling, tool, model=echo)
    second = resume(calling)

    assert second.value == first.value
    assert len(CALLED) == 2
    events = pq.read_table(find_run("last").path / "events.parquet")
    assert "unkept" in events.column("kind").to_pylist()


def failing(number: int) -> int:
    CALLED.append(number)
    if CALLED.count(number) == 1 and number == 1:
        raise ValueError("not yet")
    return number


async def some_fail(run: Run) -> list[int | None]:
    """Call three tools, of which one fails the first time."""
    return await run.parallel([partial(run.tool, failing, number=n) for n in range(3)])


def test_a_tool_that_failed_is_called_again_and_no_other() -> None:
    first = play(some_fail, model=echo)
    second = resume(some_fail)

    assert (first.value, second.value) == ([0, None, 2], [0, 1, 2])
    assert sorted(CALLED[:3]) == [0, 1, 2]
    assert CALLED[3:] == [1]


async def chance(run: Run) -> dict[str, Any]:
    """Look at the clock, draw, wait, and do so in branches as well."""

    async def branch(number: int) -> list[float]:
        before = run.now()
        await run.sleep(0.01)
        return [before, run.now(), run.random.random()]

    began = run.now()
    drawn = [run.random.random(), run.random.randrange(1000)]
    branches = await run.parallel([partial(branch, number) for number in range(3)])
    told = await run.work(f"{began} {drawn} {branches}")
    return {"began": began, "drawn": drawn, "branches": branches, "told": told}


def test_time_and_chance_are_the_same_again() -> None:
    first = play(chance, model=echo)
    second = resume(chance)

    assert second.value == first.value
    assert (second.asked, second.reused) == (0, 1)
    for before, after, _ in second.value["branches"]:
        assert after >= before + 0.01


async def draws(run: Run) -> list[float]:
    """Draw here and in branches, whose paths have their own randomness."""

    async def branch() -> float:
        return run.random.random()

    return [run.random.random(), *await run.parallel([branch, branch], on_error="raise")]


@pytest.mark.parametrize("model", [echo, "sim:ideal"], ids=["scripted", "simulated"])
def test_a_run_keeps_its_seed_whatever_the_session_that_resumes_it_has(model: Any) -> None:
    first = play(draws, model=model, seed=3)
    with Session(model=model, runtime="inline", seed=4) as session:
        second = session.resume("last", draws)
        another = session.run(draws)

    assert second.value == first.value
    assert find_run(first.run_id).data["seed"] == 3
    assert not {*another.value} & {*first.value}


async def long_wait(run: Run) -> float:
    """Wait for long between two questions to the user."""
    began = run.now()
    asked: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        partial(run.sleep, 3600.0),
        partial(run.ask, "Go on?"),
    ]
    await run.parallel(asked)
    return run.now() - began


def test_what_is_left_of_a_wait_is_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fell in the middle of an hour waits for the rest of it only."""
    assert play(long_wait, model=echo).status == "paused"
    record_answer("last", "yes")
    journal = find_run("last").path / "run.journal"
    assert '"t":"sleep"' in journal.read_text()
    later = WallClock().epoch() + 3599.95

    monkeypatch.setattr(WallClock, "epoch", lambda self: later)

    assert resume(long_wait).status == "completed"


async def inner(run: Run, word: str) -> str:
    """Work a little, as a part of another workflow."""
    return await run.work(f"inner {word}")


async def outer(run: Run, words: int = 2) -> list[str]:
    """Run a workflow inside this one, for each of so many words."""
    return [await run.workflow(inner, f"word {n}") for n in range(words)]


def test_a_workflow_inside_a_workflow_is_resumed_with_it() -> None:
    play(outer, model=echo)
    second = resume(outer, words=3)

    assert second.value == ["inner word 0", "inner word 1", "inner word 2"]
    assert (second.reused, second.asked) == (2, 1)


async def labelled(run: Run) -> list[str | None]:
    """Ask two agents that have names."""
    return await run.parallel([partial(run.work, word, label=word) for word in ("slow", "quick")])


def test_an_agent_that_was_skipped_stays_skipped() -> None:
    """In the life in which it was, and in each later one; it is counted as missing."""

    async def model(row: Row) -> str:
        if row["prompt"] == "slow":
            give_order(find_run("last").path, {"skip": "slow"})
            await asyncio.sleep(60)
        return str(row["prompt"])

    first = play(labelled, model=model)
    second = resume(labelled)

    for result in (first, second):
        assert result.value == [None, "quick"]
        assert (result.status, result.missing) == ("degraded", {"skipped": 1})
    assert second.asked == 0


def test_a_stop_that_came_too_late_stops_no_later_life() -> None:
    play(outer, model=echo)
    give_order(find_run("last").path, {"stop": True})

    assert resume(outer).status == "completed"


def test_the_journal_says_nothing_of_models_answers() -> None:
    play(chance, model=echo)
    lines = (find_run("last").path / "run.journal").read_text().splitlines()
    records = [json.loads(line[9:]) for line in lines]

    assert {record["t"] for record in records} == {"begun", "now", "sleep"}
