"""Branches: order kept, nobody taken down, nothing lost in silence; paths are always the same."""

import asyncio
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import Row, echo, play

from commedia.supervisor.paths import here
from commedia.supervisor.results import Failure, Results
from commedia.supervisor.run import Run


def fails_on(word: str) -> Any:
    def model(row: Row) -> Any:
        if row["prompt"] == word:
            raise RuntimeError
        return row["prompt"]

    return model


def test_a_failed_branch_is_none_and_is_counted() -> None:
    async def script(run: Run) -> list[str | None]:
        return await run.parallel([run.work(w) for w in "abc"])

    result = play(script, model=fails_on("b"))

    assert (result.status, result.branches, result.missing) == ("degraded", 1, {"failed": 1})
    with pytest.warns(UserWarning):
        assert result.value == ["a", None, "c"]


def test_collected_branches_stand_in_order_with_the_failures_beside() -> None:
    async def script(run: Run) -> Results[str]:
        thunks = [run.work(w) for w in "abc"]
        return await run.parallel(thunks, on_error="collect")

    with pytest.warns(UserWarning):
        found = play(script, model=fails_on("b")).value

    assert (list(found), found.places) == (["a", "c"], (0, 2))
    assert [failure.place for failure in found.failed] == [1]
    assert "failed (RuntimeError)" in found.failed[0].why


def test_a_barrier_that_raises_waits_for_all_first() -> None:
    ended: list[str] = []

    async def branch(run: Run, word: str) -> str:
        try:
            return await run.work(word)
        finally:
            ended.append(word)

    async def script(run: Run) -> Any:
        return await run.parallel([partial(branch, run, word) for word in "abc"], on_error="raise")

    assert play(script, model=fails_on("a")).status == "failed"
    assert sorted(ended) == ["a", "b", "c"]


def test_a_stage_gets_what_came_before_the_item_and_its_place() -> None:
    async def script(run: Run) -> list[Any]:
        found: list[Any] = await run.pipeline(
            ["a", "b"],
            lambda value: run.work(value + value),
            lambda value, item: f"{value}-{item}",
            lambda value, item, place: (value, item, place),
        )
        return found

    assert play(script, model=echo).value == [("aa-a", "a", 0), ("bb-b", "b", 1)]


def test_a_stage_that_raises_ends_its_item_and_one_that_returns_none_does_not() -> None:
    seen: list[Any] = []

    def first(item: str) -> str | None:
        if item == "bad":
            raise ValueError
        return None if item == "none" else item

    def second(value: str | None) -> str:
        seen.append(value)
        return "end"

    async def script(run: Run) -> list[Any]:
        found: list[Any] = await run.pipeline(["x", "bad", "none"], first, second)
        return found

    with pytest.warns(UserWarning):
        assert play(script).value == ["end", None, "end"]
    assert seen == ["x", None]


def test_no_item_of_a_pipeline_waits_for_another() -> None:
    async def script(run: Run) -> float:
        async def slow_then_fast(seconds: float) -> float:
            await run.sleep(seconds)
            return seconds

        await run.pipeline([5.0, 1.0], slow_then_fast, lambda s: slow_then_fast(6.0 - s))
        return run.now()

    assert play(script).value == 6.0


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=12), st.integers(0, 3))
def test_results_do_not_depend_on_the_order_of_completion(delays: list[int], slots: int) -> None:
    """Any latencies, any number of slots: the same values, paths and random draws."""

    async def branch(run: Run, place: int, delay_ms: int) -> tuple[int, str, float, str]:
        await run.sleep(delay_ms / 1000)
        answer = await run.work(f"say {place}", about=str(place))
        return place, here().path, run.random.random(), answer

    async def script(run: Run, delays: list[int]) -> list[Any]:
        thunks = [partial(branch, run, place, delay) for place, delay in enumerate(delays)]
        return await run.parallel(thunks)

    quick = play(script, [0] * len(delays)).value
    late = play(script, delays, slots=slots or None).value

    assert late == quick
    assert [row[0] for row in late] == list(range(len(delays)))


def test_a_path_is_assigned_when_a_verb_is_called() -> None:
    asked: dict[str, str] = {}

    def model(row: Row) -> Any:
        asked[row["prompt"]] = row["path"]
        return row["prompt"]

    async def later(run: Run) -> None:
        await run.work("in a task")
        await run.work("again")

    async def script(run: Run) -> None:
        second, first = run.work("called first"), run.work("called second")
        task = asyncio.create_task(later(run))
        await first
        await second
        await task
        await run.parallel([lambda: run.work("thunk"), lambda: later(run)])
        await run.pipeline(["item"], run.work)

    play(script, model=model)

    assert asked == {
        "called first": "/work:1",
        "called second": "/work:2",
        "in a task": "/parallel:1[1]/work:1",
        "again": "/parallel:1[1]/work:2",
        "thunk": "/parallel:1[0]/work:1",
        "item": "/pipeline:1[0]/stage:1/work:1",
    }


def test_phases_are_those_of_their_branch() -> None:
    async def branch(run: Run, name: str) -> str:
        with run.phase(name):
            await run.sleep(1)
            return here().phase

    async def script(run: Run) -> list[Any]:
        return await run.parallel([partial(branch, run, name) for name in ("one", "two")])

    assert play(script).value == ["one", "two"]


def test_results_keep_who_is_missing_through_filters_and_maps() -> None:
    found: Results[str] = Results.of(["a", Failure(1, "lost"), "c"])

    kept = found.where([False, True]).map(str.upper)

    assert (list(kept), kept.places, len(kept.failed)) == (["C"], (2,), 1)
    assert kept == ["C"]
    assert repr(kept) == "Results(['C'], 1 failed)"
