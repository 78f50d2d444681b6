"""What an evaluation's commands leave running, and what they can see of this process.

There is no sandbox: a command can do what its user can. This keeps it from what is easily kept.
"""

import contextlib
import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psutil

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_LOOKS: Final = 5
"""So often at most it is looked whether what was ended has started others meanwhile."""

_BEFORE_S: Final = 1.0
"""How much earlier than we think a process may say that it began: clocks tick in jiffies."""


class _Hiding:
    """How many evaluations of this process hide it now: what is hidden is the process."""

    def __init__(self) -> None:
        self._lock, self._count, self._before = threading.Lock(), 0, 1

    def begin(self) -> None:
        with self._lock:
            if not self._count:
                self._before = _dumpable()
                _set_dumpable(0)
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._before == 1:
                _set_dumpable(1)


_HIDING: Final = _Hiding()


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Keep other processes of the same user from reading this one's environment and memory.

    On Linux alone, where it keeps debuggers away as well; nothing keeps root, and the shell that
    started this process can be read as before.
    """
    _HIDING.begin()
    try:
        yield
    finally:
        _HIDING.end()


def end_descendants(home: Path, since: float) -> None:
    """End what a command has left running: processes begun after *since* whose HOME is *home*.

    Its session does not matter. What has changed its own environment is not known by it.
    """
    import psutil  # here, as most evaluations run no command

    for _ in range(_LOOKS):
        left = [process for process in psutil.process_iter() if _is_from(process, home, since)]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if not left:
            return
        psutil.wait_procs(left, timeout=0.2)


def now() -> float:
    """Return the time as processes know it."""
    return time.time()


def _is_from(process: "psutil.Process", home: Path, since: float) -> bool:
    import psutil

    try:
        if process.create_time() < since - _BEFORE_S:
            return False
        return bool(process.environ().get("HOME") == str(home))
    except (psutil.Error, OSError):  # gone, or not ours
        return False


def _dumpable() -> int:
    return _libc().prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) if _is_linux() else 0


def _set_dumpable(value: int) -> None:
    if _is_linux():
        _libc().prctl(_PR_SET_DUMPABLE, value, 0, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _is_linux() -> bool:
    return sys.platform == "linux"
