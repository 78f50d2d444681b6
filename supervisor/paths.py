"""Where a verb stands in its workflow: a path that is the same in every execution.

A path is assigned when a verb is called, before anything is awaited, and counts per branch: a thunk
of `parallel`, an item and stage of `pipeline`, and any asyncio task that a workflow starts.
"""

import asyncio
import random
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

from ..actors.simulation.keyed import text_key


class Branch:
    """One line of control in a workflow: its place, its phase, and its own randomness."""

    __slots__ = ("_counts", "_random", "_seed", "path", "phase")

    def __init__(self, path: str, seed: int, phase: str = "") -> None:
        self.path, self._seed, self.phase = path, seed, phase
        self._counts: dict[str, int] | None = None  # most branches are one agent
        self._random: random.Random | None = None

    def place(self, verb: str) -> str:
        """Return the path of the next call of *verb* here."""
        counts = self._counts = {} if self._counts is None else self._counts
        count = counts[verb] = counts.get(verb, 0) + 1
        return f"{self.path}/{verb}:{count}"

    def child(self, path: str) -> "Branch":
        """Return a branch at *path* that begins in this one's phase."""
        return Branch(path, self._seed, self.phase)

    @property
    def random(self) -> random.Random:
        """Randomness that depends on the seed and this place alone."""
        if self._random is None:
            self._random = random.Random(int(text_key("branch", self._seed, self.path)))
        return self._random


_CURRENT: Final[ContextVar[Branch]] = ContextVar("commedia_branch")


def here() -> Branch:
    """Return the branch that is running; raises RuntimeError outside of a workflow."""
    branch = _CURRENT.get(None)
    if branch is None:
        raise RuntimeError("a verb of a run is called inside its workflow only")
    return branch


def enter(branch: Branch) -> None:
    """Make *branch* the one that is running, here and in what is started from here."""
    _CURRENT.set(branch)


def inside(branch: Branch) -> Context:
    """Return a copy of the running context in which *branch* is the one that runs."""
    context = copy_context()
    context.run(_CURRENT.set, branch)
    return context


def branching(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> "asyncio.Task[Any]":
    """Make the task of *work*: a task factory that gives each task of a workflow a branch.

    So the paths of tasks that a workflow starts itself depend on the order in which it starts them
    and not on how they interleave.
    """
    if options.get("context") is None:
        branch = _CURRENT.get(None)
        if branch is not None:
            options["context"] = inside(branch.child(branch.place("task")))
    return asyncio.Task(work, loop=loop, **options)
