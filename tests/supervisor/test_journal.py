"""A journal gives back what was appended, and says so when it cannot keep it."""

import asyncio
import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import Record, blobs_of, line, read, write

from commedia.actors.errors import BlobMissingError, JournalFailedError
from commedia.supervisor.blobs import Blobs
from commedia.supervisor.journal import LONGEST, Journal, read_journal, scan

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
leaves = scalars | st.text(max_size=9)
names = st.sampled_from(["a", "b", "blob"])
values = st.recursive(
    leaves, lambda v: st.lists(v, max_size=2) | st.dictionaries(names, v, max_size=2), max_leaves=5
)
records = st.dictionaries(names, values, max_size=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


def test_each_line_is_a_checksum_and_canonical_json(path: Path) -> None:
    write(path, [{"b": 1, "a": "é\n"}, {}])

    assert path.read_bytes() == line('{"a":"\\u00e9\\n","b":1,"n":0}') + line('{"n":1}')


def test_a_journal_is_for_its_owner_only(path: Path) -> None:
    write(path, [])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@settings(max_examples=15)
@given(st.lists(records, max_size=3), records)
def test_what_is_appended_is_read(first: list[Record], last: Record) -> None:
    """By who reads it and by who opens it to go on, whatever the values look like."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.journal"
        write(path, first)
        write(path, [last])
        journal = Journal.open(path, blobs_of(path))
        asyncio.run(journal.close())

        assert journal.records == read(path) == [*first, last]


def test_a_journal_that_is_not_there_is_empty(path: Path) -> None:
    assert read(path) == []
    assert not path.exists()


# Groups


class Disk:
    """A `sync` that can be held, or fail, and remembers what was on disk after each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.images: list[bytes] = []
        self.error: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self._is_syncing = threading.Event()

    async def busy(self) -> None:
        """Return as soon as a sync has begun."""
        assert await asyncio.to_thread(self._is_syncing.wait, 10)

    def sync(self, descriptor: int) -> None:
        """Sync once the disk is free, or raise what is wrong with it."""
        self._is_syncing.set()
        assert self.free.wait(10)
        if self.error:
            raise self.error
        os.fsync(descriptor)
        self.images.append(self._path.read_bytes())


def with_journal(path: Path, use: Callable[[Journal, Disk], Awaitable[None]]) -> Disk:
    disk = Disk(path)

    async def run() -> None:
        await use(Journal.open(path, blobs_of(path), sync=disk.sync), disk)

    asyncio.run(run())
    return disk


def test_an_append_returns_when_its_record_is_on_disk(path: Path) -> None:
    """What a crash leaves at that moment holds it."""

    async def use(journal: Journal, disk: Disk) -> None:
        async def client(name: int) -> None:
            for k in range(8):
                record = {"client": name, "k": k}
                await journal.append(record)
                assert record in scan(disk.images[-1]).records

        await asyncio.gather(*[client(name) for name in range(40)])
        await journal.close()

    disk = with_journal(path, use)

    assert all(not scan(image).is_corrupt for image in disk.images)
    assert [r["k"] for r in read(path) if r["client"] == 7] == list(range(8))
    assert len(disk.images) < 40


def test_a_crash_at_any_moment_leaves_a_prefix_with_all_that_was_promised(path: Path) -> None:
    copies: list[tuple[int, bytes]] = []

    async def use(journal: Journal, disk: Disk) -> None:
        promised = 0

        async def client(k: int) -> None:
            nonlocal promised
            await journal.append({"k": k})
            promised += 1

        async def crash() -> None:
            while promised < 300:
                copies.append((promised, path.read_bytes()))
                await asyncio.sleep(0)

        async def arrive() -> None:
            async with asyncio.TaskGroup() as group:
                for k in range(300):
                    group.create_task(client(k))
                    if k % 7 == 0:
                        await asyncio.sleep(0)

        await asyncio.gather(arrive(), crash())
        await journal.close()

    with_journal(path, use)

    assert len(copies) > 3
    for promised, data in copies:
        found = scan(data)
        assert not found.is_corrupt
        assert found.records == [{"k": k} for k in range(len(found.records))]
        assert len(found.records) >= promised


def test_what_arrives_during_a_sync_shares_the_next(path: Path) -> None:
    async def use(journal: Journal, disk: Disk) -> None:
        disk.free.clear()
        first = asyncio.ensure_future(journal.append({"k": 0}))
        await disk.busy()
        rest = [asyncio.ensure_future(journal.append({"k": k})) for k in range(1, 1000)]
        await asyncio.sleep(0)
        disk.free.set()
        await asyncio.gather(first, *rest)

    disk = with_journal(path, use)

    assert [len(scan(image).records) for image in disk.images] == [1, 1000]
    assert read(path) == [{"k": k} for k in range(1000)]


def test_a_write_is_durable_with_the_next_flush_append_or_close(path: Path) -> None:
    async def use(journal: Journal, disk: Disk) -> None:
        journal.write({"k": 0})
        await journal.flush()
        assert len(scan(disk.images[-1]).records) == 1
        journal.write({"k": 1})
        await journal.append({"k": 2})
        assert len(scan(disk.images[-1]).records) == 3
        await journal.flush()
        journal.write({"k": 3})
        await journal.close()
        assert len(scan(disk.images[-1]).records) == 4
        await journal.close()
        with pytest.raises(JournalFailedError, match="it is closed"):
            journal.write({})

    disk = with_journal(path, use)

    assert len(disk.images) == 3


def test_a_record_is_as_it_was_when_it_was_written(path: Path) -> None:
    async def use(journal: Journal, _: Disk) -> None:
        record: Record = {"parts": [1]}
        journal.write(record)
        record["parts"].append(2)
        await journal.close()

    with_journal(path, use)

    assert read(path) == [{"parts": [1]}]


def test_a_waiter_that_is_cancelled_takes_nobody_along(path: Path) -> None:
    async def use(journal: Journal, disk: Disk) -> None:
        disk.free.clear()
        waiting = [asyncio.ensure_future(journal.append({"k": k})) for k in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        done, _ = await asyncio.wait([waiting[1]])
        assert done
        disk.free.set()
        await asyncio.gather(waiting[0], waiting[2])
        await journal.close()

    with_journal(path, use)

    assert read(path) == [{"k": 0}, {"k": 1}, {"k": 2}]


@pytest.mark.parametrize("record", [{"n": 1}, {"x": float("nan")}, {"x": object()}])
def test_what_is_no_record_leaves_no_gap(path: Path, record: Record) -> None:
    async def use(journal: Journal, _: Disk) -> None:
        await journal.append({"k": 0})
        with pytest.raises((TypeError, ValueError)):
            await journal.append(record)
        await journal.append({"k": 1})
        await journal.close()

    with_journal(path, use)

    assert read(path) == [{"k": 0}, {"k": 1}]


# Failure


def test_a_failed_sync_fails_every_waiter_and_all_that_comes_later(path: Path) -> None:
    async def use(journal: Journal, disk: Disk) -> None:
        disk.free.clear()
        disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
        early = asyncio.ensure_future(journal.append({"k": 0}))
        await disk.busy()
        late = [asyncio.ensure_future(journal.append({"k": k})) for k in (1, 2)]
        await asyncio.sleep(0)
        disk.free.set()
        told = await asyncio.gather(early, *late, return_exceptions=True)
        disk.error = None
        for again in (journal.append({"k": 3}), journal.flush(), journal.close()):
            told += await asyncio.gather(again, return_exceptions=True)
        await journal.close()

        assert {type(error) for error in told} == {JournalFailedError}
        assert {str(error) for error in told} == {
            f"journal {path} cannot be written: Input/output error"
        }

    disk = with_journal(path, use)

    assert disk.images == []
    assert read(path) == [{"k": 0}]


def test_a_full_disk_fails_the_journal(path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    path.symlink_to("/dev/full")

    async def run() -> None:
        descriptor = os.open("/dev/full", os.O_WRONLY)
        journal = Journal(path, descriptor, [], blobs_of(path), os.fsync)
        with pytest.raises(JournalFailedError, match="No space left"):
            await journal.append({})

    asyncio.run(run())


def test_a_write_cut_short_is_not_taken_for_a_whole_one(path: Path) -> None:
    """A limit of the system takes 100 bytes of the line; its number of bytes is the only sign."""
    code = """
import asyncio, resource, sys
from pathlib import Path
from commedia.supervisor.blobs import Blobs
from commedia.supervisor.journal import Journal

async def main(path):
    journal = Journal.open(path, Blobs(path.parent / "blobs"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    await journal.append({"text": "x" * 200})

asyncio.run(main(Path(sys.argv[1])))
"""
    shown = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)

    assert "JournalFailedError" in shown.stderr
    assert "File too large" in shown.stderr
    assert path.stat().st_size == 100
    assert read(path) == []


def test_whatever_breaks_nobody_waits_for_ever(path: Path) -> None:
    async def use(journal: Journal, disk: Disk) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        disk.error = RuntimeError("odd")
        with pytest.raises(JournalFailedError, match="RuntimeError: odd"):
            await journal.append({})

    with_journal(path, use)


def test_a_killed_writer_leaves_all_that_it_promised(path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from commedia.supervisor.blobs import Blobs
from commedia.supervisor.journal import Journal

async def main():
    journal = Journal.open(Path(sys.argv[1]), Blobs(Path(sys.argv[1]).parent / "blobs"))
    async def client(name):
        for k in range(10**9):
            await journal.append({"client": name, "k": k})
            print(name, k, flush=True)
    await asyncio.gather(*[client(name) for name in range(5)])

asyncio.run(main())
"""
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = [process.stdout.readline() for _ in range(200)]
        process.kill()
        shown += process.stdout.readlines()
    promised = [tuple(map(int, text.split())) for text in shown if text.endswith("\n")]
    kept = {(record["client"], record["k"]) for record in read(path)}

    assert kept.issuperset(promised)
    assert len(kept) <= len(promised) + 5


# Long values


def test_a_long_text_is_a_blob_and_is_read_as_it_was(path: Path) -> None:
    long, short = "é" * (LONGEST // 2 + 1), "é" * (LONGEST // 2)
    records: list[Record] = [
        {"answer": long, "also": {"deep": [1, long, {"blob": long}]}},
        {"answer": short},
        {"answer": {"blob": "0" * 64}, "more": {"blob": {"blob": {"blob": 1}}}},
    ]
    write(path, records)
    first, second, _ = (json.loads(text[9:]) for text in path.read_bytes().splitlines())

    assert first["answer"].keys() == {"blob"}
    assert blobs_of(path).get(first["answer"]["blob"]) == long.encode()
    assert second["answer"] == short
    assert read(path) == records


def test_a_missing_blob_is_an_error(path: Path) -> None:
    write(path, [{"answer": "x" * (LONGEST + 1)}])

    with pytest.raises(BlobMissingError):
        read_journal(path, Blobs(path.parent / "elsewhere"))


def test_a_blob_that_cannot_be_kept_fails_the_journal(path: Path) -> None:
    (path.parent / "blobs").write_text("in the way")

    async def use(journal: Journal, _: Disk) -> None:
        with pytest.raises(JournalFailedError, match="exists"):
            await journal.append({"answer": "x" * (LONGEST + 1)})

    with_journal(path, use)

    assert path.read_bytes() == b""
