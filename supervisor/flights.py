"""Calls under way: each is made once, however often it is asked for, and its reply is kept."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..actors.models.replies import Reply
from ..actors.tables import Rows
from .admission import Window

Take = Callable[[Reply], None]
"""Takes the reply to a call, at once or later."""
Known = Callable[[Mapping[str, Any]], Reply | None]
"""Tells the reply to a row that need not be asked."""


class Mailbox:
    """Replies as they come, taken out by the piece."""

    def __init__(self) -> None:
        self._replies: list[Reply] = []
        self._came: asyncio.Future[None] | None = None

    def take(self, reply: Reply) -> None:
        """Put *reply* in."""
        self._replies.append(reply)
        if self._came is not None and not self._came.done():
            self._came.set_result(None)

    async def wait(self) -> int:
        """Return how many replies there are, once there are any."""
        if not self._replies:
            self._came = asyncio.get_running_loop().create_future()
            await self._came
        return len(self._replies)

    def empty(self) -> list[Reply]:
        """Return all replies that there are."""
        replies, self._replies = self._replies, []
        return replies


class Flight:
    """A call in the air: the row that asks for it, and whether it has left for good."""

    __slots__ = ("call", "has_left", "lane", "row")

    def __init__(self, call: int, row: Mapping[str, Any]) -> None:
        self.call, self.row, self.has_left = call, row, False
        self.lane: asyncio.Task[None] | None = None

    def depart(self) -> None:
        """Take note that the call has left: from now on it is paid, whoever waits."""
        self.has_left = True

    def cancel(self) -> None:
        """Take the call back; its lane closes."""
        if self.lane is not None:
            self.lane.cancel()


class Flights:
    """Has calls answered by *make*, in their order, as many at a time as *window* is wide.

    A call that waits is a place in its batch, and no object. A lane is a task that makes one call
    after the other: a task a call would cost a tenth of all that a call costs here.
    """

    def __init__(self, window: Window, make: Callable[[Flight], Awaitable[Reply]]) -> None:
        self._window, self._make = window, make
        self._replies: dict[int, Reply] = {}
        self._askers: dict[int, tuple[Take, ...]] = {}
        self._air: dict[int, Flight] = {}
        self._waiting: deque[Iterator[Flight]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    def ask(self, rows: Rows, calls: Sequence[int], take: Take, known: Known | None = None) -> None:
        """Have *take* be given the reply to each of *rows*: stored, *known*, or to come."""
        alone = (take,)
        for place, call in enumerate(calls):
            reply, askers = self._replies.get(call), self._askers.get(call)
            if reply is None and askers is None and known is not None:
                reply = known(rows[place])
            if reply is not None:
                self._replies[call] = reply
                take(reply)
            else:
                self._askers[call] = alone if askers is None else askers + alone
        self._waiting.append(self._starting(rows, calls))
        self._open_lanes()

    def leave(self, calls: Iterable[int], take: Take) -> None:
        """Wait for *calls* no more; one that nobody waits for is dropped if it has not left."""
        for call in calls:
            if call not in self._askers:
                continue
            flight = self._air.get(call)
            askers = tuple(asker for asker in self._askers[call] if asker != take)
            if askers or (flight is not None and flight.has_left):
                self._askers[call] = askers
                continue
            del self._askers[call]
            if flight is not None:
                del self._air[call]
                flight.cancel()

    async def end(self, *, unwanted: bool = False) -> None:
        """Cancel all calls, or those in the air that nobody waits for."""
        if not unwanted:
            self._waiting.clear()
        flying = [f for f in self._air.values() if not (unwanted and self._askers.get(f.call))]
        for flight in flying:
            flight.cancel()
        lanes = [flight.lane for flight in flying if flight.lane is not None]
        await asyncio.gather(*lanes, return_exceptions=True)

    def _starting(self, rows: Rows, calls: Sequence[int]) -> Iterator[Flight]:
        """Yield a flight for each of *calls* that is still wanted when its turn comes."""
        for place, call in enumerate(calls):
            if self._askers.get(call) and call not in self._air:
                flight = self._air[call] = Flight(call, rows[place])
                yield flight

    def _next(self) -> Flight | None:
        while self._waiting:
            for flight in self._waiting[0]:
                return flight
            self._waiting.popleft()
        return None

    def _open_lanes(self) -> None:
        while len(self._lanes) < self._window.width and (flight := self._next()) is not None:
            lane = flight.lane = asyncio.ensure_future(self._fly(flight))
            self._lanes.add(lane)
            lane.add_done_callback(self._close)

    def _close(self, lane: "asyncio.Task[None]") -> None:
        self._lanes.discard(lane)
        self._open_lanes()

    async def _fly(self, flight: Flight) -> None:
        """Make one call after the other, as long as there are any and the window has room."""
        lane = flight.lane
        while True:
            self._land(flight, await self._make(flight))
            following = self._next() if len(self._lanes) <= self._window.width else None
            if following is None:
                return
            flight = following
            flight.lane = lane
            self._open_lanes()

    def _land(self, flight: Flight, reply: Reply) -> None:
        self._replies[flight.call] = reply
        self._air.pop(flight.call, None)
        for take in self._askers.pop(flight.call, ()):
            take(reply)
