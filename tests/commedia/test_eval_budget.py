"""A budget of time runs over everything an evaluation does: commands, checks and judges."""

import asyncio
import sys
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
from evaluations import ITEMS, Judge, evaluate

from commedia.eval_clock import EvalClock
from commedia.eval_commands import finished_in
from commedia.session import Session
from commedia.supervisor.budget import Budget

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
ECHO = [sys.executable, "-c", "print('good')"]


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_adds_up_over_the_lives_of_an_evaluation(tmp_path: Path) -> None:
    """And not between them; the judges have what is left, in whole seconds."""
    now, budget = Ticking(), Budget(wall_s=10, agents=3)

    async def live(seconds: float) -> EvalClock:
        clock = EvalClock(tmp_path, budget, now)
        async with clock.running():
            now.now += seconds
        return clock

    asyncio.run(live(2.5))
    now.now += 100.0
    second = EvalClock(tmp_path, budget, now)

    assert (second.took_s, second.left_s, second.is_over) == (2.5, 7.5, False)
    assert second.budget_left == Budget(wall_s=7, agents=3)
    third = asyncio.run(live(8.0))
    assert third.is_over and third.budget_left.wall_s == 0


def test_without_a_budget_of_time_there_is_no_end(tmp_path: Path) -> None:
    clock = EvalClock(tmp_path, Budget(agents=3), Ticking())

    assert not clock.is_over and clock.budget_left == Budget(agents=3)


def test_commands_end_with_the_budget_and_go_on_in_a_later_life() -> None:
    """Two at a time for a second, of commands of a minute: no other is begun."""
    judge = Judge("plain", "good")
    first = evaluate(
        ITEMS, judge, systems={"old": "a"}, commands={"new": SLEEPS}, at_once=2, budget="1s"
    )

    assert (first.status, first.stopped, first.missing) == ("degraded", "budget", {"output": 12})
    assert first.wall_s < 20 and judge.asked == []
    assert any("new: over budget (12)" in note for note in first.notes)
    assert finished_in(Path(first.output)) == {}
    rows = pq.read_table(Path(first.output) / "outputs.parquet").to_pylist()
    assert {row["output"] for row in rows if row["system"] == "old"} == {r["a"] for r in ITEMS}


def test_a_resumed_evaluation_runs_the_commands_that_its_budget_left(tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = (
        f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('good')"
    )
    commands = {"new": [sys.executable, "-c", code]}
    evaluate(ITEMS, Judge("plain", "good"), systems={"old": "a"}, commands=commands, budget="1s")
    go.touch()
    with Session(model=Judge("plain", "good"), runtime="inline", budget="1h") as session:
        second = session.resume_eval("last")

    assert (second.status, second.missing) == ("completed", {})


def test_a_check_under_way_is_left_and_none_is_begun_when_the_budget_ends() -> None:
    forever, asked = threading.Event(), []

    def check(prompt: str, output: str) -> float:
        asked.append(output)
        if len(asked) == 3:
            forever.wait(60)
        return 1.0

    began = time.monotonic()
    result = evaluate(ITEMS, check=check, budget="1s")
    forever.set()

    assert time.monotonic() - began < 20
    assert (result.status, result.stopped, result.missing) == ("degraded", "budget", {"check": 22})
    assert any("no check of 22 outputs: over budget (22)" in note for note in result.notes)
    assert sum(score is not None for score in result.per_item.column("score").to_pylist()) == 2


def test_checks_of_which_none_came_in_time_are_no_failure() -> None:
    forever = threading.Event()
    result = evaluate(ITEMS, check=lambda prompt, output: forever.wait(60), budget="1s")
    forever.set()

    assert (result.status, result.missing) == ("degraded", {"check": 24})


def test_within_its_budget_an_evaluation_with_commands_is_completed() -> None:
    result = evaluate(
        ITEMS[:3], Judge("plain", "good"), systems={"old": "a"}, commands={"new": ECHO}, budget="1h"
    )

    assert (result.status, result.stopped) != ("degraded", "budget")
    assert result.calls > 0
