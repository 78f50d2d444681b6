"""A workflow runs on its own loop in its own thread: it cannot stall its supervisor."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


def start_workflow(
    make: Callable[[], Coroutine[Any, Any, T]],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> "Future[T]":
    """Run the coroutine that *make* returns in a new thread, on a loop that *loop* makes.

    Returns the future of its result.
    """
    done: Future[T] = Future()

    def body() -> None:
        if not done.set_running_or_notify_cancel():  # from here on nobody can cancel it
            return
        try:
            with asyncio.Runner(loop_factory=loop) as runner:
                done.set_result(runner.run(_awaited(make)))  # what is left over may never end
        except BaseException as error:  # the future carries whatever ended the workflow
            done.set_exception(error)

    threading.Thread(target=body, name="commedia-workflow", daemon=True).start()
    return done


async def _awaited(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return await make()  # made on the loop that runs it
