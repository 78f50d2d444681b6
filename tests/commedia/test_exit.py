"""However a driver ends, nothing of its Ray stays, and another Ray on the machine is untouched."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from commedia.actors.bracket import Bracket
from commedia.benchmarks.beheading import beheaded
from commedia.benchmarks.command import ENTRY
from commedia.benchmarks.players import Flow, counting_model
from commedia.supervisor.runtime.base import Runtime

pytestmark = [pytest.mark.ray, pytest.mark.own_ray]

GONE_S = 10.0
SURVEY = Flow("commedia.benchmarks.flows.survey:survey", {"topics": 8})
CRASH = """
from commedia import Session
session = Session(hosts=1)
session.rank([{"text": str(n), "n": n} for n in range(20)], "size", text="text", truth="n")
raise RuntimeError("the user's own fault")
"""


class Driven:
    """A driver in a process of its own, whose every child carries the same mark."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        env = {**os.environ, "COMMEDIA_TEST": self.mark}
        self.process = subprocess.Popen(
            command,
            env=env,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def left(self) -> list[psutil.Process]:
        """Return the processes that carry the mark and run."""
        found = []
        for process in psutil.process_iter():
            try:
                is_marked = process.environ().get("COMMEDIA_TEST") == self.mark
                if is_marked and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def wait_for_round(self) -> None:
        """Return once the driver says that its first round is over."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "round 1" in line.lower() and "predicted" in line:
                return
        raise AssertionError("the driver ended before its first round")

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Return once *is_so*, while the driver runs."""
        while not is_so():
            with pytest.raises(subprocess.TimeoutExpired):
                self.process.wait(0.02)

    def gone_after(self) -> float:
        """Wait until nothing is left; returns the seconds that took."""
        began = time.monotonic()
        while (left := self.left()) and time.monotonic() - began < 3 * GONE_S:
            psutil.wait_procs(left, timeout=0.2)
        return time.monotonic() - began


@pytest.fixture
def neighbour(shared_ray: Callable[[], Runtime]) -> Iterator[None]:
    """The Ray of the test run: it must still start an actor afterwards."""
    yield

    async def greet() -> None:
        runtime = shared_ray()
        ranking: Any = None
        await runtime.stop(await runtime.start(Bracket(ranking), "neighbour"))

    asyncio.run(asyncio.wait_for(greet(), 60))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "table.csv"
    rows = "".join(f"{n},thing number {n},{(n * 7919) % 1501}\n" for n in range(1500))
    file.write_text("id,text,size\n" + rows)
    return file


def sort_command(table: Path, *more: str) -> list[str]:
    entry = [
        sys.executable,
        "-c",
        "import sys; from commedia.cli.main import main; sys.exit(main())",
    ]
    options = ["--by", "size", "--text", "text", "--truth", "size", "--ask", "pair"]
    return [*entry, "sort", str(table), *options, "--target", "0.97", *more]


def test_after_a_return_nothing_is_left_and_stdout_is_one_object(
    table: Path, neighbour: None
) -> None:
    driven = Driven(sort_command(table, "--json", "--budget", "1500agents"), table.parent)
    out, err = driven.process.communicate(timeout=100)

    assert json.loads(out)["calls"] == 1500, err
    assert driven.process.returncode == 3
    assert driven.gone_after() < GONE_S


def test_after_an_exception_nothing_is_left(tmp_path: Path, neighbour: None) -> None:
    driven = Driven([sys.executable, "-c", CRASH], tmp_path)
    _, err = driven.process.communicate(timeout=100)

    assert "the user's own fault" in err
    assert driven.process.returncode == 1
    assert driven.gone_after() < GONE_S


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
    ],
)
def test_after_a_signal_nothing_is_left(
    number: signal.Signals, code: int, table: Path, neighbour: None
) -> None:
    """Ctrl-C reaches the whole group, as at a terminal; the ranking so far is in its folder."""
    driven = Driven(sort_command(table), table.parent)
    driven.wait_for_round()
    if number == signal.SIGINT:
        os.killpg(driven.process.pid, number)
    else:
        driven.process.send_signal(number)
    _, err = driven.process.communicate(timeout=60)

    assert driven.process.returncode == code, err
    assert "Traceback" not in err
    assert driven.gone_after() < GONE_S
    [run] = (Path(os.environ["COMMEDIA_HOME"]) / "runs").iterdir()
    assert (run / "ranking.parquet").exists()


def test_after_a_kill_nothing_is_left_and_the_run_goes_on(tmp_path: Path, neighbour: None) -> None:
    """Resumed at once, while processes of the killed driver are still ending."""
    player = counting_model(tmp_path)
    whole = beheaded(SURVEY, player)
    asked = len(player.asked())
    driven = Driven([*ENTRY, "run", *player.words(SURVEY), "-q", *SURVEY.words], tmp_path)
    driven.wait_until(lambda: len(player.asked()) >= asked + 10)
    driven.process.kill()
    driven.process.communicate()
    resumed = subprocess.run(
        [*ENTRY, "resume", "last", "--runtime", "inline", "--json", "-q"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(resumed.stdout)["value"] == whole.value
    unsettled = [call["path"] for call in json.loads(resumed.stdout)["unsettled"]]
    again = Counter(player.asked()[asked:]) - Counter(player.asked()[:asked])
    assert again - Counter(unsettled) == Counter()
    assert driven.gone_after() < GONE_S
