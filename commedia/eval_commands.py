"""Commands as systems: one process an item, in a folder of its own, within limits.

A command runs with the user's rights: there is no sandbox. It is passed no key, nor anything else
of the environment but for PATH, HOME (its own folder), LANG and TERM; what its user could read it
can read, be it files or the environment of the shell that started us.
"""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from .actors.errors import UsageError
from .eval_clock import OVER_BUDGET, EvalClock
from .eval_processes import end_descendants, hidden, now
from .inputs import MAX_TEXT_CHARS

OUTPUTS_FILE = "outputs.jsonl"
"""What finished commands wrote, one JSON object a line."""

MAX_OUTPUT_BYTES = 1_000_000
UNSAFE = (
    "commands run with your rights and without a sandbox: they are passed no key, but can read "
    "what you can"
)

_PASSED_ON = ("PATH", "LANG", "TERM")
_SAID_CHARS = 500
_LOOK_S = 0.02
"""Seconds between two looks at a command that runs."""

_TIMEOUT = "timeout"
_GRACE_S = 2.0
"""Seconds in which a command that was killed must be gone."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a system made of an item: its *text*, or the *cause* why there is none.

    *said* is the end of what a failed command wrote to standard error.
    """

    text: str | None = None
    cause: str | None = None
    said: str = ""


_TOO_LATE = Made(cause=OVER_BUDGET)


@dataclass(frozen=True, slots=True)
class Errand:
    """One command to run: which system's (*system*), for which item, with what prompt."""

    system: str
    item: str
    argv: tuple[str, ...]
    prompt: str
    place: str
    """The name of its folder among those of the run."""


def read_command(text: str, *, system: str) -> tuple[str, ...]:
    """Split *text* into the words of a command, as a shell would; nothing is run by a shell.

    Words that name a file here become its full path, for the command runs in another folder.
    Raises UsageError where it cannot be split, or its program cannot be found.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"the command of system {system!r} cannot be read ({error}); check its quotes"
        ) from None
    if not words:
        raise UsageError(f"the command of system {system!r} is empty; name a program")
    if any("\0" in word for word in words):
        raise UsageError(f"the command of system {system!r} holds a NUL character; leave it out")
    program, *rest = words
    found = shutil.which(program)
    if found is None:
        raise UsageError(
            f"system {system!r} runs {program!r}, which is no program here; check its name or PATH"
        )
    full = str(Path(found).absolute()) if "/" in program else program
    return (full, *(_full_path(word) for word in rest))


def environment(home: Path, ours: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command whose folder is *home*: no key is in it."""
    return {**{name: ours[name] for name in _PASSED_ON if name in ours}, "HOME": str(home)}


async def run_all(
    errands: Sequence[Errand],
    folder: Path,
    *,
    timeout_s: float,
    at_once: int,
    clock: EvalClock,
    tell: Callable[[int, int, int], None] = lambda done, all, failed: None,
) -> dict[tuple[str, str], Made]:
    """Run *errands*, *at_once* at a time; returns what each made, by (system, item).

    What finished in an earlier life of the run, in *folder*, is not run again. When the *clock* is
    over no other is begun, and those that run are ended; a later life runs them. *tell* is told how
    many are done, of how many, and how many failed. When it is cancelled, so is every command.
    """
    made = finished_in(folder)
    wanted = [errand for errand in errands if (errand.system, errand.item) not in made]
    failed = sum(made[e.system, e.item].text is None for e in errands if e not in wanted)
    done = len(errands) - len(wanted)
    turn = asyncio.Semaphore(at_once)
    with _log(folder) as log, hidden():

        async def perform(errand: Errand) -> None:
            nonlocal done, failed
            async with turn:
                found = await _perform_in_time(errand, folder, timeout_s, clock)
            made[errand.system, errand.item] = found
            if found != _TOO_LATE:
                _note(log, errand, found)
            done, failed = done + 1, failed + (found.text is None)
            tell(done, len(errands), failed)

        async with asyncio.TaskGroup() as group:
            for errand in wanted:
                group.create_task(perform(errand))
    return made


def finished_in(folder: Path) -> dict[tuple[str, str], Made]:
    """Return what commands made in earlier lives of the run in *folder*."""
    file = folder / OUTPUTS_FILE
    found: dict[tuple[str, str], Made] = {}
    for line in file.read_bytes().splitlines() if file.exists() else []:
        try:
            row = json.loads(line)
            key = (row.pop("system"), row.pop("item"))
            found[key] = Made(**row)
        except (ValueError, TypeError, KeyError):  # torn, when the run was killed
            continue
    return found


async def run_command(argv: Sequence[str], prompt: str, *, home: Path, timeout_s: float) -> Made:
    """Run *argv* in the folder *home*, with *prompt* on its standard input, and return its output.

    It fails by another exit code than 0, by taking longer than *timeout_s*, by writing more than
    MAX_OUTPUT_BYTES, or by writing nothing but blanks. What it leaves running ends with it, also in
    a session of its own, unless it has changed its environment. Its streams are files: nothing
    waits for a pipe that somebody else holds open.
    """
    since = now()
    with contextlib.ExitStack() as stack:
        given, told, said = (
            stack.enter_context(tempfile.TemporaryFile(dir=home.parent)) for _ in range(3)
        )
        given.write(prompt.encode())
        given.seek(0)
        try:
            process = subprocess.Popen(
                argv,
                stdin=given,
                stdout=told,
                stderr=said,
                cwd=home,
                env=environment(home, os.environ),
                start_new_session=True,
            )
        except OSError as error:
            return Made(cause="not started", said=error.strerror or str(error))
        try:
            failed = await _until_done(process, [told, said], timeout_s)
        finally:
            _end(process)
            end_descendants(home, since)
        tail = _tail(said)
        if failed is not None:
            return Made(cause=failed, said=tail)
        told.seek(0)
        return _judged(process.returncode, told.read(), tail)


def _judged(code: int, data: bytes, said: str) -> Made:
    if code != 0:
        cause = f"exit {code}" if code > 0 else f"signal {-code}"
        return Made(cause=cause, said=said)
    text = data.decode("utf-8", "replace").strip()
    if not text:
        return Made(cause="blank", said=said)
    if len(text) > MAX_TEXT_CHARS:
        return Made(cause="too long", said=said)
    return Made(text)


async def _perform_in_time(
    errand: Errand, folder: Path, timeout_s: float, clock: EvalClock
) -> Made:
    left_s = clock.left_s
    if not left_s:
        return _TOO_LATE
    found = await _perform(errand, folder, min(timeout_s, left_s))
    return _TOO_LATE if found.cause == _TIMEOUT and left_s < timeout_s else found


async def _perform(errand: Errand, folder: Path, timeout_s: float) -> Made:
    home = folder / "commands" / errand.place
    shutil.rmtree(home, ignore_errors=True)  # of a life that was killed
    home.mkdir(mode=0o700, parents=True)
    try:
        return await run_command(errand.argv, errand.prompt, home=home, timeout_s=timeout_s)
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _until_done(
    process: "subprocess.Popen[bytes]", written: Sequence[IO[bytes]], timeout_s: float
) -> str | None:
    """Wait until *process* has ended; returns why it must be ended sooner, if it must."""
    deadline = time.monotonic() + timeout_s
    while True:
        is_done = process.poll() is not None
        if any(os.fstat(file.fileno()).st_size > MAX_OUTPUT_BYTES for file in written):
            return "too long"
        if is_done:
            return None
        if time.monotonic() >= deadline:
            return _TIMEOUT
        await asyncio.sleep(_LOOK_S)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End *process* and all that it started in its session, and bury it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)


def _tail(said: IO[bytes]) -> str:
    """Return the end of what was written."""
    said.seek(max(os.fstat(said.fileno()).st_size - 4 * _SAID_CHARS, 0))
    return said.read(4 * _SAID_CHARS).decode("utf-8", "replace").strip()[-_SAID_CHARS:]


@contextlib.contextmanager
def _log(folder: Path) -> Iterator[IO[bytes]]:
    """Open the log of what commands made; a line that a kill has torn is closed first."""
    with (folder / OUTPUTS_FILE).open("ab") as log:
        if log.tell():
            log.write(b"\n")
        yield log


def _note(log: IO[bytes], errand: Errand, made: Made) -> None:
    row = {"system": errand.system, "item": errand.item, **asdict(made)}
    log.write(json.dumps(row).encode() + b"\n")
    log.flush()
    os.fsync(log.fileno())


def _full_path(word: str) -> str:
    try:
        is_file = Path(word).is_file()
    except (OSError, ValueError):  # too long for a name
        return word
    return str(Path(word).absolute()) if is_file else word
