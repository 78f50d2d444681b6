"""A model that lives in another actor: the gateway, asked by reference."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pyarrow as pa

from ..actor import Context, Envelope, Ref
from ..messages import Ask


@dataclass(slots=True)
class Line:
    """Where the gateway is, as far as a host was told."""

    gateway: Ref | None = None


class GatewayModel:
    """The Model port of a host whose model costs money: it holds a reference, and no key."""

    reads_prompts = True

    def __init__(self, line: Line, context: Context) -> None:
        self._context, self._line = context, line

    async def answer(self, requests: pa.RecordBatch) -> AsyncIterator[pa.RecordBatch]:
        """Yield the gateway's replies as they come; raises ActorDiedError if the gateway dies."""
        assert self._line.gateway is not None, "a host is asked only after it was connected"
        asking = self._context.ask(self._line.gateway, Envelope(Ask(), requests))
        try:
            async for envelope in asking:
                yield envelope.batch()
        finally:
            asking.cancel()
