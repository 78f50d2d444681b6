"""Calls under way: each is made once, however often it is asked for, and its reply is kept."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from ..actors.models.replies import Reply
from ..actors.tables import Rows
from .admission import Window

Take = Callable[[Reply], None]
"""Takes the reply to a call, at once or later."""
Known = Callable[[Mapping[str, Any]], Reply | None]
"""Tells the reply to a row that need not be asked."""


class Flight:
    """A call that has no reply yet: the row that asks for it, and who waits."""

    __slots__ = ("_place", "_rows", "askers", "call", "has_left", "lane")

    def __init__(self, call: int, rows: Rows, place: int) -> None:
        self.call, self._rows, self._place = call, rows, place
        self.askers: tuple[Take, ...] = ()
        self.has_left = False
        self.lane: asyncio.Task[None] | None = None

    @property
    def row(self) -> dict[str, Any]:
        """The request, as a new mapping: only a call in the air needs one."""
        return self._rows[self._place]

    def depart(self) -> None:
        """Take note that the call has left: from now on it is paid, whoever waits."""
        self.has_left = True


class Flights:
    """Has calls answered by *make*, in their order, as many at a time as *window* is wide.

    A task a lane makes one call after the other: a task a call would cost as much as the rest.
    """

    def __init__(self, window: Window, make: Callable[[Flight], Awaitable[Reply]]) -> None:
        self._window, self._make = window, make
        self._replies: dict[int, Reply] = {}
        self._flights: dict[int, Flight] = {}
        self._waiting: deque[Flight] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    def ask(self, rows: Rows, calls: Sequence[int], take: Take, known: Known | None = None) -> None:
        """Have *take* be given the reply to each of *rows*: stored, *known*, or to come."""
        for place, call in enumerate(calls):
            reply, flight = self._replies.get(call), self._flights.get(call)
            if reply is None and flight is None and known is not None:
                reply = known(rows[place])
            if reply is not None:
                self._replies[call] = reply
                take(reply)
                continue
            if flight is None:
                flight = self._flights[call] = Flight(call, rows, place)
                self._waiting.append(flight)
            flight.askers += (take,)
        self._open_lanes()

    def leave(self, calls: Iterable[int], take: Take) -> None:
        """Wait for *calls* no more; one that nobody waits for is dropped if it has not left."""
        for call in calls:
            flight = self._flights.get(call)
            if flight is None:
                continue
            flight.askers = tuple(asker for asker in flight.askers if asker != take)
            if not flight.askers and not flight.has_left:
                del self._flights[call]
                if flight.lane is not None:
                    flight.lane.cancel()

    async def end(self, *, unwanted: bool = False) -> None:
        """Cancel all calls, or those in the air that nobody waits for."""
        if not unwanted:
            self._waiting.clear()
        flying = [each for each in self._flights.values() if not (unwanted and each.askers)]
        lanes = [flight.lane for flight in flying if flight.lane is not None]
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

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
            reply = await self._make(flight)
            self._land(flight, reply)
            if len(self._lanes) > self._window.width or (following := self._next()) is None:
                return
            flight = following
            flight.lane = lane
            self._open_lanes()

    def _next(self) -> Flight | None:
        while self._waiting:
            flight = self._waiting.popleft()
            if flight.askers:
                return flight
        return None

    def _land(self, flight: Flight, reply: Reply) -> None:
        self._replies[flight.call] = reply
        self._flights.pop(flight.call, None)
        for take in flight.askers:
            take(reply)
