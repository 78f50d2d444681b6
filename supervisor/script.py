"""A workflow under way, on a loop of its own: virtual for simulated runs, the wall's for others."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from .backstage import Backstage, Spent
from .desk import Desk, Halted
from .paths import Branch, branching, enter
from .run import Run
from .virtual_loop import VirtualLoop
from .workflow_thread import start_workflow

_PATIENCE, _PATIENCE_S = 50, 0.05
"""How often, and seconds apart, a workflow is taken back before it is left to itself."""

Script = Callable[..., Coroutine[Any, Any, Any]]
"""An async function whose first argument is the Run."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A workflow's value, or why it is paused; *virtual_s* is what a simulated run took.

    *lost* counts the replies that came, but not in time, or to an agent that was skipped;
    *unasked* has the labels of agents whose verb was called and never awaited, *left* those of
    agents that were still under way when the workflow ended.
    """

    value: Any = None
    paused: Halted | None = None
    virtual_s: float | None = None
    failed: str | None = None
    trace: str = ""
    lost: dict[str, int] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Performance:
    """Runs one workflow in its own thread, and can end it from another."""

    def __init__(
        self,
        desk: Desk,
        *,
        model: str,
        spent: Callable[[], Spent],
        seed: int,
        slots: int | None,
        is_virtual: bool,
        skipped: Collection[str] = (),
        refused: Collection[str] = (),
    ) -> None:
        self._desk, self._model, self._spent, self._seed = desk, model, spent, seed
        self._slots, self._is_virtual, self._skipped = slots, is_virtual, skipped
        self._refused = refused
        self._supervisor = asyncio.get_running_loop()
        self._backstage: Backstage | None = None
        self._early: list[Callable[[Backstage], None]] = []

    def start(self, script: Script, args: Mapping[str, Any]) -> "Future[Ended]":
        """Start *script* with *args*; returns what it ends with."""
        return start_workflow(lambda: self._perform(script, args), self._loop)

    def pause(self, why: Halted, *, at_once: bool = False) -> None:
        """End the workflow for now: once what is out has come back, or *at_once*."""
        self._tell(lambda backstage: backstage.pause(why, at_once=at_once))

    def skip(self, label: str) -> None:
        """End the agents of *label*, now and later."""
        self._tell(lambda backstage: backstage.skip(label))

    def abandon(self) -> None:
        """End the workflow at once: nobody waits for it any more."""
        self._tell(lambda backstage: backstage.abandon())

    def _tell(self, order: Callable[[Backstage], None]) -> None:
        if self._backstage is None:
            self._early.append(order)
        elif not self._backstage.loop.is_closed():
            order(self._backstage)

    def _loop(self) -> asyncio.AbstractEventLoop:
        return VirtualLoop(self._slots) if self._is_virtual else asyncio.new_event_loop()

    async def _perform(self, script: Script, args: Mapping[str, Any]) -> Ended:
        loop = asyncio.get_running_loop()
        stage = Backstage(
            self._desk,
            self._supervisor,
            model=self._model,
            spent=self._spent,
            refused=self._refused,
        )
        for label in self._skipped:
            stage.outbox.skip(label)
        self._supervisor.call_soon_threadsafe(self._begun, stage)
        enter(Branch("", self._seed))
        main = asyncio.Task(script(Run(stage, args), **args), loop=loop, name="workflow")
        loop.set_exception_handler(_hear)
        loop.set_task_factory(branching)  # type: ignore[arg-type]  # typeshed wants a Future
        waits: set[asyncio.Future[Any]] = {main, stage.paused, stage.broken}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            has_ended = main.done()
        finally:
            stage.is_ending = True
            for _ in range(_PATIENCE):  # a workflow may swallow what takes it back, for a while
                if main.done():
                    break
                main.cancel()
                await asyncio.wait([main], timeout=_PATIENCE_S)
            stage.close()
        ended = _ended(main, stage, has_ended=has_ended)
        for ending in (main, stage.broken, stage.paused):
            ending.cancel()
        return ended

    def _begun(self, stage: Backstage) -> None:
        self._backstage = stage
        for order in self._early:
            order(stage)


def _hear(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what nobody else heard of; what ends a whole loop, as sys.exit does, was heard."""
    if not isinstance(context.get("exception"), SystemExit | KeyboardInterrupt):
        loop.default_exception_handler(context)


def _ended(main: "asyncio.Task[Any]", stage: Backstage, *, has_ended: bool) -> Ended:
    """Return how it ended: what stopped the run counts, whatever the workflow made of that.

    One that *has_ended* by itself, and was kept from nothing, was not stopped by a Ctrl-C.
    """
    took = stage.virtual.time() if stage.virtual is not None else None
    if stage.broken.done() and not stage.broken.cancelled():
        raise stage.broken.exception() or AssertionError
    is_paused = stage.paused.done() and not stage.paused.cancelled()
    if is_paused and not (has_ended and _is_whole(main, stage)):
        return Ended(paused=stage.paused.result(), virtual_s=took)
    ended = Ended(
        virtual_s=took,
        lost=dict(stage.outbox.lost),
        unasked=tuple(stage.unasked.values()),
        left=stage.outbox.labels,
    )
    if main.cancelled():
        return replace(ended, failed="CancelledError: the workflow awaited what it had cancelled")
    return replace(ended, value=main.result())


def _is_whole(main: "asyncio.Task[Any]", stage: Backstage) -> bool:
    """Whether the workflow returned, and a Ctrl-C kept it from no answer."""
    returned = not main.cancelled() and main.exception() is None
    return returned and stage.paused.result() == "interrupt" and not stage.outbox.withheld
