"""Runs that are killed hard and resumed, in processes of their own, and counted from outside."""

import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from ..models import model_of
from ..session import Session
from ..supervisor.charges import CHARGES
from ..supervisor.children import Intensity
from ..supervisor.diary import DIARY
from ..supervisor.journal import scan
from ..workflows import find_workflow
from .command import ENTRY, environment, folder

LOG: Final = "COMMEDIA_ASKED_LOG"
"""Names the file in which the counting model keeps account of what it is asked."""

MODEL: Final = '''
"""A scripted model that writes down what it is asked, and answers by the hash of the prompt."""

import asyncio
import json
import os
from hashlib import blake2b
from pathlib import Path

from commedia.actors.answers import answer_schema
from commedia.actors.models.sampling import sample
from commedia.actors.models.wire import Attempt
from commedia.actors.questions import Question
from commedia.actors.simulation.keyed import text_key
from commedia.supervisor.charges import Identity


async def counted(row):
    digest = blake2b(row["prompt"].encode(), digest_size=8).hexdigest()
    with Path(os.environ["COMMEDIA_ASKED_LOG"]).open("a") as log:
        log.write(f"{Identity.of(row).path}\\n")
    await asyncio.sleep(0.02 + int(digest[:2], 16) / 255 * 0.06)
    if row["max_tokens"] == 1:
        return Attempt("truncated")
    if row["role"] == "judge":
        schema = answer_schema(Question.parse(row["task"]))
    elif row["output_schema"] is None:
        return f"answer {digest}"
    else:
        schema = json.loads(row["output_schema"])
    return sample(schema, text_key(digest))
'''

RuntimeKind = Literal["inline", "ray"]
PATIENCE_S: Final = 120.0
IN_FLIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class Flow:
    """What the command line is to run, and its own arguments; a `sort` takes a table."""

    target: str
    args: Mapping[str, Any] = field(default_factory=dict)
    verb: Literal["run", "sort"] = "run"

    @property
    def name(self) -> str:
        """Its name without its place."""
        return self.target.rpartition(":")[2]

    @property
    def words(self) -> list[str]:
        """What is written behind the command's own options."""
        pairs = [(f"--{name}", str(value)) for name, value in self.args.items()]
        return [self.target, *(word for pair in pairs for word in pair)]


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays the agents, and the file that says what they were asked."""

    model: str
    base_url: str | None = None
    budget: str | None = None
    log: Path | None = None

    @property
    def words(self) -> list[str]:
        """What `commedia run` is told."""
        told = {"--model": self.model, "--base-url": self.base_url, "--budget": self.budget}
        pairs = [(name, value) for name, value in told.items() if value is not None]
        return [*(word for pair in pairs for word in pair), "--in-flight", str(IN_FLIGHT)]

    def asked(self) -> list[str]:
        """Return what was asked so far: a path, or a server's hash of a request, a line."""
        if self.log is None or not self.log.exists():
            return []
        return [_name_of(line) for line in self.log.read_text().splitlines()]

    def session(self, runtime: RuntimeKind) -> Session:
        """Return a session with this player, whose children may die often."""
        return Session(
            model=model_of(self.model),
            base_url=self.base_url,
            budget=self.budget,
            runtime=runtime,
            in_flight=IN_FLIGHT,
            intensity=Intensity(100, 60.0),
        )


@dataclass(slots=True)
class Chain:
    """A run that was killed again and again, and then came to its end."""

    said: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    kills: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    """How often each call was asked, over all lives."""
    finished_again: list[str] | None = None
    """Calls that were asked although their answer was on disk; None where that cannot be told."""
    work_s: float = 0.0
    """How long the last life took, from its first call on."""

    @property
    def value(self) -> Any:  # Any: JSON
        """What the workflow returned."""
        return self.said["value"]

    @property
    def repeats(self) -> int:
        """How many requests were made for calls that had been asked before."""
        return sum(self.asked.values()) - len(self.asked)

    @property
    def unlisted(self) -> int:
        """How many of these requests the run does not list as in flight at a kill."""
        listed = Counter(self.said["unsettled"])
        if self.finished_again is None:  # a server knows no paths
            return max(self.repeats - listed.total(), 0)
        return (self.asked - Counter(self.asked.keys()) - listed).total()

    def take_in(self, asked: Sequence[str], finished: set[str]) -> None:
        """Count what was *asked* in one life, at whose beginning answers were on disk."""
        self.asked.update(asked)
        if self.finished_again is not None:
            self.finished_again += [call for call in asked if call in finished]


def counting_model(place: Path) -> Player:
    """Write the counting model into *place*, and return who plays with it."""
    model, log = place / "model.py", place / "asked.log"
    model.write_text(MODEL)
    os.environ[LOG] = str(log)  # for every process from here on
    return Player(f"{model}:counted", log=log)


@contextmanager
def served_model(place: Path, *, latency_s: float = 0.05) -> Iterator[Player]:
    """Run `commedia serve` in another process, with a log; yields who plays through it."""
    log = place / "served.jsonl"
    options = ["--model", "sim:ideal", "--latency", str(latency_s), "--port", "0"]
    command = [*ENTRY, "serve", *options, "--log", str(log)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        yield Player("claude-haiku-5-5", address, "50M", log)
    finally:
        server.terminate()
        server.wait(timeout=30)


def killed(
    flow: Flow, player: Player, moments: Sequence[float], *, runtime: RuntimeKind = "inline"
) -> Chain:
    """Run *flow*, kill its driver after each of *moments* (seconds of work in all), and end it."""
    env, chain = environment(), Chain(finished_again=None if player.base_url else [])
    told, finished = len(player.asked()), set[str]()
    options = ["--runtime", runtime, "--json", "-q"]
    command = [*ENTRY, flow.verb, *player.words, *options, *flow.words]
    for before, moment in zip((0.0, *moments), moments, strict=False):
        with _driving(command, env, player) as driver:
            _kill(driver, moment - before)
        chain.kills += 1
        asked = player.asked()
        chain.take_in(asked[told:], finished)
        told, finished = len(asked), _answered(Path(env["COMMEDIA_HOME"]))
        command = [*ENTRY, "resume", "last", *options]
    with _driving(command, env, player) as driver:
        began = time.monotonic()
        out, err = driver.communicate(timeout=PATIENCE_S)
        chain.work_s = time.monotonic() - began
    chain.take_in(player.asked()[told:], finished)
    try:
        chain.said = json.loads(out)
    except ValueError:
        raise RuntimeError(f"{flow.name} said no JSON object: {err}") from None
    chain.code = driver.returncode
    return chain


def beheaded(
    flow: Flow, player: Player, points: Sequence[float] = (), *, runtime: RuntimeKind = "inline"
) -> Chain:
    """Run *flow* once in this process, and kill its supervisor at each of *points*.

    A point is how many different calls were asked; where nobody counts, seconds of work in all.
    """
    told = len(player.asked())
    with _at_home() as home, player.session(runtime) as session:
        headsman = _Headsman(session, home, player, told)
        thread = threading.Thread(target=headsman.work, args=(points,), daemon=True)
        thread.start()
        try:
            said = session.start(find_workflow(flow.target), flow.args).to_json()
        finally:
            headsman.over.set()
            thread.join()
    chain = Chain(said, kills=headsman.kills)
    chain.take_in(player.asked()[told:], set())
    return chain


@dataclass(slots=True)
class _Headsman:
    """Kills the supervisor of the one run of *session*, from a thread of its own."""

    session: Session
    home: Path
    player: Player
    told: int
    kills: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def work(self, points: Sequence[float]) -> None:
        """Kill at each of *points*, until the run is over."""
        for earlier, point in zip((0.0, *points), points, strict=False):
            if not self._comes(lambda: _lives(self.home) > self.kills):
                return
            due = time.monotonic() + point - earlier
            if not self._comes(partial(self._is_due, point, due)):
                return
            driver, runtime = self.session._driver, self.session._runtime
            if driver is not None and driver._supervisor is not None and runtime is not None:
                self.kills += 1
                loop = self.session._thread()._loop
                loop.call_soon_threadsafe(runtime.kill, driver._supervisor)

    def _is_due(self, point: float, due: float) -> bool:
        if self.player.log is None:
            return time.monotonic() >= due
        return len(set(self.player.asked()[self.told :])) >= point

    def _comes(self, is_so: Callable[[], bool]) -> bool:
        """Wait until *is_so*; returns whether that came before the run was over."""
        _wait_for(lambda: self.over.is_set() or is_so())
        return not self.over.is_set()


@contextmanager
def _at_home() -> Iterator[Path]:
    """Keep the runs of this process in a new folder for a while."""
    home, before = folder(), os.environ.get("COMMEDIA_HOME")
    os.environ["COMMEDIA_HOME"] = str(home)
    try:
        yield home
    finally:
        os.environ.pop("COMMEDIA_HOME")
        if before is not None:
            os.environ["COMMEDIA_HOME"] = before


@contextmanager
def _driving(
    command: Sequence[str], env: Mapping[str, str], player: Player
) -> "Iterator[subprocess.Popen[str]]":
    """Start *command*, and yield it once its supervisor works: at the first call, if they count."""
    home = Path(env["COMMEDIA_HOME"])
    lives, calls = _lives(home), len(_charges(home))
    is_counted = player.log is not None
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        _wait_for(lambda: _lives(home) > lives or driver.poll() is not None)
        if is_counted:
            _wait_for(lambda: len(_charges(home)) > calls or driver.poll() is not None)
        yield driver


def _kill(driver: "subprocess.Popen[str]", after_s: float) -> None:
    """Kill *driver* in so many seconds, unless it has come to its end."""
    try:
        driver.wait(after_s)
    except subprocess.TimeoutExpired:
        driver.kill()
        return
    assert driver.stderr is not None
    if driver.returncode:
        raise RuntimeError(f"the run ended by itself: {driver.stderr.read()}")


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("the run did not begin")
        time.sleep(0.002)


def _lives(home: Path) -> int:
    """Return how often the one run in *home* has begun."""
    diaries = home.glob(f"runs/*/{DIARY}")
    return sum(record["t"] == "begun" for d in diaries for record in scan(d.read_bytes()).records)


def _answered(home: Path) -> set[str]:
    """Return the calls of the one run in *home* whose answers are on disk."""
    ended = [record for record in _charges(home) if record["t"] == "result"]
    return {record["p"] for record in ended if record["status"] == "ok"}


def _charges(home: Path) -> list[dict[str, Any]]:
    journals = home.glob(f"runs/*/{CHARGES}")
    return [record for file in journals for record in scan(file.read_bytes()).records]


def _name_of(line: str) -> str:
    return str(json.loads(line)["digest"]) if line.startswith("{") else line
