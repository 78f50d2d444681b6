"""The Run: the verbs that a workflow is written in. It lives in the workflow's own thread."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal, Protocol, TypeVar

import pyarrow as pa

from ..actors.answers import Verdict
from ..actors.bracket import Progress, Ranking
from ..actors.clock import Clock
from ..actors.errors import InvalidAnswerError
from ..actors.questions import Question
from ..actors.tables import INPUT, ITEMS, UNTRUSTED, batch
from .tournament import Tournament

T = TypeVar("T")
Halted = Literal["budget", "interrupt", "silence"]
"""Why a run was stopped early: its budget, the user, or a model that gave no usable answer."""


class Desk(Protocol):
    """What a supervisor does for the verbs, on its own loop."""

    clock: Clock
    halted: Halted | None
    dead_items: set[int]

    async def ask_judges(
        self, items: pa.RecordBatch, shown: pa.Array, *, by: str, question: Question
    ) -> pa.RecordBatch:
        """Return the replies to one request for each row of *shown*, row for row."""
        ...

    async def share(self, items: pa.RecordBatch) -> None:
        """Have the hosts be told *items*, without waiting for them."""
        ...

    def calls_left(self) -> int | None:
        """Return how many calls the budget's cap on agents leaves."""
        ...

    def open_tournament(self, ranking: Ranking) -> Tournament:
        """Return a tournament whose bracket will hold *ranking*."""
        ...

    async def publish(self, standing: pa.RecordBatch, progress: Progress) -> None:
        """Write the ranking so far into the run's folder, and show where it stands."""
        ...

    def event(self, kind: str, text: str) -> None:
        """Add a line to the run's events; may be called from any thread."""
        ...


class Run:
    """One run, as its workflow sees it."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        self._desk = desk
        self._loop = loop
        self.random = random.Random(seed)

    async def map(
        self,
        verb: Any,  # Any: a bound verb of this very run, compared by identity
        table: pa.Table | pa.RecordBatch,
        *,
        by: str,
        items: pa.RecordBatch | None = None,
        question: Question = Question("pair"),
    ) -> pa.RecordBatch:
        """Ask *verb* once for each row of *table*; returns the replies (tables.REPLIES) in order.

        The verb is `run.judge`. The table has its parameters `left` and `right` (texts), or, with
        *items* (tables.ITEMS), a column `shown` with the rows of *items* to compare, in the order
        shown. A row without an answer says why in `status`; nothing is raised for it.
        """
        if verb != self.judge:
            raise TypeError("map takes a verb of this run: run.judge")
        if items is None:
            items, table = _items_of(table)
        shown = _column(table, "shown")
        return await self._do(self._desk.ask_judges(items, shown, by=by, question=question))

    async def share(self, items: pa.RecordBatch) -> None:
        """Show *items* (tables.ITEMS) to the hosts ahead of the first `map` that needs them."""
        await self._do(self._desk.share(items))

    async def judge(self, left: str, right: str, by: str) -> Verdict:
        """Ask one judge which of two texts has more of *by*; raises InvalidAnswerError."""
        rows = await self.map(self.judge, pa.table({"left": [left], "right": [right]}), by=by)
        row = rows.to_pylist()[0]
        if row["status"] != "ok":
            raise InvalidAnswerError(f"the judge's answer is missing: {row['status']}")
        return Verdict(grade=row["grade"])

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """Name what is going on until the block ends."""
        self._desk.event("phase", title)
        yield
        self._desk.event("phase_end", title)

    def log(self, text: str) -> None:
        """Add a line to the run's log."""
        self._desk.event("log", text)

    def now(self) -> float:
        """Return the time on the run's own clock, in seconds."""
        return self._desk.clock.now()

    @property
    def halted(self) -> Halted | None:
        """What stopped the run early; from then on no new call is made."""
        return self._desk.halted

    @property
    def calls_left(self) -> int | None:
        """How many calls the budget's cap on agents leaves; None where there is none."""
        return self._desk.calls_left()

    @property
    def dead_items(self) -> frozenset[int]:
        """The items that killed two hosts: dead letters."""
        return frozenset(self._desk.dead_items)

    @asynccontextmanager
    async def tournament(self, ranking: Ranking) -> AsyncIterator["Bracketed"]:
        """Hold a tournament: a bracket that lives until the block ends."""
        tournament = self._desk.open_tournament(ranking)
        try:
            yield Bracketed(self, tournament)
        finally:
            await self._do(tournament.close())

    async def publish(self, standing: pa.RecordBatch, progress: Progress) -> None:
        """Write the ranking so far into the run's folder."""
        await self._do(self._desk.publish(standing, progress))

    async def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


class Bracketed:
    """A tournament as a workflow sees it."""

    def __init__(self, run: Run, tournament: Tournament) -> None:
        self._run = run
        self._tournament = tournament

    async def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (schema MATCHES); no rows once the ranking has stopped."""
        return await self._run._do(self._tournament.next_matches(limit))

    async def record(self, outcomes: pa.RecordBatch) -> Progress:
        """Give the bracket a round's outcomes (schema OUTCOMES); returns where it stands."""
        return await self._run._do(self._tournament.record(outcomes))

    async def exclude(self, items: tuple[int, ...]) -> Progress:
        """Take *items* out of the tournament."""
        return await self._run._do(self._tournament.exclude(items))

    async def standing(self) -> tuple[pa.RecordBatch, Progress]:
        """Return the ranking so far (schema STANDING), and where it stands."""
        return await self._run._do(self._tournament.standing())


def _items_of(table: pa.Table | pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Return the distinct texts of *table* as items, and its rows as matches between them."""
    left, right = (_column(table, name).to_pylist() for name in ("left", "right"))
    texts = list(dict.fromkeys([*left, *right]))
    places = {text: place for place, text in enumerate(texts)}
    ids = [str(place) for place in range(len(texts))]
    columns = {"id": ids, "text": texts}
    items = batch(ITEMS, columns, rows=len(texts), integrity=UNTRUSTED, provenance=INPUT)
    shown = [[places[a], places[b]] for a, b in zip(left, right, strict=True)]
    matches = pa.record_batch({"shown": pa.array(shown, pa.list_(pa.int32()))})
    return items, matches


def _column(table: pa.Table | pa.RecordBatch, name: str) -> pa.Array:
    column = table.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
