"""Two runs never share a folder: who holds it, and how who comes second is told."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ..actors.errors import RunLockedError


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold the run in *folder* for this process; raises RunLockedError where another holds it.

    The operating system keeps the lock, so that one left by a killed process is free. Any thread
    may let go of it, and child processes do not share it.
    """
    lock = FileLock(folder / "run.lock", mode=0o600, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise _refusal(folder) from None
    owner = folder / "run.owner"
    try:
        _sign(owner)
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process holds the run in *folder*."""
    try:
        with FileLock(folder / "run.lock", mode=0o600, thread_local=False, blocking=False):
            return False
    except Timeout:
        return True


def _sign(owner: Path) -> None:
    """Say who holds the run, in one step: who is refused may read at any moment."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    beside = owner.with_name(f".{owner.name}.part")
    beside.write_text(json.dumps(facts))
    beside.replace(owner)


def _refusal(folder: Path) -> RunLockedError:
    try:
        facts = json.loads((folder / "run.owner").read_text())
        owner, since = f"process {facts['pid']} on host {facts['host']}", str(facts["since"])
    except (OSError, ValueError, KeyError, TypeError):  # it has the lock, but has not signed yet
        owner, since = "another process", "just now"
    return RunLockedError(folder.name, owner, since)
