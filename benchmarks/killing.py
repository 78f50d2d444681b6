"""Drivers that are killed hard and resumed, in processes of their own, and counted from outside."""

import json
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..supervisor.charges import CHARGES
from ..supervisor.diary import DIARY
from ..supervisor.journal import scan
from .command import ENTRY, environment, folder
from .players import Flow, Player, RuntimeKind, served_model

PATIENCE_S: Final = 120.0
POLL_S: Final = 0.002

Record = Mapping[str, Any]


@dataclass(slots=True)
class Chain:
    """A run that was killed again and again, and then came to its end."""

    said: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    kills: int = 0
    """How often it was really killed: a kill that comes after the end is none."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each call was asked, over all lives, by its name in the player's log."""
    listed: Counter[str] = field(default_factory=Counter)
    """How often each was in flight at a kill, as the run lists it at its end."""
    finished_again: list[str] = field(default_factory=list)
    """Calls that were asked although the answers of all that share the name were on disk."""
    sent_again: int = 0
    """How many requests the run itself wrote down behind the answer to the same call."""
    steps: int = 0
    """How many values of tools, of the user and of waits are on disk."""
    steps_again: int = 0
    """How many of these were written more than once: their work was done again."""
    work_s: float = 0.0
    """How long the last life took, from the beginning of its work on."""

    @property
    def value(self) -> Any:  # Any: JSON
        """What the workflow returned."""
        return self.said["value"]

    def repeats(self, whole: "Chain") -> int:
        """How many more requests were made than in the *whole* run, which nobody killed."""
        return (self.asked - whole.asked).total()

    def unlisted(self, whole: "Chain") -> int:
        """How many of these requests the run does not list as in flight at a kill."""
        return (self.asked - whole.asked - self.listed).total()

    def take_in(self, asked: Sequence[str], finished: set[str]) -> None:
        """Count what was *asked* in one life, at whose beginning answers were on disk."""
        self.asked.update(asked)
        self.finished_again += [call for call in asked if call in finished]

    def count_written(self, home: Path) -> None:
        """Count what the one run in *home* has written down."""
        self.sent_again = _sent_again(home)
        written = steps(home)
        self.steps = len(set(written))
        self.steps_again = len(written) - self.steps


def killed(
    flow: Flow, player: Player, waits: Sequence[float], *, runtime: RuntimeKind = "inline"
) -> Chain:
    """Run *flow*, kill the driver of each life after so many seconds of work, and end the run.

    Whatever *runtime* was killed, the last life is inline, which starts faster. A life that ends
    before its kill ends the chain.
    """
    env, chain = environment(), Chain()
    home, told, finished = Path(env["COMMEDIA_HOME"]), len(player.asked()), set[str]()
    options, out = ["--json", "-q"], None
    verb, words = [flow.verb, *player.words(flow)], flow.words
    for wait_s in (*waits, PATIENCE_S):
        kind = runtime if chain.kills < len(waits) else "inline"
        command = [*ENTRY, *verb, "--runtime", kind, *options, *words]
        with _driving(command, home, env, counts_calls=_counts_calls(flow, player)) as driver:
            began = time.monotonic()
            out, err = _ended(driver, wait_s)
            chain.work_s = time.monotonic() - began
        asked = player.asked()
        chain.take_in(asked[told:], finished)
        if out is not None:
            break
        chain.kills += 1
        told, finished = len(asked), player.finished(answered(home))
        verb, words = ["resume", "last"], []
    try:
        chain.said = json.loads(out or "")
    except ValueError:
        raise RuntimeError(f"{flow.name} said no JSON object: {err}") from None
    chain.code, chain.listed = driver.returncode, player.logged(paths_of(chain.said))
    chain.count_written(home)
    return chain


def telling_apart(flow: Flow, player: Player) -> Player:
    """Return *player* with what its server calls each call of *flow*, where a server plays.

    From a run of its own, one call at a time: the journal and the server's log have one order.
    """
    if player.base_url is None:
        return player
    env, names = environment(), defaultdict[str, list[str]](list)
    with served_model(folder(), latency_s=0.0) as quick:
        alone = replace(quick, in_flight=1)
        command = [*ENTRY, flow.verb, *alone.words(flow), "--runtime", "inline", "--json", "-q"]
        done = subprocess.run(
            [*command, *flow.words], env=env, capture_output=True, text=True, check=False
        )
        asked = alone.asked()
    records = _records(Path(env["COMMEDIA_HOME"]), CHARGES)
    paths = [record["p"] for record in records if record["t"] == "intent"]
    if not paths or len(paths) != len(asked):
        raise RuntimeError(f"{len(paths)} calls of {flow.name}, {len(asked)} asked: {done.stderr}")
    for path, name in zip(paths, asked, strict=True):
        names[path].append(name)
    return replace(player, digests={path: tuple(each) for path, each in names.items()})


def paths_of(said: Mapping[str, Any]) -> list[str]:
    """Return the calls that a run says may have been charged in vain."""
    return [str(call["path"]) for call in said.get("unsettled") or []]


def answered(home: Path) -> set[str]:
    """Return the calls of the one run in *home* whose answers are on disk."""
    ended = [record for record in _records(home, CHARGES) if record["t"] == "result"]
    return {record["p"] for record in ended if record["status"] == "ok"}


def lives(home: Path) -> int:
    """Return how often the one run in *home* has begun."""
    return sum(record["t"] == "begun" for record in _records(home, DIARY))


def steps(home: Path) -> list[tuple[str, str, str]]:
    """Return what the one run in *home* need not do again, besides calls: type, path and key."""
    return [(r["t"], r["p"], r["h"]) for r in _records(home, DIARY) if "h" in r]


def wait_for(is_so: Callable[[], bool]) -> None:
    """Return once *is_so*; raises TimeoutError where that is never."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("the run did not begin")
        time.sleep(POLL_S)


@contextmanager
def _driving(
    command: Sequence[str], home: Path, env: Mapping[str, str], *, counts_calls: bool
) -> "Iterator[subprocess.Popen[str]]":
    """Start *command*, and yield it once its supervisor works: at the first call, if they count."""
    before, calls = lives(home), len(_records(home, CHARGES))
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as driver:
        wait_for(lambda: lives(home) > before or driver.poll() is not None)
        if counts_calls:
            wait_for(lambda: len(_records(home, CHARGES)) > calls or driver.poll() is not None)
        yield driver


def _counts_calls(flow: Flow, player: Player) -> bool:
    """Whether a life's work begins with a call that somebody counts."""
    return player.log is not None and not flow.has_slow_tools


def _ended(driver: "subprocess.Popen[str]", after_s: float) -> tuple[str | None, str]:
    """Kill *driver* in so many seconds; returns what it said if it came to its end before."""
    try:
        out, err = driver.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        driver.kill()
        return None, f"it was killed after {after_s:g} s"
    return out, err


def _sent_again(home: Path) -> int:
    again, finished = 0, set[tuple[str, str]]()
    for record in _records(home, CHARGES):
        if record["t"] == "result" and record["status"] == "ok":
            finished.add((record["p"], record["h"]))
        again += record["t"] == "intent" and (record["p"], record["h"]) in finished
    return again


def _records(home: Path, name: str) -> list[Record]:
    journals = home.glob(f"runs/*/{name}")
    return [record for file in journals for record in scan(file.read_bytes()).records]
