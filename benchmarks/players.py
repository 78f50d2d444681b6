"""Who plays the agents of a run that is killed, and keeps account of what they were asked."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ..models import model_of, world_of
from ..session import Session
from ..supervisor.children import Intensity
from .command import folder, serving

MODEL: Final = '''
"""A scripted model that writes down what it is asked, and answers by the hash of the prompt."""

import asyncio
import json
from hashlib import blake2b
from pathlib import Path

from commedia.actors.answers import answer_schema
from commedia.actors.models.sampling import sample
from commedia.actors.models.wire import Attempt
from commedia.actors.questions import Question
from commedia.actors.simulation.keyed import text_key
from commedia.supervisor.charges import Identity

LOG = Path({log!r})


async def counted(row):
    path = Identity.of(row).path
    digest = blake2b(f"{{path}} {{row['prompt']}}".encode(), digest_size=8).hexdigest()
    with LOG.open("a") as log:
        log.write(f"{{path}}\\n")
    await asyncio.sleep(0.02 + int(digest[:2], 16) / 255 * 0.06)
    if row["max_tokens"] == 1:
        return Attempt("truncated")
    if row["role"] == "judge":
        schema = answer_schema(Question.parse(row["task"]))
    elif row["output_schema"] is None:
        return f"answer {{digest}}"
    else:
        schema = json.loads(row["output_schema"])
    return worded(sample(schema, text_key(digest)), digest)


def worded(value, key):
    """Return *value* with another word in each place of a text."""
    if isinstance(value, dict):
        return {{name: worded(part, key + name) for name, part in value.items()}}
    if isinstance(value, list):
        return [worded(part, f"{{key}} {{place}}") for place, part in enumerate(value)]
    if value != "a simulated answer":
        return value
    return "".join(chr(97 + byte % 26) for byte in blake2b(key.encode(), digest_size=8).digest())
'''

NOBODY: Final = "none"
IN_FLIGHT: Final = 8

RuntimeKind = Literal["inline", "ray"]


@dataclass(frozen=True, slots=True)
class Flow:
    """What the command line is to run, and its own arguments; a `sort` takes a table.

    *world* is what simulated agents know (`FILE.py:NAME`). *has_slow_tools*: its tools take most
    of its time, and what they returned is not done again.
    """

    target: str
    args: Mapping[str, Any] = field(default_factory=dict)
    verb: Literal["run", "sort"] = "run"
    world: str | None = None
    has_slow_tools: bool = False

    @property
    def name(self) -> str:
        """Its name without its place."""
        return Path(self.target.rpartition(":")[2]).stem

    @property
    def words(self) -> list[str]:
        """What is written behind the command's own options."""
        return [self.target, *(word for pair in self.args.items() for word in _words(*pair))]


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays the agents, and the file that says what they were asked.

    A model names a call by its path, a server by a digest of the request, which some calls can
    share; *digests* are those of each path (see `telling_apart`).
    """

    model: str
    base_url: str | None = None
    budget: str | None = None
    log: Path | None = None
    in_flight: int = IN_FLIGHT
    digests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def words(self, flow: Flow) -> list[str]:
        """What `commedia run` is told."""
        told = {"model": self.model, "base-url": self.base_url, "budget": self.budget}
        pairs = {**told, "world": self._world(flow), "in-flight": self.in_flight}
        return [word for pair in pairs.items() if pair[1] is not None for word in _words(*pair)]

    def asked(self) -> list[str]:
        """Return what was asked so far: a path, or a server's hash of a request, a line."""
        if self.log is None or not self.log.exists():
            return []
        return [_name_of(line) for line in self.log.read_text().splitlines()]

    def logged(self, paths: Iterable[str]) -> Counter[str]:
        """Return what the log says once each of *paths* was asked."""
        return Counter(name for path in paths for name in self.digests.get(path, (path,)))

    def finished(self, paths: Iterable[str]) -> set[str]:
        """Return the names in the log that stand for none but *paths*, whose answers are there."""
        known, there = self.logged(self.digests), self.logged(paths)
        return {name for name, count in there.items() if count >= known.get(name, 1)}

    def paths_of(self, name: str) -> list[str]:
        """Return the calls that the log calls *name*."""
        return [path for path, names in self.digests.items() if name in names] or [name]

    def session(self, runtime: RuntimeKind, flow: Flow | None = None) -> Session:
        """Return a session with this player, whose children may die often."""
        return Session(
            model=model_of(self.model),
            base_url=self.base_url,
            budget=self.budget,
            runtime=runtime,
            in_flight=self.in_flight,
            world=None if flow is None else world_of(self._world(flow)),
            intensity=Intensity(100, 60.0),
        )

    def keeps(self, flow: Flow) -> bool:
        """Whether a run goes on where it was killed: simulated agents are asked anew instead."""
        return self.log is not None or self.model == NOBODY or flow.has_slow_tools

    def _world(self, flow: Flow) -> str | None:
        return flow.world if self.model.startswith("sim:") else None


def counting_model(place: Path) -> Player:
    """Write the counting model into *place*, and return who plays with it."""
    model, log = place / "model.py", place / "asked.log"
    model.write_text(MODEL.format(log=str(log)))
    return Player(f"{model}:counted", log=log)


@contextmanager
def served_model(place: Path, *, latency_s: float = 0.05) -> Iterator[Player]:
    """Run `commedia serve` in another process, with a log; yields who plays through it."""
    log = place / "served.jsonl"
    options = ("--model", "sim:ideal", "--latency", str(latency_s), "--log", str(log))
    with serving(*options) as address:
        yield Player("claude-haiku-5-5", address, "50M", log)


@contextmanager
def playing(name: str) -> Iterator[Player]:
    """Yield the player called *name*: `counted`, `claude` (through a server), or a model's name."""
    if name == "claude":
        with served_model(folder()) as player:
            yield player
    else:
        yield counting_model(folder()) if name == "counted" else Player(name)


def _words(name: str, value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [word for key, part in value.items() for word in _words(name, f"{key}={part}")]
    return [f"--{name}", str(value)]


def _name_of(line: str) -> str:
    return str(json.loads(line)["digest"]) if line.startswith("{") else line
