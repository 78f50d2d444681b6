"""A run that was cut off is said to be unfinished everywhere, with what its journal counts."""

import json
from pathlib import Path
from typing import Any

import pytest
from runs import Row, play

from commedia.cli.main import run as commedia
from commedia.run_result import RunResult
from commedia.standing import standing
from commedia.supervisor.charges import CHARGES
from commedia.supervisor.run import Run
from commedia.supervisor.run_lock import lock_run
from commedia.supervisor.store import find_run

COUNTS = ("agents", "calls", "tokens", "cost_usd", "unsettled")


async def seven(run: Run) -> list[str]:
    return [await run.work(f"part {n}") for n in range(7)]


def answer(row: Row) -> str:
    return str(row["prompt"]).upper()


@pytest.fixture
def cut_off() -> RunResult[Any]:
    """A run of seven answers whose process was killed before it could say how it ended."""
    result = play(seven, model=answer)
    file = find_run("last").path / "run.json"
    data = {name: value for name, value in json.loads(file.read_text()).items()}
    for name in (*COUNTS, "value", "missing"):
        data.pop(name)
    file.write_text(json.dumps({**data, "status": "running"}))
    return result


def test_a_run_that_was_cut_off_is_unfinished_everywhere(
    cut_off: RunResult[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    name = cut_off.run_id
    assert commedia(["runs"]) == commedia(["show", "last"]) == 0
    listed, _, shown = capsys.readouterr().out.partition(f"run {name} of")
    assert commedia(["stop", "last"]) == 2
    refused = capsys.readouterr().err

    assert "unfinished" in listed and "running" not in listed + shown
    assert "unfinished: 7 agents, 7 calls" in shown
    assert shown.splitlines()[-1] == f"go on with: commedia resume {name}"
    assert "its status is unfinished" in refused


def test_its_counts_are_those_of_its_journal(cut_off: RunResult[Any]) -> None:
    data = standing(find_run("last")).data

    assert (data["agents"], data["calls"]) == (cut_off.agents, cut_off.calls)
    assert (data["tokens"], data["unsettled"]) == (cut_off.tokens, [])


def test_one_that_a_process_holds_is_running(cut_off: RunResult[Any]) -> None:
    record = find_run("last")
    with lock_run(record.path):
        data = standing(record).data

    assert (data["status"], data["calls"]) == ("running", 7)


def test_a_damaged_journal_counts_nothing_and_hides_nothing(cut_off: RunResult[Any]) -> None:
    journal: Path = find_run("last").path / CHARGES
    journal.write_bytes(b"x" + journal.read_bytes()[1:])

    data = standing(find_run("last")).data

    assert data["status"] == "unfinished"
    assert "calls" not in data
