"""Crashes on demand: an actor that falls where a test or a rehearsal wants it to."""

from collections.abc import AsyncIterator

from .actor import Actor, Context, Envelope, Message
from .messages import Ask, Trial


class Faults(Message):
    """Where a judge's host falls: in the middle of its n-th batch (the first life of one host
    only), whenever it handles one of *items*, or at every batch."""

    batch: int | None = None
    items: tuple[int, ...] = ()
    always: bool = False


class Faulty(Actor):
    """Plays *actor*, and falls as *faults* say."""

    def __init__(self, actor: Actor, faults: Faults) -> None:
        self._actor = actor
        self._faults = faults
        self._batches = 0

    async def on_start(self, context: Context) -> None:
        """Start the actor that it plays."""
        await super().on_start(context)
        await self._actor.on_start(context)

    async def on_stop(self) -> None:
        """Stop the actor that it plays."""
        await self._actor.on_stop()

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Answer as the actor would, or fall."""
        is_batch = isinstance(envelope.body, Ask)
        self._batches += is_batch
        falls_here = is_batch and self._batches == self._faults.batch
        if self._handles_a_fatal_item(envelope) or (is_batch and self._faults.always):
            self.context.die()
        async for reply in self._actor.receive(envelope):
            if falls_here and reply.table is not None:
                half = reply.batch()
                yield Envelope(reply.body, half.slice(0, half.num_rows // 2))
                self.context.die()
            yield reply

    def _handles_a_fatal_item(self, envelope: Envelope) -> bool:
        if isinstance(envelope.body, Trial):
            return not set(envelope.body.items).isdisjoint(self._faults.items)
        if isinstance(envelope.body, Ask) and self._faults.items:
            shown = envelope.batch().column("items").flatten().to_pylist()
            return not set(shown).isdisjoint(self._faults.items)
        return False
