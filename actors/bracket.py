"""A tournament: an actor that holds a ranking, hands matches out and takes outcomes in."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import pyarrow as pa

from .actor import Actor, Context, Envelope, Message
from .tables import (
    CLOSED,
    MATCHES_SENT,
    OUTCOMES,
    OUTCOMES_SENT,
    PROGRAM,
    STANDING_SENT,
    TRUSTED,
    bare,
    stamp,
)

Stopped = Literal["target", "budget", "saturation", "data", "judge", "silence"]
"""Why a ranking is over: *data* is that there is nothing left to ask, *silence* that too many calls
in a row had no usable answer."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a ranking stands; *stopped* is None while it wants more matches.

    *question* is what it asks now; *predicted_recall* is for a ranking of the best few alone;
    *judge* is what a pilot found of the judge, by the names of its traits.
    """

    rounds: int
    asked: int
    answered: int
    predicted_tau: float
    stopped: Stopped | None
    expected_calls: int | None
    notes: tuple[str, ...] = ()
    question: str = ""
    predicted_recall: float | None = None
    judge: Mapping[str, float] | None = None


class Ranking(Protocol):
    """Decides which matches to ask and what order the outcomes support: no clock, no I/O."""

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        ...

    def prepare(self) -> None:
        """Get ready for outcomes while the judges are asked: no answer depends on it."""
        ...

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (schema OUTCOMES), in the order its matches were handed out."""
        ...

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament: never shown again, absent from the standing."""
        ...

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (schema STANDING)."""
        ...

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        ...


class NextMatches(Message):
    """Asks a bracket for its next round, at most *limit* matches."""

    limit: int | None = None


class Matches(Message):
    """A bracket's next round; no rows once the ranking has stopped."""

    carries: ClassVar[pa.Schema | None] = MATCHES_SENT


class Record(Message):
    """Gives a bracket the outcomes of the round that it handed out."""

    carries: ClassVar[pa.Schema | None] = OUTCOMES_SENT


class Recorded(Message):
    """Says where the ranking stands after a round."""

    progress: Progress


class Exclude(Message):
    """Takes items out of a tournament; answered by Recorded."""

    items: tuple[int, ...]


class AskStanding(Message):
    """Asks a bracket for its ranking so far."""


class Standing(Message):
    """A bracket's ranking so far, and where it stands."""

    carries: ClassVar[pa.Schema | None] = STANDING_SENT

    progress: Progress


class Bracket(Actor):
    """Holds one tournament. It sees row numbers and closed answers, never a text."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    async def on_start(self, context: Context) -> None:
        """Start the one thread that touches the ranking: a question taken back goes on in it."""
        await super().on_start(context)
        self._thread = ThreadPoolExecutor(1, "bracket")

    async def on_stop(self) -> None:
        """Let the thread end when it is done."""
        self._thread.shutdown(wait=False)

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Answer with matches, progress or the standing; one message after the other."""
        loop = asyncio.get_running_loop()
        yield await loop.run_in_executor(self._thread, self._reply, envelope)
        if isinstance(envelope.body, NextMatches):
            self._thread.submit(self._ranking.prepare)

    def _reply(self, envelope: Envelope) -> Envelope:
        ranking = self._ranking
        match envelope.body:
            case NextMatches(limit=limit):
                return Envelope(Matches(), _minted(ranking.next_matches(limit)))
            case Record():
                ranking.record(bare(envelope.batch(), OUTCOMES))
                return Envelope(Recorded(progress=ranking.progress()))
            case Exclude(items=items):
                for item in items:
                    ranking.exclude(item)
                return Envelope(Recorded(progress=ranking.progress()))
            case AskStanding():
                standing = stamp(ranking.standing(), integrity=CLOSED, provenance=PROGRAM)
                return Envelope(Standing(progress=ranking.progress()), standing)
        raise TypeError(f"a bracket knows nothing of {type(envelope.body).__name__}")


def _minted(matches: pa.RecordBatch) -> pa.RecordBatch:
    return stamp(matches, integrity=TRUSTED, provenance=PROGRAM)
