"""A journal has one writer: who comes next waits for the last, and is told where it stays."""

import asyncio
import threading
from pathlib import Path

import pytest
from journals import blobs_of, write

from commedia.actors.errors import JournalCorruptError, JournalFailedError
from commedia.supervisor import journal as journals
from commedia.supervisor.journal import Journal


def test_who_opens_a_journal_waits_for_its_last_writer(tmp_path: Path) -> None:
    """And reads what was written until then: a gateway may outlive its driver for seconds."""
    path = tmp_path / "run.journal"

    async def overlap() -> list[dict[str, object]]:
        first = Journal.open(path, blobs_of(path))
        began = threading.Event()

        def follow() -> Journal:
            began.set()
            return Journal.open(path, blobs_of(path))

        following = asyncio.create_task(asyncio.to_thread(follow))
        await asyncio.to_thread(began.wait)
        await first.append({"t": "late"})
        await first.close()
        second = await following
        await second.close()
        return second.records

    assert asyncio.run(overlap()) == [{"t": "late"}]


def test_a_writer_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "HELD_S", 0.05)
    path = tmp_path / "run.journal"

    async def overlap() -> None:
        first = Journal.open(path, blobs_of(path))
        try:
            Journal.open(path, blobs_of(path))
        finally:
            await first.close()

    with pytest.raises(JournalFailedError, match="another process still writes it"):
        asyncio.run(overlap())


def test_a_journal_that_could_not_be_opened_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    write(path, [{"t": "a"}, {"t": "b"}])
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"a"', b'"x"'))
    for _ in range(2):
        with pytest.raises(JournalCorruptError):
            Journal.open(path, blobs_of(path))
    path.write_bytes(whole)

    write(path, [{"t": "c"}])
