"""A model that lives in another actor: the gateway, asked by reference."""

from collections.abc import AsyncIterator

import pyarrow as pa

from ..actor import Context, Envelope, Ref
from ..messages import Ask


class GatewayModel:
    """The Model port of a host whose model costs money: it holds a reference, and no key."""

    reads_prompts = True

    def __init__(self, gateway: Ref, context: Context) -> None:
        self._context, self._gateway = context, gateway

    async def answer(self, requests: pa.RecordBatch) -> AsyncIterator[pa.RecordBatch]:
        """Yield the gateway's replies as they come; raises ActorDiedError if the gateway dies."""
        asking = self._context.ask(self._gateway, Envelope(Ask(), requests))
        try:
            async for envelope in asking:
                yield envelope.batch()
        finally:
            asking.cancel()
