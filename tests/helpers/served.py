"""A server to test against, on a socket of this machine or in this process, and its log."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from commedia.actors.models.loopback import loopback
from commedia.actors.models.serving.app import serve_app
from commedia.actors.models.serving.faults import Faults, Rule
from commedia.actors.models.serving.world import World
from commedia.actors.simulation.judge import JudgeProfile

WORLD = World(JudgeProfile(), 5, {})


@dataclass
class Server:
    """Where it listens, and what it logs."""

    url: str
    log: io.StringIO

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it logged so far."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def served(*rules: dict[str, Any], **options: Any) -> Iterator[Server]:
    """Serve simulated agents with *rules* of faults; *options* are those of `serve_app`."""
    log = io.StringIO()
    faults = Faults([Rule.model_validate(rule) for rule in rules])
    with loopback(serve_app(WORLD, log=log, faults=faults, **options)) as url:
        yield Server(url, log)
