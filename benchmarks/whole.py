"""The bars of the whole product: a real table, the way over HTTP, crashes, the start."""

import csv
import io
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal, Protocol

from ..actors.faults import Faults
from ..results import RankResult
from ..session import Session
from .command import (
    ADVISORIES,
    ENTRY,
    environment,
    folder,
    known_advisories,
    passed,
    seconds,
    served,
    sort,
)
from .rows import Row, at_least, at_most

ROOT = Path(__file__).parents[1]
Kind = Literal["inline", "ray"]
PAIRS = 5
SKIPPED = [Row("the advisories", "skipped", "no recorded data", None)]
BARE = """
import time
began = time.monotonic()
import ray
ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
@ray.remote(num_cpus=0)
class First:
    def answer(self):
        return 1
first = First.remote()
ray.get(first.answer.remote())
print(time.monotonic() - began)
"""
OURS = """
import time
from commedia import Session
began = time.monotonic()
first = []
def watch(progress):
    if progress.calls and not first:
        first.append(time.monotonic() - began)
rows = [{"text": f"thing {n}", "size": float(n * 7 % 101)} for n in range(100)]
with Session(on_progress=watch) as session:
    session.rank(rows, "size", text="text", truth="size")
print(first[0])
"""


class HasData(Protocol):
    """Settings that say where the recorded data is."""

    @property
    def data(self) -> Path:
        """The folder of recorded data."""
        ...


def real_table(settings: HasData) -> list[Row]:
    """848 advisories, 420 of them with a score, through the command, on Ray."""
    data = settings.data
    if not (data / ADVISORIES).exists():
        return SKIPPED
    ran = sort(data / ADVISORIES, "--accuracy", "0.85", "--runtime", "ray")
    rows = _csv_rows(ran.written)
    return [
        at_least("tau-b (its ties allow 0.949)", ran.said["truth"]["tau_b"], 0.89),
        at_most("calls", ran.said["calls"], 1550),
        _exactly("rows of the file", rows, 420),
        _exactly("status", ran.said["status"], "completed"),
    ]


def over_http(settings: HasData) -> list[Row]:
    """The 420 advisories over HTTP, through the real SDK, at `serve` in another process."""
    data = settings.data
    if not (data / ADVISORIES).exists():
        return SKIPPED
    table = known_advisories(data)
    log = folder() / "served.jsonl"
    direct = sort(table, "--accuracy", "0.85", "--runtime", "inline")
    with served(data / ADVISORIES, log) as address:
        claude = ("--model", "claude-haiku-5-5", "--base-url", address)
        whole = sort(table, *claude, "--budget", "50M")
        charged = _charged(log)
        half = sort(table, *claude, "--budget", f"{charged // 2}tokens")
        at_half = _charged(log) - charged
    return [
        _exactly("digest", whole.said["digest"][:12], direct.said["digest"][:12]),
        _exactly("simulated, as the endpoint declares", whole.said["simulated"], True),
        _exactly("tokens by our count and by the server's log", whole.said["tokens"], charged),
        _exactly("half the budget: status", half.said["status"], "degraded"),
        _exactly("half the budget: stopped", half.said["stopped"], "budget"),
        _exactly("half the budget: exit code", half.code, 3),
        at_most("half the budget: tokens by the server's log", at_half, charged // 2),
    ]


def same_digest(settings: HasData) -> list[Row]:
    """One digest, and one file, whatever runs it and whatever dies."""
    data = settings.data
    if not (data / ADVISORIES).exists():
        return SKIPPED
    table = data / ADVISORIES
    plain = sort(table, "--runtime", "inline", "--hosts", "1")
    rows = [Row("inline, 1 host", plain.said["digest"][:12])]
    for runtime in ("inline", "ray"):
        for hosts, batch in ((1, 10_000), (2, 100), (4, 100), (4, 10_000)):
            layout = ("--hosts", str(hosts), "--batch-rows", str(batch))
            ran = sort(table, "--runtime", runtime, *layout)
            is_same = ran.said["digest"] == plain.said["digest"] and ran.written == plain.written
            name = f"{runtime}, {hosts} hosts, batches of {batch:,}"
            rows.append(Row(name, ran.said["digest"][:12], "the same", is_same))
    return rows


def crashes(settings: HasData) -> list[Row]:
    """Hosts that fall on purpose, and every way for a driver to end."""
    plain = _ranked("inline")
    rows = []
    kinds: tuple[Kind, ...] = ("inline", "ray")
    for runtime in kinds:
        killed = _ranked(runtime, batch_rows=8, faults=Faults(batch=3))
        rows.append(
            _exactly(f"{runtime}: killed in its third batch", killed.digest[:12], plain.digest[:12])
        )
        fatal = _ranked(runtime, faults=Faults(items=(7,)))
        rows.append(_exactly(f"{runtime}: dead letters", fatal.dead_letters, ["7"]))
        rows.append(
            _exactly(f"{runtime}: the rest ranked", (fatal.n, fatal.status), (59, "degraded"))
        )
    good, all_tests = passed(["tests/commedia/test_exit.py"])
    rows.append(
        _exactly("ways to end that leave no process behind", f"{good} of {all_tests}", "5 of 5")
    )
    return rows


def real_model(settings: HasData) -> list[Row]:
    """A tiny real model that knows nothing, behind a Messages API that others wrote."""
    if not (settings.data / ADVISORIES).exists():
        return SKIPPED
    if not (ROOT / ".venv-local-model" / ".ready").exists():
        return [Row("the local model", "skipped", "`make local-model` was not run", None)]
    good, all_tests = passed(["-m", "local_model", "tests/local_model"])
    return [_exactly("pair and list:10 found out in time", f"{good} of {all_tests}", "2 of 2")]


def start(settings: HasData) -> list[Row]:
    """What our own start costs, beside Ray's and click's, in alternating pairs."""
    bare, ours = [], []
    for _ in range(PAIRS):
        bare.append(seconds(BARE))
        ours.append(seconds(OURS))
    above = statistics.median(o - b for o, b in zip(ours, bare, strict=True))
    click = [sys.executable, "-c", "import click"]
    asked = [_wall([*ENTRY, "--help"]) / _wall(click) for _ in range(PAIRS)]
    demos = [_demo() for _ in range(PAIRS)]
    return [
        Row("bare Ray: init and first actor, s", f"{statistics.median(bare):.2f}"),
        Row("ours, to the first answer, s", f"{statistics.median(ours):.2f}"),
        at_most("above bare Ray, median of 5 pairs, s", above, 1.5, ".2f"),
        at_most("commedia --help / import click", statistics.median(asked), 4, ".2f"),
        at_most("demo: ours, Ray's apart, median of 5, s", statistics.median(demos), 3, ".2f"),
    ]


def _ranked(
    runtime: Literal["inline", "ray"],
    *,
    batch_rows: int | None = None,
    faults: Faults | None = None,
) -> RankResult:
    rows = [{"text": f"thing {n}", "size": float(n * 37 % 60)} for n in range(60)]
    with Session(runtime=runtime, batch_rows=batch_rows, faults=faults) as session:
        return session.rank(rows, "size", text="text", truth="size", ask="list:5")


def _exactly(name: str, value: object, bar: object) -> Row:
    return Row(name, str(value), f"= {bar}", value == bar)


def _demo() -> float:
    """Run the demo; returns the seconds that it calls ours."""
    command = [*ENTRY, "demo"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    return float(done.stdout.partition("; ours ")[2].split()[0])


def _wall(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def _charged(log: Path) -> int:
    usages = [json.loads(line)["usage"] for line in log.read_text().splitlines()]
    return sum(u["input_tokens"] + u["output_tokens"] for u in usages if u)


def _csv_rows(written: bytes) -> int:
    return sum(1 for _ in csv.reader(io.StringIO(written.decode()))) - 1
