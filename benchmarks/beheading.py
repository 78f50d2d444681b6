"""A supervisor that is killed again and again in one run, by a thread of the driver's process."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..session import Session
from ..workflows import find_workflow
from .command import folder
from .killing import Chain, answered, lives, paths_of, steps, wait_for
from .players import Flow, Player, RuntimeKind


def beheaded(
    flow: Flow,
    player: Player,
    *,
    at: Sequence[float] = (),
    after_s: Sequence[float] = (),
    runtime: RuntimeKind = "inline",
) -> Chain:
    """Run *flow* once in this process, and kill the supervisor of each of its lives.

    Either once so much is done in all, *at* so many different calls and steps; or *after_s*
    seconds of that life.
    """
    with player.session(runtime, flow) as session:
        return behead(session, flow, player, at=at, after_s=after_s)


def behead(
    session: Session,
    flow: Flow,
    player: Player,
    *,
    at: Sequence[float] = (),
    after_s: Sequence[float] = (),
) -> Chain:
    """Do as `beheaded` does, in a *session* that is open."""
    with _at_home() as home:
        headsman = _Headsman(session, home, player, at, after_s, [(len(player.asked()), set())])
        thread = threading.Thread(target=headsman.work, daemon=True)
        thread.start()
        try:
            said = session.start(find_workflow(flow.target), flow.args).to_json()
        finally:
            headsman.over.set()
            thread.join()
        chain = Chain(said, kills=lives(home) - 1, work_s=float(said["wall_s"]))
        chain.listed = player.logged(paths_of(said))
        chain.count_written(home)
    asked, ends = player.asked(), [told for told, _ in headsman.seen[1:]]
    for (told, finished), end in zip(headsman.seen, [*ends, len(asked)], strict=True):
        chain.take_in(asked[told:end], finished)
    return chain


@dataclass(slots=True)
class _Headsman:
    """Kills the supervisors of the one run of *session*, from a thread of its own."""

    session: Session
    home: Path
    player: Player
    at: Sequence[float]
    after_s: Sequence[float]
    seen: list[tuple[int, set[str]]]
    """At the beginning and before each kill: how much was asked, and what had been answered."""
    over: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Kill each life when it is due, until the run is over."""
        for life in range(len(self.at) + len(self.after_s)):
            if not self._comes(lambda life=life: lives(self.home) > life):  # type: ignore[misc]
                return
            if not self._comes(partial(self._is_due, life, time.monotonic())):
                return
            driver, runtime = self.session._driver, self.session._runtime
            assert driver is not None and driver._supervisor is not None and runtime is not None
            finished = self.player.finished(answered(self.home))
            # What was asked is read after it, so that what is finished is surely among it.
            self.seen.append((len(self.player.asked()), finished))
            loop = self.session._thread()._loop
            loop.call_soon_threadsafe(runtime.kill, driver._supervisor)

    def _is_due(self, life: int, began: float) -> bool:
        if self.after_s:
            return time.monotonic() >= began + self.after_s[life]
        done = len(set(self.player.asked()[self.seen[0][0] :])) + len(set(steps(self.home)))
        return done >= self.at[life]

    def _comes(self, is_so: Callable[[], bool]) -> bool:
        """Wait until *is_so*; returns whether that came before the run was over."""
        wait_for(lambda: self.over.is_set() or is_so())
        return not self.over.is_set()


@contextmanager
def _at_home() -> Iterator[Path]:
    """Keep the runs of this process in a new folder for a while."""
    home, before = folder(), os.environ.get("COMMEDIA_HOME")
    os.environ["COMMEDIA_HOME"] = str(home)
    try:
        yield home
    finally:
        os.environ.pop("COMMEDIA_HOME")
        if before is not None:
            os.environ["COMMEDIA_HOME"] = before
