"""The run journal: paths and keys, answers of the user, what tools returned, what was waited for.

No model's answer is in it: those are in the charge journal, or can be computed again.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ..actors.errors import JournalFailedError, RunFailedError
from .blobs import Blobs
from .charges import BLOBS
from .journal import Journal

DIARY: Final = "run.journal"


class Diary:
    """What a run wrote down in its earlier lives, and writes down in this one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known = {
            (record["p"], record["h"]): record for record in journal.records if "p" in record
        }
        self._loop = asyncio.get_running_loop()
        self.recalled = 0

    @classmethod
    async def open(cls, folder: Path) -> "Diary":
        """Open the journal in *folder*; raises JournalCorruptError where it is damaged."""
        blobs = Blobs(folder / BLOBS)
        return cls(await asyncio.to_thread(Journal.open, folder / DIARY, blobs))

    @property
    def lives(self) -> int:
        """How often the run has been started before."""
        return sum(record["t"] == "begun" for record in self._journal.records)

    @property
    def took_s(self) -> float:
        """Seconds that its lives have taken, as far as that was noted."""
        noted = (record["s"] for record in self._journal.records if record["t"] == "took")
        return max(noted, default=0.0)

    @property
    def skipped(self) -> list[str]:
        """The labels of agents that were skipped: they stay so in each later life."""
        return [record["label"] for record in self._journal.records if record["t"] == "skip"]

    @property
    def refused(self) -> frozenset[str]:
        """The paths of agents whose last answer did not fit the type that was wanted."""
        verdicts = (record for record in self._journal.records if record["t"] == "fits")
        last = {record["of"]: record["ok"] for record in verdicts}
        return frozenset(path for path, fits in last.items() if not fits)

    async def settle(self) -> None:
        """Return once all that was noted so far is durable; raises RunFailedError if not."""
        with _ending():
            await self._journal.flush()

    def recall(self, path: str, key: str) -> Mapping[str, Any] | None:
        """Return what was written for *path* under the same *key*."""
        found = self._known.get((path, key))
        self.recalled += found is not None
        return found

    def note(self, record: Mapping[str, Any]) -> None:
        """Write *record* soon; any thread may. Whether that failed is told when it is settled."""
        self._loop.call_soon_threadsafe(self._write, record)

    async def record(self, record: Mapping[str, Any]) -> None:
        """Write *record*; returns once it is durable, and raises RunFailedError if not."""
        with _ending():
            await self._journal.append(record)

    async def close(self) -> None:
        """Close the journal, once what was noted is in it."""
        await asyncio.sleep(0)
        await self._journal.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        with suppress(JournalFailedError):
            self._journal.write(record)


@contextmanager
def _ending() -> Iterator[None]:
    """A run whose journal fails cannot go on: what it did next would be done again."""
    try:
        yield
    except JournalFailedError as error:
        raise RunFailedError(str(error)) from error
