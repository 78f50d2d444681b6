"""What a supervisor does for the verbs of a run, on its own loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pyarrow as pa

from ..actors.bracket import Progress, Ranking
from ..actors.clock import Clock
from ..actors.simulation.world import World
from .agent_log import Rows
from .tournament import Tournament

Halted = Literal["budget", "interrupt", "silence", "breaker", "question"]
"""Why a run was stopped early: its budget, the user, a model that gave no usable answer, a cause
that no patience mends (key, quota, schema), or a question that nobody is here to answer."""

Deliver = Callable[[pa.RecordBatch], None]
"""Takes a piece of replies, on the supervisor's loop."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question to the user, asked at *path* of the workflow."""

    path: str
    question: str
    options: tuple[str, ...] = ()
    default: str | None = None
    key: str = ""


class Desk(Protocol):
    """The supervisor's side of a Run."""

    clock: Clock
    world: World
    halted: Halted | None

    @property
    def is_replay(self) -> bool:
        """Whether nothing may be asked or done that is not on record."""
        ...

    async def halt(self, halted: Halted) -> None:
        """Make no new call; the workflow is paused once what is under way has come back."""
        ...

    async def ask_agents(self, requests: pa.RecordBatch, deliver: Deliver) -> None:
        """Have *requests* (REQUESTS, of one role and label) answered, a piece at a time."""
        ...

    async def ask_judges(
        self, items: pa.RecordBatch, matches: pa.RecordBatch, *, path: str, by: Sequence[str]
    ) -> pa.RecordBatch:
        """Return the replies to one request for each of *matches* (MATCHES), row for row."""
        ...

    async def share(self, items: pa.RecordBatch) -> None:
        """Have the judges' hosts be told *items*, without waiting for them."""
        ...

    async def unshare(self, items: pa.RecordBatch) -> None:
        """Let go of *items*."""
        ...

    def dead_items(self, items: pa.RecordBatch) -> frozenset[int]:
        """Return the rows of *items* that killed two hosts alone."""
        ...

    def calls_left(self) -> int | None:
        """Return how many calls the budget's cap on agents leaves."""
        ...

    def open_tournament(self, ranking: Ranking) -> Tournament:
        """Return a tournament whose bracket will hold *ranking*."""
        ...

    async def publish(
        self, items: pa.RecordBatch, standing: pa.RecordBatch, progress: Progress
    ) -> None:
        """Write a ranking so far into the run's folder, and show where it stands."""
        ...

    async def call(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Return what *function* returns, called on a host; raises what it raised."""
        ...

    async def inquire(self, inquiry: Inquiry) -> str | None:
        """Return the user's answer; None where nobody is here to give one."""
        ...

    def recall(self, path: str, key: str) -> Mapping[str, Any] | None:
        """Return what the journal has for *path* if its *key* is the same."""
        ...

    def note(self, record: Mapping[str, Any]) -> None:
        """Have *record* journaled soon; may be called from any thread."""
        ...

    async def record(self, record: Mapping[str, Any]) -> None:
        """Have *record* journaled; returns once that is durable."""
        ...

    def event(self, kind: str, text: str) -> None:
        """Add a line to the run's events; may be called from any thread."""
        ...

    def agents(self, rows: Rows) -> None:
        """Add agents that have ended (AGENT_LOG) to the run's table; from any thread."""
        ...
