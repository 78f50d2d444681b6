"""An asyncio loop whose time is virtual: it jumps to what comes next, so waiting costs nothing."""

import asyncio
import selectors
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar, TypeVarTuple

from ..actors.simulation.keyed import Ints
from .schedule import Schedule

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_NEVER_US = 1 << 62


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs a workflow at the speed of its code; calls share *slots*, or do not wait for any.

    Time stands still while a callback is ready or something is held. Else the loop goes to the next
    completion or timer, completions first where both are due, and a timer waits until all that
    follows from them at that time is done. Completions of one time come in the order of
    (priority, call). Where nothing is to come, the loop really waits.
    """

    def __init__(self, slots: int | None = None) -> None:
        self._now_us = 0
        self._schedule = Schedule(slots)
        self._performances: dict[int, _Performance] = {}
        self._next_call = 0
        self._timers = _Timers()
        self._held, self._lock = 0, threading.Lock()
        super().__init__(_Selector(lambda: self._held > 0, self._move_on))

    @property
    def now_us(self) -> int:
        """The virtual time in microseconds."""
        return self._now_us

    def time(self) -> float:
        """Return the virtual time in seconds, 0 at first."""
        return self._now_us / 1e6

    def next_call(self, rows: int = 1) -> int:
        """Return a number for a call, the first of *rows*: a verb takes it when it is called."""
        self._next_call += rows
        return self._next_call - rows

    def perform(
        self,
        duration_us: int,
        *,
        priority: int = 0,
        timeout_us: int | None = None,
        call: int | None = None,
    ) -> asyncio.Future[bool]:
        """Let a call take a slot and its time: True at its end, False if its timeout came first.

        *call* is from *next_call*; a lower priority goes first. Cancelling the future takes the
        call out. Only on the loop's thread.
        """
        number = self.next_call() if call is None else call
        self._schedule.submit(
            number,
            ready_us=self._now_us,
            duration_us=duration_us,
            priority=priority,
            timeout_us=timeout_us,
        )
        return self._performance(number)

    def perform_many(
        self, durations_us: Ints, *, priority: int = 0, call: int | None = None
    ) -> asyncio.Future[bool]:
        """Let a call a row take its slot and time, from number *call*; True when all have."""
        number = self.next_call(len(durations_us)) if call is None else call
        if not len(durations_us):
            nothing: asyncio.Future[bool] = self.create_future()
            nothing.set_result(True)
            return nothing
        self._schedule.submit_many(
            number, ready_us=self._now_us, durations_us=durations_us, priority=priority
        )
        return self._performance(number)

    def hold(self) -> None:
        """Let no time pass until *release*; on the loop's thread, before a request leaves it."""
        with self._lock:
            self._held += 1

    def release(self) -> None:
        """End one *hold*, on any thread, after the answer was handed over there."""
        with self._lock:
            if not self._held:
                raise RuntimeError("released more often than held")
            self._held -= 1
        with suppress(RuntimeError):  # of a thread without a loop
            if asyncio.get_running_loop() is self:
                return
        with suppress(RuntimeError):  # of a loop that was closed meanwhile
            self.call_soon_threadsafe(lambda: None)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no time pass inside."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back after *delay* virtual seconds, rounded up to a microsecond."""
        return self._call_at_us(self._now_us + _microseconds(delay), callback, args, context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at virtual time *when*, rounded up to a microsecond."""
        return self._call_at_us(_microseconds(when), callback, args, context)

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run *func* in a thread; it takes no virtual time."""
        future = super().run_in_executor(executor, func, *args)
        self.hold()
        future.add_done_callback(lambda _: self.release())
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        """Wait for the executor's threads: really, as a virtual deadline would pass at once."""
        with self.held():
            await super().shutdown_default_executor(*timeout)

    def close(self) -> None:
        """Close the loop, and forget what was to come."""
        super().close()
        self._timers = _Timers()
        self._performances.clear()

    def _performance(self, call: int) -> asyncio.Future[bool]:
        future = self._performances[call] = _Performance(call, self._withdraw, loop=self)
        return future

    def _call_at_us(
        self,
        when_us: int,
        callback: Callable[..., object],
        args: Sequence[Any],
        context: Context | None,
    ) -> asyncio.TimerHandle:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        return self._timers.add(self, when_us, callback, args, context)

    def _withdraw(self, call: int) -> None:
        if self._performances.pop(call, None):
            self._schedule.cancel(call, self._now_us)

    def _move_on(self) -> bool:
        """Go to the next completions or else timers, and make them ready; False if none is left."""
        self._schedule.settle(self._now_us)
        timer_us = max(self._timers.next_us(), self._now_us)
        completions = self._schedule.advance(timer_us)
        if completions:
            self._now_us = completions[0].at_us
            for done in completions:
                self._performances.pop(done.call).set_result(not done.timed_out)
        elif timer_us < _NEVER_US:
            self._now_us = timer_us
            self._timers.fire(self, timer_us)
        else:
            return False
        return True


class _Performance(asyncio.Future[bool]):
    """The future of a call; cancelling it takes the call out of the schedule at once."""

    __slots__ = ("_call", "_withdraw")

    def __init__(
        self, call: int, withdraw: Callable[[int], None], *, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(loop=loop)
        self._call, self._withdraw = call, withdraw

    def cancel(self, msg: Any = None) -> bool:
        if not super().cancel(msg):
            return False
        self._withdraw(self._call)
        return True


class _Selector(selectors.DefaultSelector):
    """Moves virtual time where a loop would wait, unless something outside has to be waited for."""

    def __init__(self, is_held: Callable[[], bool], move_on: Callable[[], bool]) -> None:
        super().__init__()
        self._is_held, self._move_on = is_held, move_on

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None:  # something is ready: all timers are ours
            return super().select(timeout)
        if self._is_held():
            return super().select()
        # An answer may have come just before its hold was released: look before the jump.
        events = super().select(0)
        return events if events or self._move_on() else super().select()


class _Timers:
    """What is to be called back, by time and then in the order it was asked for.

    The loop's own timers would not do: they are compared as floats, which are too coarse for its
    clock's resolution after a few virtual months, and their ties are in no order.
    """

    def __init__(self) -> None:
        self._heap: list[_Timer] = []
        self._added, self._sweep_at = 0, 64

    def add(
        self,
        loop: asyncio.AbstractEventLoop,
        when_us: int,
        callback: Callable[..., object],
        args: Sequence[Any],
        context: Context | None,
    ) -> asyncio.TimerHandle:
        context = copy_context() if context is None else context
        handle = asyncio.TimerHandle(when_us / 1e6, callback, args, loop, context)
        self._added += 1
        heappush(self._heap, (when_us, self._added, handle, callback, args, context))
        if len(self._heap) > self._sweep_at:  # forget what was cancelled: most timeouts are
            self._heap = [timer for timer in self._heap if not timer[2].cancelled()]
            heapify(self._heap)
            self._sweep_at = max(2 * len(self._heap), 64)
        return handle

    def next_us(self) -> int:
        while self._heap and self._heap[0][2].cancelled():
            heappop(self._heap)
        return self._heap[0][0] if self._heap else _NEVER_US

    def fire(self, loop: asyncio.AbstractEventLoop, now_us: int) -> None:
        while self.next_us() <= now_us:
            _, _, handle, callback, args, context = heappop(self._heap)
            loop.call_soon(_call_unless_cancelled, handle, callback, args, context=context)


_Timer = tuple[int, int, asyncio.TimerHandle, Callable[..., object], Sequence[Any], Context]


def _call_unless_cancelled(
    handle: asyncio.TimerHandle, callback: Callable[..., object], args: Sequence[Any]
) -> None:
    """Call back, unless what was called at the same time, but earlier, has cancelled it."""
    if not handle.cancelled():
        callback(*args)


def _microseconds(seconds: float) -> int:
    """Round up, but not for what is float noise."""
    exact = seconds * 1e6
    if exact >= _NEVER_US:
        return _NEVER_US
    nearest = round(exact)
    return nearest if exact - nearest <= 1e-3 + exact * 1e-15 else nearest + 1
