"""The gateway's lives: it is started again when it dies, and all who ask it learn where it is."""

import asyncio
from collections.abc import Callable
from typing import Final

from ..actors.actor import Actor, Envelope, Message, Ref
from ..actors.errors import ActorDiedError, RunFailedError
from ..actors.messages import Connect
from .casting import Cast
from .children import ChildSpec
from .nursery import Child, Nursery
from .orders import GatewayStarted
from .runtime.base import one_reply

NAME: Final = "gateway"


class Lifeline:
    """The run's gateway, whichever life of it: what it has paid for is in its journal.

    A call in flight when it dies may have been charged: it counts in full, is listed, and is asked
    again by the next life. The driver is told of each (GatewayStarted), as it alone holds the key.
    """

    def __init__(
        self,
        nursery: Nursery,
        cast: Cast,
        create: Callable[[], Actor],
        tell: Callable[[Message], None],
    ) -> None:
        self._nursery, self._cast, self._tell = nursery, cast, tell
        self._spec = ChildSpec(NAME, create)
        self._child: Child | None = None
        self._lock = asyncio.Lock()
        self.life = ""
        """The life that hosts ask now."""
        self._last_words: Message | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a gateway: a simulated model needs none."""
        return self._child is not None

    async def open(self) -> None:
        """Start the gateway."""
        self._child = await self._nursery.start(self._spec, self._introduce)
        await self._connect(self._child)

    async def renew(self, life: str, *, why: str) -> None:
        """Start the gateway again, unless that *life* has a successor already.

        Raises IntensityExceededError where it dies too often.
        """
        async with self._lock:
            if self._child is None or self.life != life:
                return
            await self._restart(self._child, why)

    async def ask(self, message: Message) -> Envelope:
        """Return the gateway's reply to *message*; a life that dies over it is not the last."""
        assert self._child is not None, "there is no gateway to ask"
        while True:
            life = self.life
            try:
                return await one_reply(
                    self._nursery.runtime.ask(self._child.ref, Envelope(message))
                )
            except ActorDiedError as error:
                await self.renew(life, why=error.why)

    async def drain(self, message: Message) -> None:
        """Tell the gateway to send nothing more: this life, and each that follows."""
        self._last_words = message
        await self.ask(message)

    async def _restart(self, child: Child, why: str) -> None:
        while True:
            if not await self._nursery.restart(child, child.key, why=why):
                raise RunFailedError("the gateway's process ended, and so does the run")
            try:
                return await self._connect(child)
            except ActorDiedError as error:  # this life, too, and before anybody asked it
                why = error.why

    async def _introduce(self, ref: Ref) -> None:
        self._tell(GatewayStarted(gateway=ref))

    async def _connect(self, child: Child) -> None:
        if self._last_words is not None:
            await one_reply(self._nursery.runtime.ask(child.ref, Envelope(self._last_words)))
        await self._cast.connect(Envelope(Connect(gateway=child.ref)), life=child.key)
        self.life = child.key
