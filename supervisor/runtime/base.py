"""The Runtime protocol: start an actor, ask it, stop it, wherever actors live."""

from types import ModuleType
from typing import Protocol

import pyarrow as pa

from ...actors.actor import Actor, Artifact, Asking, Context, Envelope, Ref
from ...actors.clock import Clock


class Runtime(Protocol):
    """Where actors live. A question can be cancelled; an actor can be stopped at any time."""

    clock: Clock

    async def start(self, actor: Actor, name: str) -> Ref:
        """Start *actor*; returns once its `on_start` has run, raises ActorDiedError if it fell."""
        ...

    def ask(self, ref: Ref, envelope: Envelope) -> Asking:
        """Send *envelope* to *ref*, and return the replies to come."""
        ...

    async def beat(self, ref: Ref) -> None:
        """Return once the process of *ref* shows that it lives; raises ActorDiedError.

        Where it is gone without a trace nobody ever says so: who asks must lose patience.
        """
        ...

    def doubt(self, ref: Ref) -> None:
        """Take note that *ref* lost its asker's patience: nothing new is started where it is."""
        ...

    def is_doubted(self, ref: Ref) -> bool:
        """Whether another of its place lost its asker's patience, and none there answered since."""
        ...

    async def put(self, table: pa.RecordBatch) -> Artifact:
        """Put *table* where many envelopes can carry it by reference."""
        ...

    def ship(self, module: ModuleType) -> None:
        """Have *module*, which other machines may lack, travel with what is sent of it."""
        ...

    async def stop(self, ref: Ref) -> None:
        """Stop the actor at *ref*: its `on_stop` runs if it can, then it is gone."""
        ...

    def kill(self, ref: Ref) -> None:
        """End the actor at *ref* at once, as a crash would."""
        ...


class HostContext(Context, Protocol):
    """The context of an actor that may start others: it knows the runtime that it lives in."""

    @property
    def runtime(self) -> Runtime:
        """Where this actor lives, and its children will."""
        ...


async def one_reply(asking: Asking) -> Envelope:
    """Return the only reply of *asking*; raises RuntimeError where there are none or more."""
    replies = [reply async for reply in asking]
    if len(replies) != 1:
        raise RuntimeError(f"{len(replies)} replies where one was due")
    return replies[0]


def checked(envelope: Envelope) -> Envelope:
    """Return *envelope* if its table is what its message carries; raises TypeError otherwise."""
    schema, table = envelope.body.carries, envelope.table
    name = type(envelope.body).__name__
    if (schema is None) != (table is None):
        raise TypeError(f"{name} carries {'no table' if schema is None else 'a table'}")
    if isinstance(table, pa.RecordBatch) and schema is not None and not table.schema.equals(schema):
        raise TypeError(f"the table of {name} has another schema")
    return envelope
