"""Actors in this process, on the running loop: no start-up cost; print and breakpoint() work."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import ModuleType

import pyarrow as pa

from ...actors.actor import Actor, Artifact, Envelope, Ref
from ...actors.clock import Clock, WallClock
from ...actors.errors import ActorCancelledError, ActorDiedError
from .base import checked


@dataclass(frozen=True, slots=True)
class InlineRef:
    """The address of an actor in this process."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class InlineArtifact:
    """A table kept in this process."""

    table: pa.RecordBatch

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return int(self.table.num_rows)


class _Died(BaseException):
    """Unwinds an actor that fell, past every handler of ordinary errors."""


@dataclass(slots=True)
class _Cell:
    """An actor, and the questions that it is answering."""

    actor: Actor
    name: str
    is_dead: bool = False
    askings: "set[_InlineAsking]" = field(default_factory=set)
    clearing: "asyncio.Task[None] | None" = None

    def kill(self) -> None:
        """End the actor: every question under way ends with ActorDiedError."""
        self.is_dead = True
        for asking in list(self.askings):
            asking.fail(ActorDiedError(self.name))

    def fall(self) -> None:
        """End the actor at once. It lets go of what it holds, as the system has a process do."""
        if not self.is_dead:
            self.kill()
            self.clearing = asyncio.ensure_future(self.actor.on_stop())


class InlineRuntime:
    """Runs actors as coroutines of the loop that it is used on."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or WallClock()
        self._cells: dict[int, _Cell] = {}
        self._numbers = itertools.count()

    async def start(self, actor: Actor, name: str) -> InlineRef:
        """Start *actor* here."""
        ref = InlineRef(name, next(self._numbers))
        cell = self._cells[ref.number] = _Cell(actor, name)
        try:
            await actor.on_start(_InlineContext(self, cell))
        except _Died:
            raise ActorDiedError(name) from None
        return ref

    def ask(self, ref: Ref, envelope: Envelope) -> "_InlineAsking":
        """Send *envelope* to *ref*, and return the replies to come."""
        assert isinstance(ref, InlineRef)
        cell = self._cells.get(ref.number)
        asking = _InlineAsking(cell)
        if cell is None or cell.is_dead:
            asking.fail(ActorDiedError(ref.name))
        else:
            asking.begin(cell, _opened(checked(envelope)))
        return asking

    async def beat(self, ref: Ref) -> None:
        """Return at once if *ref* lives: it is as alive as its asker."""
        assert isinstance(ref, InlineRef)
        cell = self._cells.get(ref.number)
        if cell is None or cell.is_dead:
            raise ActorDiedError(ref.name)

    def doubt(self, ref: Ref) -> None:
        """Do nothing: there is one place alone."""

    def is_doubted(self, ref: Ref) -> bool:
        """Nothing is."""
        return False

    async def put(self, table: pa.RecordBatch) -> Artifact:
        """Keep *table* as it is: it cannot change."""
        return InlineArtifact(table)

    def ship(self, module: ModuleType) -> None:
        """Do nothing: all is here."""

    async def stop(self, ref: Ref) -> None:
        """Stop the actor at *ref*."""
        assert isinstance(ref, InlineRef)
        cell = self._cells.pop(ref.number, None)
        if cell is None:
            return
        if cell.clearing is not None:
            await asyncio.gather(cell.clearing, return_exceptions=True)
        elif not cell.is_dead:
            await cell.actor.on_stop()
        cell.kill()

    def kill(self, ref: Ref) -> None:
        """End the actor at *ref* at once, as a crash would."""
        assert isinstance(ref, InlineRef)
        cell = self._cells.get(ref.number)
        if cell is not None:  # else it was stopped before
            cell.fall()


@dataclass(slots=True)
class _InlineContext:
    """What an actor here may do; `runtime` lets a supervisor start others."""

    runtime: InlineRuntime
    cell: _Cell

    @property
    def clock(self) -> Clock:
        return self.runtime.clock

    def ask(self, ref: Ref, envelope: Envelope) -> "_InlineAsking":
        return self.runtime.ask(ref, envelope)

    def die(self) -> None:
        self.cell.fall()
        raise _Died


class _InlineAsking:
    """A question under way: a task feeds the replies into a queue, so the actor never waits."""

    def __init__(self, cell: _Cell | None) -> None:
        self._cell = cell
        self._replies: asyncio.Queue[Envelope | BaseException | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    def begin(self, cell: _Cell, envelope: Envelope) -> None:
        """Have the actor answer *envelope*."""
        cell.askings.add(self)
        self._task = asyncio.ensure_future(self._feed(cell, envelope))

    def fail(self, error: BaseException) -> None:
        """End the question with *error*, after the replies that came before it."""
        self._is_over = True
        self._replies.put_nowait(error)
        self._leave()

    def cancel(self) -> None:
        """Take the question back."""
        self.fail(ActorCancelledError("the question was taken back"))

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        while (reply := await self._replies.get()) is not None:
            if isinstance(reply, BaseException):
                raise reply
            yield reply

    async def _feed(self, cell: _Cell, envelope: Envelope) -> None:
        try:
            async for reply in cell.actor.receive(envelope):
                self._replies.put_nowait(_opened(checked(reply)))
            self._replies.put_nowait(None)
        except (_Died, asyncio.CancelledError):
            if not self._is_over:  # else whoever ended it has told the asker
                self.fail(ActorCancelledError("the actor gave the question up"))
        except Exception as error:  # an actor's error is its asker's to handle
            self._replies.put_nowait(error)
        finally:
            cell.askings.discard(self)

    def _leave(self) -> None:
        if self._cell is not None:
            self._cell.askings.discard(self)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()


def _opened(envelope: Envelope) -> Envelope:
    if isinstance(envelope.table, InlineArtifact):
        return checked(Envelope(envelope.body, envelope.table.table))
    return envelope
