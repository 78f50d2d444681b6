"""When calls start and end: an event queue in integer microseconds. Pure: the time comes in."""

import sys
from bisect import bisect_right, insort
from heapq import heapify, heappop, heappush, heapreplace
from operator import itemgetter
from typing import NamedTuple

from ..actors.simulation.keyed import Ints


class Done(NamedTuple):
    """A call ended at *at_us*: by itself, or (*timed_out*) because it had run as long as it may."""

    call: int
    started_us: int
    at_us: int
    timed_out: bool = False


class Schedule:
    """Calls that start in the order of (ready time, priority, number) as *slots* become free.

    A lower priority goes first. *settle* says that all calls that become ready by a time are in,
    and starts those that find a slot; it comes before any *advance* beyond that time. A slot that
    is freed later goes at once to the first of the settled calls. Numbers of calls that have not
    ended differ.
    """

    def __init__(self, slots: int | None = None) -> None:
        if slots is not None and slots < 1:
            raise ValueError(f"slots must be at least 1, not {slots}")
        self._is_limited = slots is not None
        self._free = sys.maxsize if slots is None else slots
        self._live: dict[int, _Call] = {}
        self._coming: list[_Event] = []  # submitted; by ready time
        self._waiting: list[_Event] = []  # settled, without a slot; by ready time
        self._running: list[_Event] = []  # with a slot; by the time of their end

    def submit(
        self,
        call: int,
        *,
        ready_us: int,
        duration_us: int,
        priority: int = 0,
        timeout_us: int | None = None,
    ) -> None:
        """Take in a call that ends *duration_us* after its start, or *timeout_us* if that is less.

        The order of submissions of one ready time does not matter.
        """
        timed_out = timeout_us is not None and timeout_us < duration_us
        rows = [timeout_us if timeout_us is not None and timed_out else duration_us]
        self._submit(_Call(call, priority, rows, timed_out), ready_us)

    def submit_many(
        self, first_call: int, *, ready_us: int, durations_us: Ints, priority: int = 0
    ) -> None:
        """Take in one call a row, numbered from *first_call*; they end as one, with the last."""
        rows: list[int] = durations_us.tolist()
        if not rows:
            raise ValueError("no rows")
        if not self._is_limited and min(rows) >= 0:
            rows = [max(rows)]  # all start together, so only the longest matters
        self._submit(_Call(first_call, priority, rows), ready_us)

    def _submit(self, call: "_Call", ready_us: int) -> None:
        if min(call.rows) < 0:
            raise ValueError(f"call {call.number} would end before it starts")
        if call.number in self._live:
            raise ValueError(f"call {call.number} is under way already")
        self._live[call.number] = call
        insort(self._coming, (ready_us, call.priority, call.number, call))

    def settle(self, now_us: int) -> None:
        """Start the calls that are ready by *now_us* and find a slot; the others queue."""
        if not self._coming:
            return
        due = bisect_right(self._coming, now_us, key=itemgetter(0))
        for event in self._coming[:due]:
            if not event[3].is_cancelled and not (self._free and self._start(event, now_us)):
                heappush(self._waiting, event)
        del self._coming[:due]

    def next_us(self) -> int | None:
        """Return when a slot is freed or a call becomes ready next; None where nothing is left."""
        while self._running and not _counts(self._running[0]):
            heappop(self._running)
        return min((heap[0][0] for heap in (self._running, self._coming) if heap), default=None)

    def advance(self, until_us: int) -> list[Done]:
        """Go on to the first time, *until_us* at the latest, at which calls end: return these.

        They come in the order of (priority, number). It does not pass a call that is not settled.
        """
        ended: list[_Call] = []
        if self._coming:
            until_us = min(until_us, self._coming[0][0])
        while self._running and self._running[0][0] <= until_us:
            event = heappop(self._running)
            if not _counts(event):
                continue
            call = event[3]
            at_us = self._end_rows(call, until_us)
            if call.ends:
                heappush(self._running, (call.ends[0], call.priority, call.number, call))
            elif call.begun == len(call.rows):
                until_us = at_us
                ended.append(call)
                del self._live[call.number]
        ended.sort(key=lambda call: (call.priority, call.number))
        return [Done(call.number, call.started_us, until_us, call.timed_out) for call in ended]

    def cancel(self, call: int, now_us: int) -> None:
        """Take the call out; its slots go to the settled calls at once. One that ended is no error.

        Many that end as one are named, and taken out, by the number of the first.
        """
        gone = self._live.pop(call, None)
        if gone is not None:
            gone.is_cancelled = True
            self._free += len(gone.ends)
            gone.ends.clear()
            self._admit(now_us)

    def _end_rows(self, call: "_Call", until_us: int) -> int:
        """End rows of the running *call* until another has its turn; returns when the last ended.

        The loops decide what many rows cost.
        """
        ends, rows, begun = call.ends, call.rows, call.begun
        at_us = ends[0]
        if self._running and self._running[0][0] < until_us:
            until_us = self._running[0][0]
        if not self._waiting:
            while ends and ends[0] <= until_us:
                at_us = heappop(ends)
                self._free += 1
        elif self._waiting[0][3] is call:  # a slot of its own goes to its next row
            while begun < len(rows) and ends[0] <= until_us:
                at_us = ends[0]
                heapreplace(ends, at_us + rows[begun])
                begun += 1
            call.begun = begun
            if begun == len(rows):
                heappop(self._waiting)
        else:
            heappop(ends)
            self._free += 1
            self._admit(at_us)
        return at_us

    def _admit(self, now_us: int) -> None:
        while self._free and self._waiting:
            event = self._waiting[0]
            if not event[3].is_cancelled and not self._start(event, now_us):
                return
            heappop(self._waiting)

    def _start(self, event: "_Event", now_us: int) -> bool:
        """Start as many rows as there are slots; returns whether all have begun."""
        _, priority, number, call = event
        if not call.begun:
            call.started_us = now_us
        if len(call.rows) == 1:  # most calls: the general way costs twice as much
            call.ends.append(now_us + call.rows[0])
            heappush(self._running, (call.ends[0], priority, number, call))
            call.begun = 1
            self._free -= 1
            return True
        last = min(call.begun + self._free, len(call.rows))
        ends = [now_us + duration_us for duration_us in call.rows[call.begun : last]]
        first_us = min(ends)
        if not call.ends or first_us < call.ends[0]:
            heappush(self._running, (first_us, priority, number, call))
        call.ends += ends
        heapify(call.ends)
        call.begun = last
        self._free -= len(ends)
        return last == len(call.rows)


class _Call:
    """One call, or many that end as one: *rows* are their durations, in the order they start."""

    __slots__ = (
        "begun",
        "ends",
        "is_cancelled",
        "number",
        "priority",
        "rows",
        "started_us",
        "timed_out",
    )

    def __init__(
        self, number: int, priority: int, rows: list[int], timed_out: bool = False
    ) -> None:
        self.number, self.priority, self.rows, self.timed_out = number, priority, rows, timed_out
        self.begun, self.started_us, self.is_cancelled = 0, 0, False
        self.ends: list[int] = []  # of the rows that have a slot; a heap


_Event = tuple[int, int, int, _Call]  # time, priority, number


def _counts(event: _Event) -> bool:
    """Return whether a row ends now: its call was not cancelled, and no earlier event ended it."""
    at_us, _, _, call = event
    return bool(call.ends) and call.ends[0] == at_us
