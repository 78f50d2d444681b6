"""The table of agents says of each how it ended, whether it was asked alone or in a table."""

import asyncio
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from runs import UPHELD, Row, play

from commedia.actors.handle import Handle
from commedia.run_result import RunResult
from commedia.supervisor.control import give_order
from commedia.supervisor.counting import cause_of
from commedia.supervisor.run import Run
from commedia.supervisor.store import find_run

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")
SHORT_S = 0.001


def written(result: RunResult[Any], *columns: str) -> list[tuple[Any, ...]]:
    """Return *columns* of the run's table of agents, by the agents' paths."""
    rows = find_run(result.run_id).agents().sort_by("path").select(columns).to_pylist()
    return [tuple(row.values()) for row in rows]


def test_agents_that_were_too_late_are_written_as_such() -> None:
    async def script(run: Run) -> Any:
        await run.work("slow", timeout_s=SHORT_S, on_error="null")
        return await run.work("quick")

    result = play(script, model="sim:sonnet")

    rows = written(result, "status", "reason", "duration_us")
    assert rows[0] == ("timeout", "deadline", 1000)
    assert rows[1][0] == "ok"
    assert result.missing == {"timeout": 1}


def test_an_agent_that_was_skipped_is_written_with_what_it_took() -> None:
    """One whose reply came later has its tokens, one that was never asked has none."""

    async def model(row: Row) -> str:
        if row["prompt"] == "slow":
            give_order(find_run("last").path, {"skip": "slow"})
            await asyncio.sleep(0.6)
        return str(row["prompt"])

    async def script(run: Run) -> Any:
        await run.work("slow", label="slow", on_error="null")
        await asyncio.sleep(1)
        return await run.work("slow again", label="slow", on_error="null")

    result = play(script, model=model)

    rows = written(result, "status", "reason", "tokens_in")
    assert [row[:2] for row in rows] == [("skipped", "stopped")] * 2
    assert rows[0][2] > 0 == rows[1][2]
    assert result.missing == {"skipped": 2}


def test_rows_of_a_table_end_at_their_timeouts() -> None:
    """Each by its own; what they were paid is counted, and the clock goes on to the last end."""

    async def script(run: Run) -> Any:
        table = pa.table({"prompt": ["a", "b", "c"], "timeout_s": [SHORT_S, 9999.0, 2 * SHORT_S]})
        replies = await run.map(run.work, table)
        first = run.now()
        late = await run.map(run.work, pa.table({"prompt": ["d"]}), timeout_s=SHORT_S)
        took = run.now() - first
        return [[*replies["status"].to_pylist(), *late["status"].to_pylist()], took, replies]

    result = play(script, model="sim:sonnet")
    statuses, took, replies = result.value

    assert statuses == ["timeout", "ok", "timeout", "timeout"]
    assert took == pytest.approx(SHORT_S)
    assert [answer is None for answer in replies["answer"].to_pylist()] == [True, False, True]
    assert result.missing == {"timeout": 3}
    rows = written(result, "path", "status", "duration_us", "tokens_out")
    assert [row[:2] for row in rows[:2]] == [("/map:1[0]", "timeout"), ("/map:1[1]", "ok")]
    assert [row[2] for row in rows if row[1] == "timeout"] == [1000, 2000, 1000]
    assert all(row[3] > 0 for row in rows)


def test_rows_of_a_skipped_label_are_not_asked() -> None:
    asked: list[str] = []

    def model(row: Row) -> str:
        asked.append(row["prompt"])
        return "done"

    async def script(run: Run) -> Any:
        give_order(find_run("last").path, {"skip": "odd"})
        await asyncio.sleep(1)
        table = pa.table({"prompt": ["a", "b"], "label": ["odd", "even"]})
        some = await run.map(run.work, table)
        none = await run.map(run.work, pa.table({"prompt": ["c"]}), label="odd")
        return [*some["status"].to_pylist(), *none["status"].to_pylist()]

    result = play(script, model=model)

    assert result.value == ["skipped", "ok", "skipped"]
    assert (asked, result.missing) == (["b"], {"skipped": 2})
    assert written(result, "label", "status") == [
        *(("odd", "skipped"), ("even", "ok"), ("odd", "skipped"))
    ]


def test_judges_of_a_table_are_agents_too() -> None:
    async def script(run: Run) -> None:
        pairs = pa.table({"left": ["a", "b"], "right": ["c", "d"]})
        await run.map(run.judge, pairs, by="clarity")

    rows = written(play(script), "path", "role", "label", "status")
    assert rows == [(f"/map:1[{n}]", "judge", "clarity", "ok") for n in range(2)]


def test_agents_that_nobody_named_are_told_apart_by_what_they_are_asked() -> None:
    """Never by text of an untrusted source."""

    def model(row: Row) -> Any:
        roles = {"verifier": UPHELD, "judge": {"verdict": "first"}, "reader": "read"}
        return roles.get(row["role"], "done")

    async def script(run: Run) -> None:
        secret = await run.read("SECRET", "What\n does it say?")
        assert isinstance(secret, Handle)
        await run.verify("the sky\nis blue " + "so " * 40, "true")
        await run.verify(secret, "plausible")
        await run.judge("a", "b", by="clarity")

    labels = [label for (label,) in written(play(script, model=model), "label")]

    told = "the sky is blue " + "so " * 14 + "so"
    assert labels == ["clarity", "What does it say?", told[:60], "plausible"]


def test_equal_failures_are_one_cause() -> None:
    def model(row: Row) -> Any:
        raise TimeoutError

    async def script(run: Run) -> Any:
        return await run.parallel([partial(run.work, f"item {n}") for n in range(3)])

    result = play(script, model=model)

    assert any(note.startswith("3 branches failed with AgentError") for note in result.notes)
    assert cause_of("branch 7: KeyError: 'a: b'") == "KeyError: 'a: b'"
