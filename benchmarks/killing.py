"""Runs in processes of their own that are killed hard and resumed, and counted from outside."""

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ..supervisor.charges import CHARGES
from ..supervisor.diary import DIARY
from ..supervisor.journal import scan
from .command import ENTRY, environment

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
from commedia.actors.questions import Question
from commedia.actors.simulation.keyed import text_key
from commedia.supervisor.charges import Identity


async def counted(row):
    digest = blake2b(row["prompt"].encode(), digest_size=8).hexdigest()
    with Path(os.environ["COMMEDIA_ASKED_LOG"]).open("a") as log:
        log.write(f"{Identity.of(row).path}\\n")
    await asyncio.sleep(0.02 + int(digest[:2], 16) / 255 * 0.06)
    if row["role"] == "judge":
        schema = answer_schema(Question.parse(row["task"]))
    elif row["output_schema"] is None:
        return f"answer {digest}"
    else:
        schema = json.loads(row["output_schema"])
    return sample(schema, text_key(digest))
'''

Runtime = Literal["inline", "ray"]
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Flow:
    """A workflow as the command line takes it: what to run, and its own arguments."""

    target: str
    args: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name without its place."""
        return self.target.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays the agents: what `run` is told, and the file that says what they were asked."""

    options: tuple[str, ...]
    log: Path | None = None

    def asked(self) -> list[str]:
        """Return what was asked so far: a path, or a server's digest of a request, a line."""
        if self.log is None or not self.log.exists():
            return []
        return [_name_of(line) for line in self.log.read_text().splitlines()]


@dataclass(slots=True)
class Chain:
    """A run that was killed again and again, and then came to its end."""

    said: dict[str, Any] = field(default_factory=dict)
    code: int = -1
    kills: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    """How often each call was asked, over all lives."""
    finished_again: list[str] = field(default_factory=list)
    """Calls that were asked although their answer was on disk."""

    @property
    def repeats(self) -> int:
        """How many requests were made for calls that had been asked before."""
        return sum(self.asked.values()) - len(self.asked)

    @property
    def listed(self) -> int:
        """How many calls the run says were in flight at a kill."""
        return len(self.said["unsettled"])


def counting_model(place: Path) -> Player:
    """Write the counting model into *place*, and return who plays with it."""
    model, log = place / "model.py", place / "asked.log"
    model.write_text(MODEL)
    os.environ[LOG] = str(log)  # for every process from here on
    return Player(("--model", f"{model}:counted", "--in-flight", "8"), log)


def killed(
    flow: Flow, player: Player, moments: Sequence[float], *, runtime: Runtime = "inline"
) -> Chain:
    """Run *flow*, kill its driver after each of *moments* (seconds of work in all), and end it."""
    env, chain = environment(), Chain()
    told = len(player.asked())
    options = ("--runtime", runtime, "--json", "-q")
    command = [*ENTRY, "run", *player.options, *options, flow.target, *flow.args]
    finished = set[str]()
    for before, moment in zip((0.0, *moments), moments, strict=False):
        _kill(command, env, moment - before)
        chain.kills += 1
        told = _count(chain, player, told, finished)
        finished = _answered(_run_in(env))
        command = [*ENTRY, "resume", "last", *options]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
    )
    _count(chain, player, told, finished)
    try:
        chain.said = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"{flow.name} said no JSON object: {done.stderr}") from None
    chain.code = done.returncode
    return chain


def _count(chain: Chain, player: Player, told: int, finished: set[str]) -> int:
    """Take in what was asked since *told* lines; return how many there are now."""
    asked = player.asked()
    chain.asked.update(asked[told:])
    chain.finished_again += [call for call in asked[told:] if call in finished]
    return len(asked)


def _kill(command: Sequence[str], env: Mapping[str, str], after_s: float) -> None:
    """Start *command*, and kill it so many seconds after its supervisor began to work."""
    lives = _lives(env)
    with subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as driver:
        deadline = time.monotonic() + _PATIENCE_S
        while _lives(env) == lives and driver.poll() is None:
            if time.monotonic() > deadline:
                driver.kill()
                raise RuntimeError("the run did not begin")
            time.sleep(0.002)
        try:
            driver.wait(after_s)
        except subprocess.TimeoutExpired:
            driver.kill()
        else:
            assert driver.stderr is not None
            if driver.returncode:
                raise RuntimeError(f"the run ended by itself: {driver.stderr.read()}")


def _lives(env: Mapping[str, str]) -> int:
    """Return how often the one run of this home has begun."""
    home = Path(env["COMMEDIA_HOME"]) / "runs"
    diaries = list(home.glob(f"*/{DIARY}"))
    return sum(record["t"] == "begun" for d in diaries for record in scan(d.read_bytes()).records)


def _run_in(env: Mapping[str, str]) -> Path:
    [run] = (Path(env["COMMEDIA_HOME"]) / "runs").iterdir()
    return run


def _answered(run: Path) -> set[str]:
    """Return the calls whose answers are on disk."""
    file = run / CHARGES
    records = scan(file.read_bytes()).records if file.exists() else []
    return {r["p"] for r in records if r["t"] == "result" and r["status"] == "ok"}


def _name_of(line: str) -> str:
    return str(json.loads(line)["digest"]) if line.startswith("{") else line
