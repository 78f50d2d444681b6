"""What cannot be resumed is told in one sentence, and nothing that was paid for is lost."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from commedia.cli.main import run as commedia
from commedia.supervisor.store import RunRecord, find_run

FLOW = """
from commedia import Run, workflow

def echo(row):
    return row["prompt"].upper() + "!" * FILLING

FILLING = 0

@workflow
async def flow(run: Run, count: int = 4):
    return [await run.work(f"part {n}", max_tokens=100_000) for n in range(count)]
"""
ENTRY = [sys.executable, "-c", "import sys; from commedia.cli.main import main; sys.exit(main())"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A workflow in a file, of which one run is complete."""
    file = tmp_path / "flow.py"
    file.write_text(FLOW)
    model = f"{file}:echo"
    assert commedia(["run", "--model", model, "--runtime", "inline", "-q", str(file)]) == 0
    return file


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = commedia(["resume", *arguments, "--runtime", "inline"])
    out, err = capsys.readouterr()

    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("commedia: ")
    return code, err


def test_a_run_that_never_was(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refusal(capsys, "20200101")

    assert code == 2
    assert "there is no run '20200101'; `commedia runs` lists them" in said


def test_a_run_whose_workflow_is_gone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = file.read_text()
    file.write_text(source.replace("async def flow", "async def another"))
    assert "has no workflow 'flow'; it has another" in refusal(capsys, "last")[1]

    file.unlink()
    assert f"there is no file {file}" in refusal(capsys, "last")[1]

    file.write_text(source)
    assert commedia(["resume", "last", "--runtime", "inline", "-q"]) == 0
    assert json.loads(capsys.readouterr().out) == [f"PART {n}" for n in range(4)]


def test_a_run_whose_model_is_gone(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its file back, the run goes on, and asks nobody again."""
    model = tmp_path / "model.py"
    model.write_text("def echo(row):\n    return row['prompt'].lower()\n")
    asked = ["run", "--model", f"{model}:echo", "--runtime", "inline", "-q", str(file)]
    assert commedia(asked) == 0
    source = model.read_text()
    model.unlink()

    code, said = refusal(capsys, "last")

    assert code == 2
    assert f"there is no file {model}" in said
    model.write_text(source)
    assert commedia(["resume", "last", "--runtime", "inline", "-q", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["reused"], result["asked"]) == (4, 0)


@pytest.mark.parametrize("name", ["charges.journal", "run.journal"])
def test_a_damaged_journal_is_told_and_its_good_part_kept(
    file: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with file.open("a") as more:
        more.write("\n")
    run = find_run("last").path
    commedia(["resume", "last", "--runtime", "inline", "-q"])  # a second life, a second record
    whole = (run / name).read_bytes()
    lines = whole.splitlines(keepends=True)
    assert len(lines) > 1
    damaged = whole.replace(lines[0], lines[0].replace(b'"t":"', b'"t":"?'), 1)
    (run / name).write_bytes(damaged)

    code, said = refusal(capsys, "last")

    assert code == 1
    assert f"{name} is damaged at line 1, and records follow, so nothing was cut" in said
    assert f"{name}.good" in said
    assert (run / name).read_bytes() == damaged


def test_a_torn_end_is_cut(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = find_run("last").path / "charges.journal"
    journal.write_bytes(journal.read_bytes()[:-7])
    capsys.readouterr()

    assert commedia(["resume", "last", "--runtime", "inline", "-q", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["reused"], said["asked"]) == (3, 1)
    assert [call["path"] for call in said["unsettled"]] == ["/work:4"]


def test_a_blob_that_is_gone_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(file.read_text().replace("FILLING = 0", "FILLING = 70_000"))
    model = f"{file}:echo"
    assert commedia(["run", "--model", model, "--runtime", "inline", "-q", str(file)]) == 0
    blobs = [path for path in (find_run("last").path / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 4
    blobs[0].unlink()

    code, said = refusal(capsys, "last")

    assert code == 1
    assert "there is no value" in said


@pytest.mark.parametrize("name", ["charges.journal", "run.journal"])
def test_a_journal_that_cannot_be_opened_is_told(
    file: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    journal = find_run("last").path / name
    journal.rename(journal.with_suffix(".aside"))
    journal.mkdir()

    code, said = refusal(capsys, "last")

    assert code == 1
    assert f"the system refused {journal}: " in said


def test_a_run_without_its_settings(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (find_run("last").path / "run.json").write_text("{")

    assert (
        "cannot be read: its run.json is damaged, or may not be read" in refusal(capsys, "last")[1]
    )
    assert commedia(["runs"]) == 0
    assert "damaged" in capsys.readouterr().out


def _limited(size: int) -> Callable[[], None]:
    """Return what lets a process write no file beyond *size* bytes: its disk is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [700, 1500, 4000])
def test_a_full_disk_ends_the_run_in_one_sentence_and_loses_nothing(
    tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever it strikes: in a journal, an event log, or the account. With room, it goes on."""
    file = tmp_path / "flow.py"
    file.write_text(FLOW)
    model = f"{file}:echo"
    command = [*ENTRY, "run", "--model", model, "--runtime", "inline", "-q", str(file)]
    done = subprocess.run(
        [*command, "--count", "20"],
        preexec_fn=_limited(size),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # else cut modules are left behind
        capture_output=True,
        text=True,
    )

    assert done.returncode in (1, 75), done.stderr
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr or "journal could not be written" in done.stderr
    finished = _answers(find_run("last"))

    assert commedia(["resume", "last", "--runtime", "inline", "-q", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["value"] == [f"PART {n}" for n in range(20)]
    assert said["reused"] == finished


def _answers(record: RunRecord) -> int:
    journal = record.path / "charges.journal"
    lines = journal.read_bytes().splitlines(keepends=True) if journal.exists() else []
    return sum(b'"t":"result"' in line and line.endswith(b"\n") for line in lines)
