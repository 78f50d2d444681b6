"""The supervisor: runs one workflow, owns its children, and stops them all when it ends."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import FrameType
from typing import cast

from ..actors.actor import Actor, Envelope, Message
from ..actors.errors import (
    ActorDiedError,
    CommediaError,
    IntensityExceededError,
    RunFailedError,
)
from ..actors.messages import Done
from ..actors.simulation.world import World
from .execution import Execution
from .orders import Execute, Finished, Halt, Told, Warned
from .runtime.base import HostContext
from .script import Ended, Performance
from .vigil import keep_vigil
from .workflow import is_installed

Notes = asyncio.Queue[Message | BaseException]


class Supervisor(Actor):
    """One run's supervisor: Execute begins the run, Halt ends it early."""

    def __init__(self) -> None:
        self._execution: Execution | None = None
        self._notes: Notes = asyncio.Queue()
        self._vigil: asyncio.Task[None] | None = None

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Run a workflow, telling how it goes; or halt the one that runs."""
        match envelope.body:
            case Execute() as order:
                async for note in self._execute(order, World.of_batch(envelope.batch())):
                    yield Envelope(note)
            case Halt(how=how):
                if self._execution is not None:
                    await self._execution.halt("interrupt", cancel=how == "cancel")
                    self._watch_over(self._execution, takes_back=how == "cancel")
                yield Envelope(Done())
            case Told(path=path, answer=answer):
                if self._execution is not None:
                    self._execution.inquiries.answer(path, answer)
                yield Envelope(Done())

    async def on_stop(self) -> None:
        """Stop every child."""
        self._end_vigil()
        if self._execution is not None:
            await self._execution.close()

    async def _execute(self, order: Execute, world: World) -> AsyncIterator[Message]:
        notes = self._notes
        runtime = cast(HostContext, self.context).runtime
        execution = self._execution = Execution(
            order.spec, world, runtime, notes.put_nowait, can_ask=order.can_ask
        )
        execution.halted = "interrupt" if order.is_halted else None
        task = asyncio.create_task(self._perform(order, execution))
        task.add_done_callback(partial(_finish, notes))
        while True:
            note = await notes.get()
            if isinstance(note, BaseException):
                raise note
            yield note
            if isinstance(note, Finished):
                return

    def _watch_over(self, execution: Execution, *, takes_back: bool) -> None:
        """Have whoever halted the run told what it waits for."""

        def warn(line: str) -> None:
            self._notes.put_nowait(Warned(line=line))

        self._end_vigil()
        vigil = keep_vigil(
            underway=execution.underway,
            warn=warn,
            clock=execution.clock,
            takes_back=takes_back,
            is_sort=execution.spec.is_sort,
        )
        self._vigil = asyncio.create_task(vigil)

    def _end_vigil(self) -> None:
        if self._vigil is not None:
            self._vigil.cancel()

    async def _perform(self, order: Execute, execution: Execution) -> Finished:
        try:
            spec = order.spec
            await execution.open()
            performance = execution.performance = Performance(
                execution,
                model=spec.model.name,
                spent=execution.spent,
                seed=spec.seed,
                slots=spec.slots,
                is_virtual=spec.model.is_simulated,
                skipped=execution.journal.skipped,
                refused=execution.journal.refused,
            )
            if execution.halted is not None and not spec.is_sort:
                performance.pause(execution.halted)
            ended = await _end_of(performance.start(order.workflow, order.args))
            self._end_vigil()
            execution.tally.lose(ended.lost)
            return Finished(
                value=ended.value,
                failed=ended.failed,
                trace=ended.trace,
                tally=await execution.settle(),
                halted=execution.halted,
                paused=ended.paused,
                inquiry=execution.inquiries.unanswered,
                virtual_s=ended.virtual_s,
                unasked=ended.unasked,
                left=ended.left,
            )
        finally:
            await execution.close()


async def _end_of(running: "Future[Ended]") -> Ended:
    """Return how a workflow ended; what it raised itself is an ending, too."""
    try:
        return await asyncio.wrap_future(running)
    except (RunFailedError, ActorDiedError, IntensityExceededError):
        raise
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # a workflow is anyone's code; it may even call sys.exit
        said = str(error)
        is_ours, place = isinstance(error, CommediaError), _place_of(error)
        why = said if is_ours else f"{type(error).__name__}: {said}"
        return Ended(failed=why + place, trace=_trace_of(error) if place or not is_ours else "")


def _place_of(error: BaseException) -> str:
    """Return the last line of the user's own code that *error* passed, if it passed any."""
    lines = [
        f" ({Path(frame.f_code.co_filename).name}:{line})"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if _is_users(frame)
    ]
    return lines[-1] if lines else ""


def _trace_of(error: BaseException) -> str:
    """Return the traceback of *error* from the first line of the user's own code on."""
    trace = error.__traceback__
    while trace is not None and not _is_users(trace.tb_frame):
        trace = trace.tb_next
    shown = trace or error.__traceback__
    return "".join(traceback.format_exception(type(error), error, shown))


def _is_users(frame: FrameType) -> bool:
    is_ours = str(frame.f_globals.get("__name__")).partition(".")[0] == "commedia"
    return not is_ours and not is_installed(Path(frame.f_code.co_filename))


def _finish(
    notes: "asyncio.Queue[Message | BaseException]", task: "asyncio.Task[Finished]"
) -> None:
    if task.cancelled():
        notes.put_nowait(asyncio.CancelledError())
    else:
        notes.put_nowait(task.exception() or task.result())
