"""Slots for calls in flight: first come, first served, as many as the window is wide."""

import asyncio
from collections import deque

from .admission import Window


class Slots:
    """A semaphore whose size changes with its *window*; an asynchronous context manager."""

    def __init__(self, window: Window) -> None:
        self._window, self._taken = window, 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # let in and taken back at once
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._taken -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._taken < self._window.width:
            place = self._waiting.popleft()
            if not place.done():
                self._taken += 1
                place.set_result(None)
