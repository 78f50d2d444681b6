"""The supervisor: runs one workflow, owns its children, and stops them all when it ends."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import cast

from ..actors.actor import Actor, Envelope, Message
from ..actors.messages import Done
from .execution import Execution
from .orders import Execute, Finished, Halt
from .run import Run
from .runtime.base import HostContext
from .workflow_thread import start_workflow

Notes = asyncio.Queue[Message | BaseException]


class Supervisor(Actor):
    """One run's supervisor: Execute begins the run, Halt ends it early."""

    def __init__(self) -> None:
        self._execution: Execution | None = None

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Run a workflow, telling how it goes; or halt the one that runs."""
        match envelope.body:
            case Execute() as order:
                async for note in self._execute(order):
                    yield Envelope(note)
            case Halt(how=how):
                if self._execution is not None:
                    await self._execution.halt("interrupt", cancel=how == "cancel")
                yield Envelope(Done())

    async def on_stop(self) -> None:
        """Stop every child."""
        if self._execution is not None:
            await self._execution.close()

    async def _execute(self, order: Execute) -> AsyncIterator[Message]:
        notes: Notes = asyncio.Queue()
        runtime = cast(HostContext, self.context).runtime
        execution = self._execution = Execution(order.spec, runtime, notes.put_nowait)
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

    async def _perform(self, order: Execute, execution: Execution) -> Finished:
        try:
            await execution.open()
            run = Run(execution, asyncio.get_running_loop(), order.spec.seed)
            work = partial(order.workflow, run, **order.args)
            value = await asyncio.wrap_future(start_workflow(work))
            tally = await execution.settle()
            return Finished(value=value, tally=tally, halted=execution.halted)
        finally:
            await execution.close()


def _finish(
    notes: "asyncio.Queue[Message | BaseException]", task: "asyncio.Task[Finished]"
) -> None:
    if task.cancelled():
        notes.put_nowait(asyncio.CancelledError())
    else:
        notes.put_nowait(task.exception() or task.result())
