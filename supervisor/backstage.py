"""What stands behind the verbs of a Run, in the workflow's own thread."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, TypeVar

import pyarrow as pa

from ..actors.errors import ReplayMissError, RunFailedError, UsageError
from .agents import Clerk
from .budget import Budget
from .desk import Desk, Halted, Inquiry
from .outbox import Call, Outbox, Reply
from .paths import enter, here
from .retry import MAX_REASKS, Breaker, Patience
from .virtual_loop import VirtualLoop

T = TypeVar("T")

_EVENTS_AT_ONCE = 1000
_TICKS = 5
"""What follows from an answer is asked within so many ticks of the loop."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget and what is spent of it; what has no cap has nothing `left` to say."""

    caps: Budget
    tokens: int
    nanousd: int
    agents: int

    @property
    def tokens_left(self) -> int | None:
        """Tokens that may still be spent; None without a cap."""
        return None if self.caps.tokens is None else max(self.caps.tokens - self.tokens, 0)

    @property
    def usd_left(self) -> float | None:
        """Dollars that may still be spent; None without a cap."""
        return None if self.caps.nanousd is None else max(self.caps.nanousd - self.nanousd, 0) / 1e9

    @property
    def agents_left(self) -> int | None:
        """Agents that may still be asked; None without a cap."""
        return None if self.caps.agents is None else max(self.caps.agents - self.agents, 0)


class Backstage:
    """Carries calls and steps between a workflow's loop and its supervisor's."""

    def __init__(
        self,
        desk: Desk,
        supervisor: asyncio.AbstractEventLoop,
        *,
        model: str,
        spent: Callable[[], Spent],
        refused: Collection[str] = (),
    ) -> None:
        self.desk, self.clerk, self.spent = desk, Clerk(model), spent
        self.loop = asyncio.get_running_loop()
        self.virtual = self.loop if isinstance(self.loop, VirtualLoop) else None
        self.paused: asyncio.Future[Halted] = self.loop.create_future()
        self.broken: asyncio.Future[None] = self.loop.create_future()
        self.outbox = Outbox(self.loop, self._send, self._halted, self.give_up)
        self._supervisor = supervisor
        self._refused, self._breaker, self._patience = refused, Breaker(), Patience()
        self.unasked: dict[str, str] = {}
        """Agents whose verb was called and not awaited yet: their labels, by path."""
        self._why: Halted | None = None
        self.is_ending = False
        """Whether the workflow is being taken back."""
        self._underway = 0

    def ask(self, call: Call) -> asyncio.Future[Reply]:
        """Return the reply to *call*, which comes at its time; never, once the workflow ends."""
        if self.is_ending:
            return self.loop.create_future()
        self.unasked.pop(call.path, None)
        return self.outbox.post(call)

    def expect(self, call: Call) -> Call:
        """Return *call*, which is asked once its verb is awaited."""
        self.unasked[call.path] = call.label
        return call

    def was_refused(self, path: str) -> bool:
        """Whether the agent at *path* is to be asked anew: its last answer fitted no type.

        Not on simulated runs, whose agents would say the same again, nor where none may be asked.
        """
        return path in self._refused and self.virtual is None and not self.desk.is_replay

    def asks_again(self, after: int) -> bool:
        """Whether an answer that does not fit, *after* so many re-asks, is asked for again.

        Simulated agents are asked four times whatever becomes of the others, so that no result
        depends on who comes first.
        """
        if self.virtual is not None:
            return after < MAX_REASKS
        if after:
            self._patience.note(mended=False)
        return self._patience.asks_again(after)

    def fits(self, call: Call, *, ok: bool, after: int = 0) -> None:
        """Take note whether the answer to *call* fits the type in the end, *after* so many re-asks.

        Five agents in a row without one pause a run: no patience mends what asks for them.
        """
        if self.virtual is not None:
            return
        if after:
            self._patience.note(mended=True)
        if not ok or call.path in self._refused:
            self.desk.note({"t": "fits", "of": call.path, "ok": ok})
        self._breaker.note(None if ok else "schema", is_single=True)
        if self._breaker.is_open and self._why is None:
            self._halted("breaker")
            asyncio.run_coroutine_threadsafe(self.desk.halt("breaker"), self._supervisor)

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what *work* comes to on the supervisor's loop; no virtual time passes."""
        if self.is_ending:
            work.close()
            await asyncio.Future()  # to raise here would let who tries again spin for ever
        if self.virtual is None:
            return await self._over(work)
        with self.virtual.held():
            return await self._over(work)

    @contextmanager
    def underway(self) -> Iterator[None]:
        """Keep the workflow from being paused until the block ends: what it does would be lost."""
        self._underway += 1
        try:
            yield
        finally:
            self._underway -= 1
            self._end_if_idle()

    async def unless_paused(self) -> None:
        """Return if the workflow goes on; else never: it is taken back from here."""
        if self._why is not None:
            await asyncio.Future()

    def pause(self, why: Halted, *, at_once: bool = False) -> None:
        """End the workflow: once what is out has come back, or *at_once*; any thread may."""
        self.loop.call_soon_threadsafe(self._halted, why, at_once)

    def abandon(self) -> None:
        """End the workflow at once; any thread may."""
        self.loop.call_soon_threadsafe(self.give_up, RunFailedError("the run was given up"))

    def skip(self, label: str) -> None:
        """End the agents of *label*; any thread may."""
        self.loop.call_soon_threadsafe(self.outbox.skip, label)

    def event(self, kind: str, text: str) -> None:
        """Add a line to the run's events."""
        self.desk.event(kind, text)

    def now(self, path: str) -> float:
        """Return the time of the run; on a real clock, what it was here in an earlier life."""
        if self.virtual is not None:
            return self.virtual.time()
        known = self.recall(path, "")
        if known is not None:
            return float(known["value"])
        now = self.desk.clock.epoch()
        self.desk.note({"t": "now", "p": path, "h": "", "value": now})
        return now

    async def inquire(self, inquiry: Inquiry) -> str:
        """Return the user's answer, remembered or asked for now."""
        key = digest([inquiry.question, inquiry.options])
        inquiry = replace(inquiry, key=key)
        known = self.recall(inquiry.path, key)
        if known is not None:
            return str(known["value"])
        answer = await self.do(self.desk.inquire(inquiry))
        if answer is None:
            self.pause("question")
            await asyncio.Future()  # the workflow is taken back from here
            raise AssertionError("unreachable")
        await self.record({"t": "ask", "p": inquiry.path, "h": key, "value": answer})
        return answer

    def recall(self, path: str, key: str) -> Mapping[str, Any] | None:
        """Return what the journal has for *path* under *key*.

        A run in mode replay may do nothing new: it is given up where there is nothing.
        """
        known = self.desk.recall(path, key)
        if known is None and self.desk.is_replay:
            error = ReplayMissError(path)
            self.give_up(error)
            raise error
        return known

    async def record(self, record: Mapping[str, Any]) -> None:
        """Have *record* journaled; returns once that is durable."""
        await self.do(self.desk.record(record))

    async def nested(
        self, path: str, script: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any
    ) -> T:
        """Run *script* as a part of this workflow; raises UsageError inside another such part."""
        if "/workflow:" in here().path:
            raise UsageError(f"a workflow inside a workflow cannot start another ({path})")
        return await self.within(path, script, *args, **kwargs)

    async def within(
        self, path: str, script: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any
    ) -> T:
        """Run *script* in a branch at *path*."""
        branch = here()
        enter(branch.child(path))
        try:
            return await script(*args, **kwargs)
        finally:
            enter(branch)

    def close(self) -> None:
        """Hand over what is known of the last agents."""
        self.outbox.close()
        self._report(at_least=1)

    async def _over(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._supervisor))

    def _send(self, requests: pa.RecordBatch) -> None:
        asyncio.run_coroutine_threadsafe(self._dispatch(requests), self._supervisor)

    async def _dispatch(self, requests: pa.RecordBatch) -> None:
        """On the supervisor's loop: have *requests* answered, and hand each piece over."""
        try:
            await self.desk.ask_agents(requests, self._deliver)
        except BaseException as error:
            self._tell(self.give_up, error)
        finally:
            self._tell(self._answered)

    def _deliver(self, replies: pa.RecordBatch) -> None:
        self._tell(self._take, replies)

    def _tell(self, function: Callable[..., None], *args: object) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function, *args)

    def _take(self, replies: pa.RecordBatch) -> None:
        self.outbox.take(replies)
        self._report(at_least=_EVENTS_AT_ONCE)

    def _answered(self) -> None:
        self.outbox.sent()
        self._report(at_least=_EVENTS_AT_ONCE)
        self._end_if_idle()

    def _report(self, *, at_least: int) -> None:
        if len(self.outbox.ended) >= at_least:
            ended, self.outbox.ended = self.outbox.ended, []
            self.desk.agents(ended)

    def give_up(self, error: BaseException) -> None:
        """End the workflow with *error*, whatever it makes of it."""
        if not self.broken.done():
            self.broken.set_exception(
                error if isinstance(error, Exception) else RunFailedError(str(error))
            )

    def _halted(self, why: str, at_once: bool = False) -> None:
        self._why = self._why or self.desk.halted or why  # type: ignore[assignment]
        if at_once and self._why is not None and not self.paused.done():
            self.paused.set_result(self._why)
        self.loop.call_soon(self._end_if_idle)

    def _end_if_idle(self, patience: int = _TICKS) -> None:
        """Pause once no call is out, and none has followed for some ticks of the loop."""
        is_busy = self.outbox.is_busy or self._underway
        if self._why is None or is_busy or self.paused.done():
            return
        if patience:
            self.loop.call_soon(self._end_if_idle, patience - 1)
        else:
            self.paused.set_result(self._why)


def digest(value: Any) -> str:  # Any: JSON
    """Return a short hash of *value*: what must be the same for a record to be used again."""
    import json

    text = json.dumps(value, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()
