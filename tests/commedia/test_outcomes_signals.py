"""Ctrl-C pauses, twice takes back, three times ends; SIGTERM ends in good order."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from commedia.cli.main import run as commedia
from commedia.supervisor.store import find_run

ENTRY = [sys.executable, "-c", "import sys; from commedia.cli.main import main; sys.exit(main())"]
FLOW = """
import asyncio
import time
from functools import partial
from pathlib import Path
from commedia import Run, workflow

HERE = Path(__file__).parent

def heard(row):
    with (HERE / "asked.log").open("a") as log:
        log.write(row["prompt"] + "\\n")

async def patient(row):
    heard(row)
    while not (HERE / "go").exists():
        await asyncio.sleep(0.01)
    return row["prompt"].upper()

def echo(row):
    return row["prompt"]

def wedged(row):
    heard(row)
    time.sleep(60)

@workflow
async def busy(run: Run):
    said = await run.work("the beginning")
    (HERE / "busy").touch()
    while not (HERE / "go").exists():
        time.sleep(0.01)
    return said

@workflow
async def flow(run: Run):
    said = await run.parallel([partial(run.work, f"part {n}") for n in range(3)])
    return [*said, await run.work("the end")]
"""
DEADLINE_S = 30.0


class Driven:
    """The command in a process of its own, which is sent signals."""

    def __init__(self, folder: Path, model: str, flow: str = "flow") -> None:
        self.folder, self.file = folder, folder / "flow.py"
        self.file.write_text(FLOW)
        named = ["--model", f"{self.file}:{model}", "--runtime", "inline", "-q"]
        self.process = subprocess.Popen(
            [*ENTRY, "run", *named, f"{self.file}:{flow}"], stderr=subprocess.PIPE, text=True
        )

    def wait_until_asked(self, count: int) -> None:
        self.wait_until(lambda: len(self.asked) >= count)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def said(self) -> str:
        """Return the next line that it says."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def stay(self) -> None:
        """Check that the command goes on for now."""
        with pytest.raises(subprocess.TimeoutExpired):
            self.process.wait(0.3)

    def go(self) -> None:
        """Let the model answer."""
        (self.folder / "go").touch()

    def end(self) -> tuple[int, str]:
        _, err = self.process.communicate(timeout=DEADLINE_S)
        assert "Traceback" not in err
        return self.process.returncode, err

    @property
    def asked(self) -> list[str]:
        log = self.folder / "asked.log"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def data(self) -> dict[str, Any]:
        return find_run("last").data


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Any]:
    started: list[Driven] = []

    def start(model: str, flow: str = "flow") -> Driven:
        started.append(Driven(tmp_path, model, flow))
        return started[-1]

    yield start
    for driven in started:
        driven.process.kill()
        driven.process.wait()


def resumed(driven: Driven, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    driven.go()
    model = f"{driven.file}:patient"
    assert commedia(["resume", "last", "--model", model, "--runtime", "inline", "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["value"] == ["PART 0", "PART 1", "PART 2", "THE END"]
    return said


def test_ctrl_c_keeps_what_is_in_flight(drive: Any, capsys: pytest.CaptureFixture[str]) -> None:
    driven = drive("patient")
    driven.wait_until_asked(3)
    driven.send(signal.SIGINT)
    driven.stay()
    driven.go()
    code, err = driven.end()

    assert (code, driven.data["status"]) == (130, "interrupted")
    assert f"go on with: commedia resume {driven.data['run_id']}" in err
    assert err.startswith("waiting for 3 calls in flight; Ctrl-C again takes them back\n")
    assert len(driven.asked) == 3
    said = resumed(driven, capsys)
    assert (said["reused"], said["asked"], said["unsettled"]) == (3, 1, [])


def test_a_second_ctrl_c_takes_it_back(drive: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It may have been charged, so it is listed."""
    driven = drive("patient")
    driven.wait_until_asked(3)
    driven.send(signal.SIGINT)
    driven.stay()
    driven.send(signal.SIGINT)
    code, _ = driven.end()

    assert (code, driven.data["status"]) == (130, "interrupted")
    said = resumed(driven, capsys)
    assert (said["reused"], said["asked"], len(said["unsettled"])) == (0, 4, 3)


def test_a_third_ctrl_c_ends_what_does_not_listen(drive: Any) -> None:
    driven = drive("wedged")
    driven.wait_until_asked(1)
    for _ in range(2):
        driven.send(signal.SIGINT)
        driven.stay()
    driven.send(signal.SIGINT)

    assert driven.end()[0] == 130


def test_a_workflow_that_blocks_is_said_to_and_completed_if_it_then_ends(drive: Any) -> None:
    """It was kept from nothing, so there is nothing to go on with."""
    driven = drive("echo", "busy")
    driven.wait_until(lambda: (driven.folder / "busy").exists())
    driven.send(signal.SIGINT)
    said = driven.said()
    driven.go()
    code, err = driven.end()

    assert said == (
        "waiting for the workflow's own code, which does not listen; a third Ctrl-C kills it\n"
    )
    assert (code, err, driven.data["status"]) == (0, "", "completed")


def test_a_termination_leaves_a_run_that_goes_on(
    drive: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    driven = drive("patient")
    driven.wait_until_asked(3)
    driven.send(signal.SIGTERM)
    code, err = driven.end()

    assert (code, driven.data["status"]) == (143, "interrupted")
    assert err.endswith(f"go on with: commedia resume {driven.data['run_id']}\n")
    assert len(resumed(driven, capsys)["unsettled"]) == 3


def test_a_killed_run_says_so_and_goes_on(drive: Any, capsys: pytest.CaptureFixture[str]) -> None:
    driven = drive("patient")
    driven.wait_until_asked(3)
    driven.send(signal.SIGKILL)
    driven.end()

    assert driven.data["status"] == "running"
    assert commedia(["stop", "last"]) == 2
    assert "is not running" in capsys.readouterr().err
    assert len(resumed(driven, capsys)["unsettled"]) == 3


def test_ctrl_c_while_ray_starts_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes during the import of Ray, whose place a module of ours takes."""
    (tmp_path / "ray.py").write_text("raise KeyboardInterrupt")
    (tmp_path / "flow.py").write_text(FLOW)
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(private))
    command = [*ENTRY, "run", "--model", "flow.py:patient", "flow.py:flow"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.strip() == "commedia: interrupted"
    assert list(private.iterdir()) == []
    assert _named(str(private)) == []


def _named(word: str) -> list[psutil.Process]:
    """Return the processes that *word* is in the command line of, as in the watchdog's."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(word in part for part in process.info["cmdline"] or ())
    ]
