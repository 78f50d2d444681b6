"""The operating system's side of a Ray of our own: a private folder, a token, and no one left over.

Every process of a session carries COMMEDIA_RAY=<session> in its environment, so ours are told from
any other Ray's, whatever became of their parents.
"""

import contextlib
import gc
import io
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from ...actors.imports import ARROW

MARK: Final = "COMMEDIA_RAY"
_SECRETS: Final = ("ANTHROPIC_", "CLAUDE_")
_YOUNG: Final = 20_000
"""So many new objects are made before Python looks for garbage among them; 700 is its own."""
_TOKEN: Final = secrets.token_hex(32)  # one a process: Ray reads its token once and keeps it
JOINING: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a call after the end must fail, not start another Ray
}
"""What is set while a Ray that others started is joined; its token stays theirs."""

_SETTINGS: Final = {
    **JOINING,
    "RAY_AUTH_MODE": "token",
    "RAY_worker_niceness": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True, slots=True)
class Session:
    """A Ray session of ours: its name, and its private folder with Ray's files and the token."""

    name: str
    folder: Path
    preload: tuple[str, ...] = ()

    @classmethod
    def create(cls, preload: Iterable[str] = ()) -> "Session":
        """Make a session's folder (0700) and its token (0600); workers import *preload* early."""
        name = secrets.token_hex(8)
        folder = Path(tempfile.mkdtemp(prefix="commedia-"))
        token = folder / "token"
        descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(_TOKEN)
        return cls(name, folder, tuple(preload))

    @property
    def environment(self) -> Mapping[str, str]:
        """What Ray's processes are told: all of it must be set before ray is imported."""
        return {
            **ARROW,
            **_SETTINGS,
            "RAY_AUTH_TOKEN_PATH": str(self.folder / "token"),
            "RAY_preload_python_modules": ",".join(self.preload),
            MARK: self.name,
        }

    def processes(self) -> list[psutil.Process]:
        """Return the processes of this session that run, but for this one and the watchdog."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get(MARK) == self.name
                is_ours = is_ours and process.status() != psutil.STATUS_ZOMBIE
            except (psutil.Error, OSError):
                continue
            if is_ours and process.pid != os.getpid():
                found.append(process)
        return found

    def end(self, *, patience_s: float) -> None:
        """Wait for this session's processes to go, end those that do not, and clear its folder."""
        deadline = time.monotonic() + patience_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in left:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(left, timeout=3)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def told(settings: Mapping[str, str]) -> Iterator[None]:
    """Set what Ray must be told in this process's environment, and hide every key, for a while.

    What Ray starts inherits the environment of that moment: the *settings* and no key.
    """
    before = dict(os.environ)
    hide_keys()
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def settle_in() -> None:
    """Make this process, which plays one actor, ours.

    A cluster that others started may have been given keys. And where ten thousand agents wait, all
    of them alive, Python's collector goes through them again and again for nothing: that is half
    of what an agent costs.
    """
    hide_keys()
    gc.set_threshold(_YOUNG, 10, 10)


def hide_keys() -> None:
    """Take every key out of this process's environment."""
    for name in list(os.environ):
        if name.startswith(_SECRETS):
            del os.environ[name]


@contextmanager
def silenced() -> Iterator[None]:
    """Keep Ray's talk off this process's output while it starts or ends."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # Ray sets the levels of its own loggers as it starts
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def unheard(*_: object, **__: object) -> None:
    """Take the place of what prints Ray's own messages, which go to standard output unasked."""


def start_watchdog(session: Session) -> subprocess.Popen[bytes]:
    """Start a process that ends *session* when this one is gone, even by kill -9.

    It holds the reading end of a pipe whose writing end dies with this process.
    """
    command = [sys.executable, "-m", "commedia.supervisor.runtime.watchdog"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_SECRETS)}
    return subprocess.Popen(
        [*command, session.name, str(session.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={k: v for k, v in environment.items() if k != MARK},
        start_new_session=True,
    )
