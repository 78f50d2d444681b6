"""Calls under way: each is made once, however often it is asked for, and its reply is kept."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
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

    __slots__ = ("_place", "_rows", "askers", "has_left", "task")

    def __init__(self, rows: Rows, place: int) -> None:
        self._rows, self._place = rows, place
        self.askers: list[Take] = []
        self.has_left = False
        self.task: asyncio.Task[Reply] | None = None

    @property
    def row(self) -> dict[str, Any]:
        """The request, as a new mapping: only those in the air need one."""
        return self._rows[self._place]

    @property
    def is_bound_to_land(self) -> bool:
        """Whether its reply comes, or will be paid for, whoever waits."""
        return self.has_left or (self.task is not None and self.task.done())

    def depart(self) -> None:
        """Take note that the call has left: from now on it is paid, whoever waits."""
        self.has_left = True


class Flights:
    """Has calls answered by *make*, at most as many at a time as *window* is wide, in order."""

    def __init__(self, window: Window, make: Callable[[Flight], Awaitable[Reply]]) -> None:
        self._window, self._make = window, make
        self._replies: dict[int, Reply] = {}
        self._flights: dict[int, Flight] = {}
        self._waiting: deque[tuple[int, Flight]] = deque()
        self._taken = 0

    def ask(self, rows: Rows, take: Take, known: Known | None = None) -> None:
        """Have *take* be given the reply to each of *rows*: stored, *known*, or to come."""
        for place, call in enumerate(rows.column("call_id")):
            reply, flight = self._replies.get(call), self._flights.get(call)
            if reply is None and flight is None and known is not None:
                reply = known(rows[place])
            if reply is not None:
                self._replies[call] = reply
                take(reply)
                continue
            if flight is None:
                flight = self._flights[call] = Flight(rows, place)
                self._waiting.append((call, flight))
            flight.askers.append(take)
        self._let_in()

    def leave(self, calls: Iterable[int], take: Take) -> None:
        """Wait for *calls* no more; one that nobody waits for is dropped if it has not left."""
        for call in calls:
            flight = self._flights.get(call)
            if flight is None or take not in flight.askers:
                continue
            flight.askers.remove(take)
            if not flight.askers and not flight.is_bound_to_land:
                del self._flights[call]
                if flight.task is not None:
                    flight.task.cancel()

    async def end(self, *, unwanted: bool = False) -> None:
        """Cancel all calls, or those in the air that nobody waits for."""
        if not unwanted:
            self._waiting.clear()
        flying = [each for each in self._flights.values() if not (unwanted and each.askers)]
        tasks = [flight.task for flight in flying if flight.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _let_in(self) -> None:
        while self._waiting and self._taken < self._window.width:
            call, flight = self._waiting.popleft()
            if flight.askers:
                self._taken += 1
                flight.task = asyncio.ensure_future(self._make(flight))
                flight.task.add_done_callback(partial(self._land, call, flight))

    def _land(self, call: int, flight: Flight, task: "asyncio.Task[Reply]") -> None:
        self._taken -= 1
        if not task.cancelled():
            del self._flights[call]
            reply = self._replies[call] = task.result()
            for take in flight.askers:
                take(reply)
        self._let_in()
