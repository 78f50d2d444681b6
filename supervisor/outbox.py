"""The row plane, as a workflow sees it: calls made in one tick of its loop leave as one batch."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ..actors.errors import ReplayMissError
from ..actors.tables import INPUT, PROGRAM, REQUESTS, TRUSTED, batch, values
from .virtual_loop import VirtualLoop

WINDOW: Final = 50_000
"""Calls out at once, at most: those behind them wait as rows, in the order they were made."""

REPLAY: Final = "replay"
"""The reason of a call that a run in mode replay would have had to ask."""

HALTING: Final = frozenset(("cancelled", "over_budget"))


@dataclass(slots=True)
class Call:
    """One agent: what it is asked, where, and what waits for its reply."""

    path: str
    role: str
    prompt: str
    model: str
    phase: str
    label: str
    schema: str | None = None
    room: int | None = None
    effort: str | None = None
    timeout_us: int | None = None
    task: str | None = None
    spec: str | None = None
    integrity: int = TRUSTED
    is_anew: bool = False
    """Whether an answer that it has already is of no use."""
    number: int = 0
    reply: "asyncio.Future[Reply]" = field(init=False)
    took: tuple[Any, ...] = field(default=(0, 0, 0, 0, None), init=False)
    """Its duration in microseconds, its tokens in and out, its cost, and the model that served."""

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Where and what it is, for the table of agents."""
        return self.path, self.role, self.label, self.phase


class Reply(NamedTuple):
    """How a call ended, as its verb sees it."""

    status: str
    reason: str | None = None
    answer: str | None = None
    grade: int | None = None
    order: tuple[int, ...] | None = None


_TAKEN_BACK: Final = Reply("cancelled")

Send = Callable[[pa.RecordBatch], None]
"""Hands a batch of requests of one role and label to the supervisor."""

_TOLD: Final = ("status", "reason", "answer", "grade", "order")
_DURATIONS: Final = ("ttft_us", "decode_us")
_LEDGER: Final = ("tokens_in", "tokens_out", "cost_nanousd", "served_model")


class Outbox:
    """Sends calls off in batches, and gives each its reply at its time on the workflow's clock.

    A reply that says the run was halted wakes nobody: *pause* is told why, and the call is asked
    again when the run is resumed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        send: Send,
        pause: Callable[[str], None],
        end: Callable[[Exception], None],
    ) -> None:
        self._loop, self._send, self._pause, self._give_up = loop, send, pause, end
        self._virtual = loop if isinstance(loop, VirtualLoop) else None
        self._numbers = itertools.count()
        self._waiting: deque[Call] = deque()
        self._out: dict[int, Call] = {}
        self.skipped: set[str] = set()
        """Labels of agents that end without an answer."""
        self._is_flushing = False
        self.ended: list[tuple[Any, ...]] = []
        """Rows of AGENT_LOG."""
        self.lost: Counter[str] = Counter()
        self.withheld = 0
        """Replies that say that the run was halted, which woke nobody."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of agents that are under way, though nobody may wait for them any more."""
        out = (
            call for call in self._out.values() if not call.reply.done() or call.reply.cancelled()
        )
        return tuple(call.label for call in out)

    @property
    def is_busy(self) -> bool:
        """Whether calls are out, or about to leave."""
        return bool(self._out or self._waiting)

    def post(self, call: Call) -> "asyncio.Future[Reply]":
        """Take *call*; returns the reply to come."""
        virtual = self._virtual
        call.number = next(self._numbers) if virtual is None else virtual.next_call()
        call.reply = self._loop.create_future()
        if call.label in self.skipped:
            self._lose(call, "skipped", "stopped")
            return call.reply
        self._waiting.append(call)
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)
        return call.reply

    def skip(self, label: str) -> None:
        """End every call of *label*, now and later: its branch goes on without it."""
        self.skipped.add(label)
        for call in [*self._out.values(), *self._waiting]:
            if call.label == label and not call.reply.done():
                self._lose(call, "skipped", "stopped")

    def _flush(self) -> None:
        self._is_flushing = False
        leaving: dict[tuple[str, int], list[Call]] = {}
        while self._waiting and len(self._out) < WINDOW:
            call = self._waiting.popleft()
            if call.reply.done():
                continue
            self._out[call.number] = call
            leaving.setdefault((call.role, call.integrity), []).append(call)
        try:
            for calls in leaving.values():
                requests = requests_of(calls)
                if self._virtual is not None:
                    self._virtual.hold()
                self._send(requests)
                for call in calls:
                    call.spec = None  # it is long, and on its way
        except Exception as error:  # raised in a callback, nobody else would hear of it
            self._give_up(error)

    def take(self, replies: pa.RecordBatch) -> None:
        """Take a piece of replies, on the workflow's loop."""
        told = zip(*(values(replies.column(name)) for name in _TOLD), strict=True)
        spans = [replies.column(name).fill_null(0) for name in _DURATIONS]
        durations = values(pa.compute.add(*spans))
        ledger = (values(replies.column(name)) for name in _LEDGER)
        numbers = values(replies.column("call_id"))
        for number, reply, took in zip(
            numbers, told, zip(durations, *ledger, strict=True), strict=True
        ):
            call = self._out.pop(number, None)
            if call is None:
                continue
            call.took = took
            self._arrive(call, Reply(*reply))
        if self._waiting and not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)

    def sent(self) -> None:
        """Take note that a batch has been answered in full."""
        if self._virtual is not None:
            self._virtual.release()

    def close(self) -> None:
        """Write down who was skipped, and has no reply to this day."""
        for call in self._out.values():
            if call.reply.done() and not call.reply.cancelled():
                self._log(call, call.reply.result())

    def _arrive(self, call: Call, reply: Reply) -> None:
        if call.reply.done():  # skipped, or taken back, meanwhile
            self._log(call, _TAKEN_BACK if call.reply.cancelled() else call.reply.result())
        elif reply.reason == REPLAY:
            self._log(call, reply)
            self._give_up(ReplayMissError(call.path))
        elif why := halting(reply):
            self._log(call, reply)
            self.withheld += 1
            self._pause(why)
        elif self._virtual is None:
            self._end(call, reply)
        else:
            self._await_its_time(call, reply)

    def _await_its_time(self, call: Call, reply: Reply) -> None:
        assert self._virtual is not None
        done = self._virtual.perform(call.took[0], call=call.number, timeout_us=call.timeout_us)

        def end(done: "asyncio.Future[bool]") -> None:
            if not done.cancelled() and not call.reply.done():
                if done.result():
                    self._end(call, reply)
                else:
                    call.took = (call.timeout_us, *call.took[1:])
                    self._lose(call, "timeout", "deadline")

        def take_back(waiting: "asyncio.Future[Reply]") -> None:
            if waiting.cancelled():
                self._log(call, _TAKEN_BACK)
                done.cancel()

        done.add_done_callback(end)
        call.reply.add_done_callback(take_back)

    def _lose(self, call: Call, status: str, reason: str) -> None:
        """End *call* without the answer that it may have: it came too late, or is not wanted."""
        self.lost[status] += 1
        if call.number in self._out:  # what it took is known once its reply comes
            call.reply.set_result(Reply(status, reason))
        else:
            self._end(call, Reply(status, reason))

    def _end(self, call: Call, reply: Reply) -> None:
        self._log(call, reply)
        call.reply.set_result(reply)

    def _log(self, call: Call, reply: Reply) -> None:
        self.ended.append((*call.place, reply.status, reply.reason, *call.took))


def halting(reply: Reply) -> str | None:
    """Return why a reply means that the run is halted, if it does."""
    if reply.status in HALTING:
        return "budget" if reply.status == "over_budget" else "interrupt"
    if reply.status == "skipped":
        return "breaker"
    return None


def requests_of(calls: list[Call]) -> pa.RecordBatch:
    """Lay *calls* of one role and label out as REQUESTS."""
    first = calls[0]
    columns = {
        "call_id": [call.number for call in calls],
        "path": [call.path for call in calls],
        "role": first.role,
        "model": [call.model for call in calls],
        "effort": [call.effort for call in calls],
        "prompt": [call.prompt for call in calls],
        "output_schema": [call.schema for call in calls],
        "context_tokens": [len(call.prompt) // 4 for call in calls],
        "max_tokens": [call.room for call in calls],
        "timeout_us": [call.timeout_us for call in calls],
        "attempt": [int(call.is_anew) for call in calls],
        "task": [call.task for call in calls],
        "spec": [call.spec for call in calls],
    }
    provenance = PROGRAM if first.integrity == TRUSTED else INPUT
    return batch(
        REQUESTS, columns, rows=len(calls), integrity=first.integrity, provenance=provenance
    )
