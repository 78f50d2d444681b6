"""A run's journal: an append-only file of JSON records, each durable before anyone relies on it."""

import asyncio
import json
import os
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from ..actors.errors import JournalCorruptError, JournalFailedError
from .blobs import Blobs, sync_folder
from .json_text import encoder

LONGEST: Final = 1 << 16
"""A text of more bytes than this, in UTF-8, is kept as a blob."""

HELD_S: Final = 30.0
"""How long whoever opens a journal waits for its last writer, which may still be ending."""

_BLOB: Final = "blob"
_LOOKS_LIKE_A_BLOB: Final = f'{{"{_BLOB}":'
_FRAME: Final = re.compile(rb"[0-9a-f]{8} (?=\{)")
_encode: Final = encoder(allow_nan=False, sort_keys=True, separators=(",", ":"))
_fdatasync: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)


class Journal:
    """The one writer of a journal, used from one event loop.

    Records keep the order in which they came. What comes while a group is being written goes in
    the next group: one write and one sync for all of it, in a thread. After an error nothing is
    retried, since the system may have dropped what it failed to write: the journal stays failed.
    """

    def __init__(
        self,
        path: Path,
        descriptor: int,
        records: list[dict[str, Any]],
        blobs: Blobs,
        sync: Callable[[int], None],
        lock: FileLock | None = None,
    ) -> None:
        self.path = path
        self.records = records
        self._descriptor = descriptor
        self._blobs = blobs
        self._sync = sync
        self._lock = lock
        self._next = len(records)
        self._bodies: list[str] = []
        self._waiters: list[asyncio.Future[str]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._is_open = True
        self._why = ""

    @classmethod
    def open(
        cls, path: Path, blobs: Blobs, *, sync: Callable[[int], None] = _fdatasync
    ) -> "Journal":
        """Open *path*, or create it; cut a torn tail, and make durable the `records` that it holds.

        Raises JournalCorruptError where records follow damage, JournalFailedError where somebody
        else goes on writing it, and what *blobs* raise.
        """
        lock = _lock(path)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                records, end = _read(path, blobs)
                os.ftruncate(descriptor, end)
                os.fsync(descriptor)
                sync_folder(path.parent)
            except BaseException:
                os.close(descriptor)
                raise
        except BaseException:
            lock.release()
            raise
        return cls(path, descriptor, records, blobs, sync, lock)

    async def append(self, record: Mapping[str, Any]) -> None:
        """Return once *record* is durable; cancelled before, it becomes durable all the same."""
        self.write(record)
        await self._written()

    def write(self, record: Mapping[str, Any]) -> None:
        """Queue *record* for the next group; raises ValueError or TypeError if it is no JSON."""
        self._check()
        if "n" in record:
            raise ValueError("n is a record's place in its journal, which the journal gives")
        self._bodies.append(_encode({**record, "n": self._next}))
        self._next += 1
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_groups())

    async def flush(self) -> None:
        """Return once all that was written so far is durable."""
        self._check()
        if self._flusher is not None:
            await self._written()

    async def close(self) -> None:
        """Let nothing more in, and return once all is durable; raises JournalFailedError if not."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            if self._why:
                raise JournalFailedError(str(self.path), self._why)
            if self._flusher is not None:
                await self._written()
        finally:
            if self._flusher is None:  # else its thread may still be writing
                os.close(self._descriptor)
                if self._lock is not None:
                    self._lock.release()

    def _check(self) -> None:
        if self._why or not self._is_open:
            raise JournalFailedError(str(self.path), self._why or "it is closed")

    async def _written(self) -> None:
        """Wait for the group that is queued now."""
        # One future a waiter: a shared one dies with any waiter, and a shield for it costs more.
        waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if why := await waiter:
            raise JournalFailedError(str(self.path), why)

    async def _flush_groups(self) -> None:
        waiters: list[asyncio.Future[str]] = []
        try:
            while self._bodies or self._waiters:
                bodies, self._bodies = self._bodies, []
                waiters, self._waiters = self._waiters, []
                if bodies:
                    await asyncio.to_thread(self._commit, bodies)
                _wake(waiters)
        except BaseException as error:  # whatever it was, nobody may wait for ever
            self._why = _reason(error)
            _wake([*waiters, *self._waiters], self._why)
            if not isinstance(error, Exception):
                raise  # and keep the flusher: its thread goes on, so the file is not closed
            self._flusher = None
            if not isinstance(error, OSError):
                raise
        else:
            self._flusher = None

    def _commit(self, bodies: list[str]) -> None:
        left = memoryview(b"".join([_line(body, self._blobs) for body in bodies]))
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._sync(self._descriptor)


def read_journal(path: Path, blobs: Blobs) -> list[dict[str, Any]]:
    """Return the records at *path*, which another process may be writing; none if it is not there.

    Raises as `Journal.open` does, and leaves a torn tail alone.
    """
    return _read(path, blobs)[0]


@dataclass(frozen=True, slots=True)
class Scan:
    """What a journal's bytes hold: whole records up to *end*, and whether any follow damage."""

    records: list[dict[str, Any]]
    end: int
    is_corrupt: bool


def scan(data: bytes) -> Scan:
    """Read a journal's bytes, up to the first that are no record."""
    records: list[dict[str, Any]] = []
    end = 0
    while (stop := data.find(b"\n", end)) >= 0:
        record = _record(data[end:stop])
        if record is None or record.pop("n", None) != len(records):
            break
        records.append(record)
        end = stop + 1
    return Scan(records, end, end < len(data) and _holds_record(data[end:]))


def _lock(path: Path) -> FileLock:
    """Hold *path* for one writer: that of a run's last life may outlive its driver for seconds."""
    lock = FileLock(path.with_name(f".{path.name}.lock"), mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=HELD_S, poll_interval=0.02)
    except Timeout:
        raise JournalFailedError(str(path), "another process still writes it") from None
    return lock


def _record(line: bytes) -> dict[str, Any] | None:
    body = line[9:]
    if line[:9] != b"%08x " % zlib.crc32(body):
        return None
    try:
        record = json.loads(body.decode("ascii"))
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _holds_record(tail: bytes) -> bool:
    """Whether a whole record stands anywhere: where a line feed is damaged, inside a line too."""
    for match in _FRAME.finditer(tail):
        stop = tail.find(b"\n", match.start())
        if stop >= 0 and _record(tail[match.start() : stop]) is not None:
            return True
    return False


def _read(path: Path, blobs: Blobs) -> tuple[list[dict[str, Any]], int]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    found = scan(data)
    if found.is_corrupt:
        good = _save_good(path, data[: found.end])
        raise JournalCorruptError(str(path), good, len(found.records) + 1)
    if _LOOKS_LIKE_A_BLOB.encode() not in data:
        return found.records, found.end
    return [_each(_inside, record, blobs) for record in found.records], found.end


def _save_good(path: Path, good: bytes) -> str:
    """Write *good* beside *path* under a name that is free, and return it; "" where that fails."""
    for number in count(1):
        beside = path.with_name(f"{path.name}.good" + (f"-{number}" if number > 1 else ""))
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if beside.is_file() and beside.read_bytes() == good:
                break
            continue
        except OSError:
            return ""
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(good)
                file.flush()
                os.fsync(descriptor)
        except OSError:
            beside.unlink(missing_ok=True)
            return ""
        break
    return str(beside)


def _line(body: str, blobs: Blobs) -> bytes:
    # ASCII JSON is never shorter than the UTF-8 of a text in it.
    if len(body) > LONGEST or _LOOKS_LIKE_A_BLOB in body:
        body = _encode(_each(_outside, json.loads(body), blobs))
    data = body.encode()
    return b"%08x %b\n" % (zlib.crc32(data), data)


def _each(
    turn: Callable[[Any, Blobs], Any], record: dict[str, Any], blobs: Blobs
) -> dict[str, Any]:
    return {key: turn(value, blobs) for key, value in record.items()}


def _outside(value: Any, blobs: Blobs) -> Any:
    """Return *value* as a line has it: a long text as a reference, what looks like one doubled."""
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return {_BLOB: blobs.put(data)} if len(data) > LONGEST else value
    if isinstance(value, list):
        return [_outside(part, blobs) for part in value]
    if isinstance(value, dict):
        turned = _each(_outside, value, blobs)
        return {_BLOB: turned} if turned.keys() == {_BLOB} else turned
    return value


def _inside(value: Any, blobs: Blobs) -> Any:
    """Return what `_outside` was given."""
    if isinstance(value, list):
        return [_inside(part, blobs) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_BLOB}:
        inner = value[_BLOB]
        if isinstance(inner, str):
            return blobs.get(inner).decode("utf-8", "surrogatepass")
        if isinstance(inner, dict):
            value = inner
    return _each(_inside, value, blobs)


def _wake(waiters: list[asyncio.Future[str]], why: str = "") -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(why)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    if isinstance(error, asyncio.CancelledError):
        return "its event loop ended while it was writing"
    return f"{type(error).__name__}: {error}"
