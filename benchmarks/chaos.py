"""Sorts through a server while their processes are killed, one after the other, by process id."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from ..results import RankResult
from ..supervisor.children import Intensity
from .auditor import MODEL, QUALITY, Books, items, keeping_books
from .command import ENTRY, environment
from .rows import Row, at_most

ROWS: Final = 1000
HOSTS_KILLED: Final = 25
GATEWAYS_KILLED: Final = 5
IN_FLIGHT: Final = 32
LATENCY_S: Final = 0.4
"""So long that calls are in flight whenever something is killed."""
PATIENCE_S: Final = 300.0
_OFTEN: Final = Intensity(200, 60.0)


def hosts() -> list[Row]:
    """A sort of 1,000 rows on Ray, through a server; 25 judge hosts are killed -9 meanwhile."""
    table = items(ROWS)
    with keeping_books(table) as whole_books:
        whole = _ranked(whole_books)
    with keeping_books(table, "--latency", str(LATENCY_S)) as books:
        with _killing("judge", HOSTS_KILLED, every_s=1.0) as killer:
            result = _ranked(books, hosts=3, batch_rows=16)
        return [
            Row("calls", f"{whole.calls:,}"),
            Row("hosts killed", str(len(killer.killed)), f"= {HOSTS_KILLED}", _all(killer)),
            _same(result, whole),
            at_most("charged twice, by the server's log", books.duplicates(), 0),
        ]


def gateways() -> list[Row]:
    """The same sort; the gateway is killed -9 five times."""
    table = items(ROWS)
    with keeping_books(table) as whole_books:
        whole = _ranked(whole_books)
    with keeping_books(table, "--latency", str(LATENCY_S)) as books:
        with _killing("gateway", GATEWAYS_KILLED, every_s=5.0) as killer:
            result = _ranked(books, budget="5M")
        unknown = len(result.unsettled)
        return [
            Row("gateways killed", str(len(killer.killed)), f"= {GATEWAYS_KILLED}", _all(killer)),
            _same(result, whole),
            at_most("charged twice", books.duplicates(), unknown),
            at_most("unknown", unknown, GATEWAYS_KILLED * IN_FLIGHT),
            at_most("tokens counted", result.tokens, 5_000_000),
            at_most("tokens charged, by the server's log", books.tokens(), result.tokens),
        ]


def drivers() -> list[Row]:
    """The driver killed -9 three times, resumed elsewhere each time; and the supervisor, thrice."""
    table = items(ROWS)
    with keeping_books(table) as whole_books:
        whole = _ranked(whole_books)
    rows = []
    with keeping_books(table, "--latency", str(LATENCY_S)) as books:
        said, kills = _resumed(books, kills=3)
        rows += [
            Row("drivers killed", str(kills), "= 3", kills == 3),
            Row("driver: same result", "", "yes", said["digest"] == whole.digest),
            at_most("driver: charged twice", books.duplicates(), 3 * IN_FLIGHT),
            at_most("driver: finished calls paid again", _paid_again(books, said), 0),
        ]
    with keeping_books(table, "--latency", str(LATENCY_S)) as books:
        with _killing("supervisor", 3, every_s=7.0) as killer:
            result = _ranked(books)
        rows += [
            Row("supervisors killed", str(len(killer.killed)), "= 3", _all(killer)),
            _same(result, whole, "supervisor: "),
            at_most("supervisor: charged twice", books.duplicates(), len(result.unsettled)),
        ]
    return rows


@dataclass(slots=True)
class Killer:
    """Kills processes of one role of this process's Ray, again and again."""

    role: str
    wanted: int
    every_s: float
    killed: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Kill one of the role every so often, until enough are dead, or the run is over."""
        rng = random.Random(self.role)
        while len(self.killed) < self.wanted and not self.over.wait(self.every_s):
            there = [pid for pid in processes_of(self.role) if pid not in self.killed]
            if there:
                pid = rng.choice(there)
                os.kill(pid, signal.SIGKILL)
                self.killed.append(pid)


def processes_of(role: str) -> list[int]:
    """Return the process ids of the actors of *role* that this process's Ray runs."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[:1] and process.cmdline()[0].startswith(f"ray::{role}"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return sorted(found)


@contextmanager
def _killing(role: str, count: int, *, every_s: float) -> Iterator[Killer]:
    killer = Killer(role, count, every_s)
    thread = threading.Thread(target=killer.work, daemon=True)
    thread.start()
    try:
        yield killer
    finally:
        killer.over.set()
        thread.join()


def _all(killer: Killer) -> bool:
    return len(killer.killed) == killer.wanted


def _ranked(books: Books, **options: Any) -> RankResult:
    with books.session(runtime="ray", in_flight=IN_FLIGHT, intensity=_OFTEN, **options) as session:
        return session.rank(items(ROWS), QUALITY, text="text", id="id", ask="list:10")


def _same(result: RankResult, whole: RankResult, of: str = "") -> Row:
    return Row(f"{of}same result", "", "yes", result.digest == whole.digest)


def _resumed(books: Books, *, kills: int) -> tuple[dict[str, Any], int]:
    """Sort in processes of their own, each killed but the last; return what that says."""
    env, done = environment(), 0
    rng = random.Random("drivers")
    sort = [*_sort(books)]
    for life in range(kills + 1):
        command = [*ENTRY, *(sort if life == 0 else ["resume", "last"]), "--json", "-q"]
        command += ["--runtime", "ray"]
        pipe, before = subprocess.PIPE, len(books.lines())
        driver = subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True)
        while driver.poll() is None and len(books.lines()) == before:
            time.sleep(0.1)  # it is killed while it works, and not while it starts
        try:
            wait_s = 2.0 + 4.0 * rng.random() if life < kills else PATIENCE_S
            out, err = driver.communicate(timeout=wait_s)
            if not out:
                raise RuntimeError(f"life {life} said no JSON object: {err}")
            return json.loads(out), done
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait()
            done += 1
            time.sleep(0.5)
    raise AssertionError("the last life is not killed")


def _sort(books: Books) -> Sequence[str]:
    return [
        *("sort", str(books.world), "--by", QUALITY, "--text", "text", "--id", "id"),
        *("--model", MODEL, "--base-url", books.address, "--budget", "1000M"),
        *("--ask", "list:10", "--in-flight", str(IN_FLIGHT)),
    ]


def _paid_again(books: Books, said: dict[str, Any]) -> int:
    """Return how many charges are neither first ones nor listed as unknown."""
    return max(books.duplicates() - len(said.get("unsettled") or []), 0)


Section = Callable[[], list[Row]]
SECTIONS: Final[dict[str, Section]] = {"hosts": hosts, "gateways": gateways, "drivers": drivers}
