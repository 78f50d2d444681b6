"""A sort that is ended before its time says how, counts what it took, and is gone on with."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commedia.cli.main import run as commedia
from commedia.standing import standing
from commedia.supervisor.store import find_run

ENTRY = [sys.executable, "-c", "import sys; from commedia.cli.main import main; sys.exit(main())"]
JUDGE = """
import asyncio
from pathlib import Path
from commedia import Preference

HERE = Path(__file__).parent
asked = []

async def judge(row):
    asked.append(1)
    while len(asked) > 20 and not (HERE / "go").exists():
        (HERE / "waits").touch()
        await asyncio.sleep(0.01)
    first, second = row["items"]
    return Preference(grade=1 if first > second else -1)
"""
ROWS = 12
DEADLINE_S = 30.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, and a judge that answers twenty calls and then waits."""
    (tmp_path / "judge.py").write_text(JUDGE)
    lines = "".join(f"{n},thing number {n}\n" for n in range(ROWS))
    (tmp_path / "table.csv").write_text("id,text\n" + lines)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended(folder: Path, *signals: signal.Signals) -> tuple[int, str]:
    """Sort until the judge waits, send *signals*, and return the exit code and what was said."""
    model = f"{folder / 'judge.py'}:judge"
    wishes = ["--by", "size", "--id", "id", "--ask", "pair", "--model", model, "-o", "out.csv"]
    with subprocess.Popen(
        [*ENTRY, "sort", "table.csv", *wishes, "--runtime", "inline"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + DEADLINE_S
        while not (folder / "waits").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(signals[0])
        assert process.stderr is not None
        for number in signals[1:]:  # two at once would be one
            next(line for line in process.stderr if line.startswith("waiting for"))
            process.send_signal(number)
        _, err = process.communicate(timeout=DEADLINE_S)
        return process.returncode, err


def test_a_sort_that_sigterm_ends_is_interrupted_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = ended(folder, signal.SIGTERM)
    data = standing(find_run("last")).data

    assert code == 143
    assert f"go on with: commedia resume {data['run_id']}" in err.splitlines()[-1]
    assert data["status"] == "interrupted"
    assert data["calls"] > 20
    assert commedia(["show", "last"]) == 0
    shown = capsys.readouterr().out
    assert "CancelledError" not in shown
    assert f"interrupted: {ROWS} rows ranked in part" in shown


def test_an_interrupted_sort_ends_with_the_command_that_goes_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = ended(folder, signal.SIGINT, signal.SIGINT)
    (folder / "go").touch()
    *_, command = err.splitlines()

    assert code == 130
    assert "stopped: it was interrupted" in err
    assert command == f"go on with: commedia resume {find_run('last').path.name} -o out.csv"
    assert not (folder / "out.csv").exists()
    words = command.partition("commedia ")[2].split()
    assert commedia([*words, "--runtime", "inline", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == "out.csv"
    assert len((folder / "out.csv").read_text().splitlines()) == ROWS + 1
