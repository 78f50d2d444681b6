"""What an actor is: state and a mailbox, asked with envelopes, wherever it lives."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from .clock import Clock


class Message(BaseModel):
    """Base of every message body: frozen, so it can be sent, stored and compared."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        defer_build=True,  # most processes send few of the messages that they import
    )

    carries: ClassVar[pa.Schema | None] = None
    """The schema of the table that travels with this message; None where none may."""


class Artifact(Protocol):
    """A table put once, that many envelopes may carry by reference."""

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message and its table. The sender may carry an artifact; the receiver gets the table."""

    body: Message
    table: "pa.RecordBatch | Artifact | None" = None

    def batch(self) -> pa.RecordBatch:
        """Return the table of a received envelope; raises TypeError where there is none."""
        if isinstance(self.table, pa.RecordBatch):
            return self.table
        raise TypeError(f"{type(self.body).__name__} arrived without its table")


@runtime_checkable
class Ref(Protocol):
    """An actor's address; it travels in messages."""

    @property
    def name(self) -> str:
        """The actor's name, for people and logs."""
        ...


class Asking(Protocol):
    """A question under way: its replies in the order they come, until it ends or is cancelled."""

    def __aiter__(self) -> AsyncIterator[Envelope]:
        """Yield the replies; raises what the actor raised, or ActorDiedError."""
        ...

    def cancel(self) -> None:
        """Take the question back; its iteration raises ActorCancelledError."""
        ...


class Context(Protocol):
    """What an actor may do in the world: ask others, read the clock, and fall."""

    @property
    def clock(self) -> Clock:
        """The time, as this actor may know it."""
        ...

    def ask(self, ref: Ref, envelope: Envelope) -> Asking:
        """Send *envelope* to *ref*, and return the replies to come."""
        ...

    def die(self) -> None:
        """End this actor at once, as a crash would: nothing is cleaned up."""
        ...


class Actor:
    """Base of all actors. It knows nothing of where it lives; errors it raises reach its asker."""

    context: Context

    async def on_start(self, context: Context) -> None:
        """Take the *context*; runs once, before the first envelope."""
        self.context = context

    async def on_stop(self) -> None:
        """Let go of what it holds; runs once, after the last envelope of an orderly stop."""

    def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Yield the replies to *envelope*."""
        raise NotImplementedError
