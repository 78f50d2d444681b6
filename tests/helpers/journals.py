"""Journals in files, written and read in one call."""

import asyncio
import zlib
from pathlib import Path
from typing import Any

from commedia.supervisor.blobs import Blobs
from commedia.supervisor.journal import Journal, read_journal

Record = dict[str, Any]


def write(path: Path, records: list[Record]) -> None:
    """Append *records* to the journal at *path*."""
    asyncio.run(_write(path, records))


async def _write(path: Path, records: list[Record]) -> None:
    journal = Journal.open(path, blobs_of(path))
    for record in records:
        journal.write(record)
    await journal.close()


def read(path: Path) -> list[Record]:
    """Read the journal at *path*."""
    return read_journal(path, blobs_of(path))


def blobs_of(path: Path) -> Blobs:
    """Return the blobs that stand beside *path*."""
    return Blobs(path.parent / "blobs")


def line(body: str) -> bytes:
    """Frame *body* as a journal does, whatever it says."""
    return b"%08x %b\n" % (zlib.crc32(body.encode()), body.encode())
