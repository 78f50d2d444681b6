"""Branches of a workflow: side by side with a barrier, or each item through its own stages."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextvars import Context
from typing import Any, Final, Literal, TypeVar

from .paths import Branch, here, inside
from .results import Failure, Results

T = TypeVar("T")
OnError = Literal["null", "raise", "collect"]
Tell = Callable[[str, str], None]
"""Told that a branch failed: an event's kind, and its text."""
Thunk = Callable[[], Awaitable[T]] | Awaitable[T]

_MOST_ARGUMENTS: Final = 3
_NAME: Final = "branch"


async def gather(
    tell: Tell, thunks: Iterable[Thunk[Any]], *, path: str, on_error: OnError
) -> Any:  # Any: a list or Results, as the overloads of Run.parallel say
    """Run *thunks* side by side, and return what they came to, in their order.

    A branch that raises takes nobody down: its place holds None, or, with `collect`, it is listed
    in the Results; with `raise` the first error is raised once all have ended. It is counted.
    """
    branch = here()
    waiting = enumerate(list(thunks))  # all of them: one that cannot be made starts no other
    tasks = [_call(thunk, branch.child(f"{path}[{place}]")) for place, thunk in waiting]
    return _sorted(await _ended(tell, tasks), on_error)


async def flow(
    tell: Tell,
    items: Sequence[Any],
    stages: Sequence[Callable[..., Any]],
    *,
    path: str,
    on_error: OnError,
) -> Any:  # Any: a list or Results, as the overloads of Run.pipeline say
    """Send each of *items* through all *stages*, no item waiting for another; as `gather` else.

    A stage is called with what the one before returned, the item, and its place; it may take fewer.
    """
    branch = here()
    takes = [_arguments(stage) for stage in stages]

    async def through(item: Any, place: int) -> Any:
        value = item
        for number, (stage, most) in enumerate(zip(stages, takes, strict=True)):
            within = branch.child(f"{path}[{place}]/stage:{number + 1}")
            step = _start(_staged(stage, (value, item, place)[:most]), within)
            try:
                value = await step
            except asyncio.CancelledError:
                step.cancel()
                raise
        return value

    tasks = [
        _start(through(item, place), branch.child(f"{path}[{place}]"))
        for place, item in enumerate(items)
    ]
    return _sorted(await _ended(tell, tasks), on_error)


def _start(work: Coroutine[Any, Any, T], branch: Branch) -> "asyncio.Task[T]":
    return _task(work, inside(branch))


def _call(thunk: Thunk[Any], branch: Branch) -> "asyncio.Task[Any]":
    """Call *thunk* inside *branch*, where what it returns will run; what it raises is the task's.

    A coroutine becomes the task itself: one more around it would cost ten thousand branches a lot.
    """
    context = inside(branch)
    try:
        work = context.run(thunk) if callable(thunk) else thunk
    except (Exception, asyncio.CancelledError) as error:
        work = _raised(error)
    if not inspect.iscoroutine(work):
        work = _awaited(work)
    return _task(work, context)


def _task(work: Coroutine[Any, Any, T], context: Context) -> "asyncio.Task[T]":
    """Start a branch; its name is every branch's, as one of its own would take memory."""
    loop = asyncio.get_running_loop()
    return asyncio.Task(work, loop=loop, name=_NAME, context=context)


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


async def _raised(error: BaseException) -> Any:
    raise error


async def _staged(stage: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    value = stage(*arguments)
    return await value if inspect.isawaitable(value) else value


async def _ended(tell: Tell, tasks: list["asyncio.Task[Any]"]) -> list[Any]:
    """Return each task's value, or its Failure; a workflow that is taken back takes all along."""
    try:
        await _all_done(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return [_outcome(tell, task, place) for place, task in enumerate(tasks)]


async def _all_done(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    """Return once all *tasks* are done, as asyncio.wait does.

    One is waited for at a time: by the end of it most others are done too, and cost nothing.
    """
    for task in tasks:
        if not task.done():
            await _over(task)


async def _over(task: "asyncio.Task[Any]") -> None:
    """Return once *task* is done, however it ends; who is cancelled meanwhile leaves it alone."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(_: "asyncio.Task[Any]") -> None:
        if not done.done():
            done.set_result(None)

    task.add_done_callback(end)
    await done


def _outcome(tell: Tell, task: "asyncio.Task[Any]", place: int) -> Any:
    if task.cancelled():
        error: BaseException | None = asyncio.CancelledError("cancelled")
    else:
        error = task.exception()
    if error is None:
        return task.result()
    if not isinstance(error, Exception | asyncio.CancelledError):
        raise error
    why = f"{type(error).__name__}: {error}"
    tell("branch_failed", f"branch {place}: {why}")
    return Failure(place, why, error if isinstance(error, Exception) else None)


def _sorted(outcomes: list[Any], on_error: OnError) -> Any:
    if on_error == "collect":
        return Results.of(outcomes)
    if on_error == "raise":
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                raise outcome.error or RuntimeError(f"branch {outcome.place} was cancelled")
    return [None if isinstance(outcome, Failure) else outcome for outcome in outcomes]


def _arguments(stage: Callable[..., Any]) -> int:
    """Return how many arguments *stage* takes by position, three at most."""
    try:
        parameters = inspect.signature(stage).parameters.values()
    except (TypeError, ValueError):  # some of C's functions cannot say
        return 1
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return _MOST_ARGUMENTS
    by_position = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    needed = [each for each in by_position if each.default is each.empty]
    return min(max(len(needed), min(len(by_position), 1)), _MOST_ARGUMENTS)
