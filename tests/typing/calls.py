"""Right and wrong calls of a workflow: mypy must find those that are marked, and no other."""

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, assert_type

from commedia.supervisor.run import Run
from commedia.supervisor.workflow import Workflow, workflow

P = ParamSpec("P")
R = TypeVar("R")


class Session(Protocol):
    """What a session promises of its `run`."""

    def run(self, workflow: Workflow[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...


class Caller(Protocol):
    """A run that takes a workflow as any async function of a run."""

    async def workflow(
        self,
        workflow: Callable[Concatenate[Run, P], Coroutine[Any, Any, R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R: ...


@workflow
async def hunt(run: Run, incident: str, sources: list[str], *, votes: int = 3) -> str:
    run.log(incident)
    return incident * votes


@workflow(name="count-lines")
async def count(run: Run, lines: list[str]) -> int:
    return len(lines)


@workflow  # type: ignore[arg-type]
async def has_no_run(incident: str) -> str:
    return incident


@workflow  # type: ignore[arg-type]
def is_not_async(run: Run) -> str:
    return ""


def right_calls(session: Session) -> None:
    assert_type(session.run(hunt, "p99 doubled", ["logs"]), str)
    assert_type(session.run(hunt, incident="p99 doubled", sources=["logs"], votes=5), str)
    assert_type(session.run(count, []), int)
    hunt.bind("p99 doubled", sources=["logs"])


def wrong_calls(session: Session) -> None:
    session.run(hunt, "p99 doubled")  # type: ignore[call-arg]
    session.run(hunt, "p99 doubled", "logs")  # type: ignore[arg-type]
    session.run(hunt, "p99 doubled", ["logs"], votes="5")  # type: ignore[arg-type]
    session.run(hunt, "p99 doubled", ["logs"], 5)  # type: ignore[call-arg]
    session.run(hunt, "p99 doubled", ["logs"], vote=5)  # type: ignore[call-arg]
    session.run(count, lines=[1])  # type: ignore[list-item]
    session.run(len, [])  # type: ignore[arg-type]
    hunt.bind("p99 doubled", source=["logs"])  # type: ignore[call-arg]


async def calls_within_a_run(run: Run, caller: Caller) -> None:
    assert_type(await hunt(run, "p99 doubled", ["logs"]), str)
    assert_type(await caller.workflow(hunt, "p99 doubled", sources=["logs"]), str)
    await hunt("p99 doubled", ["logs"])  # type: ignore[call-arg, arg-type]
    await caller.workflow(hunt, "p99 doubled", sources="logs")  # type: ignore[arg-type]
    await caller.workflow(hunt, "p99 doubled")  # type: ignore[call-arg]
