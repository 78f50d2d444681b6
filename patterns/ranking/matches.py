"""A round of matches under way: of any width, several questions and judges, as one table."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ...actors.questions import Question
from ...actors.tables import MATCHES
from .likelihood import Ints


def dealt(count: int, shares: Sequence[float]) -> Ints:
    """Return a judge for each of *count* matches, in proportion to their *shares*."""
    ends = np.rint(np.cumsum(shares) / sum(shares) * count)
    return np.searchsorted(ends, np.arange(count), side="right").astype(np.int64)


class Matches:
    """Collects the matches of one round, and lays them out as MATCHES."""

    def __init__(self, *, asks_why: bool = False) -> None:
        self._shown: list[Ints] = []
        self._tasks: list[str] = []
        self._judges: list[Ints] = []
        self._asks_why = asks_why

    def __len__(self) -> int:
        return sum(map(len, self._shown))

    def add(self, shown: Ints, question: Question, judges: Ints | None = None) -> None:
        """Append the rows of *shown*, asked as *question*, of one judge each (or of the first)."""
        if len(shown):
            self._shown.append(shown)
            asked = replace(question, size=shown.shape[1], why=self._asks_why)
            self._tasks.append(str(asked))
            self._judges.append(np.zeros(len(shown), np.int64) if judges is None else judges)

    def batch(self) -> pa.RecordBatch:
        """Return them all, in the order they were added."""
        sizes = [np.full(len(rows), rows.shape[1]) for rows in self._shown]
        ends = np.concatenate([[0], np.cumsum(np.concatenate([[], *sizes]))]).astype(np.int32)
        flat = np.concatenate([np.zeros(0, np.int64), *(rows.ravel() for rows in self._shown)])
        words = list(dict.fromkeys(self._tasks))
        codes = [
            np.full(len(r), words.index(t)) for r, t in zip(self._shown, self._tasks, strict=True)
        ]
        columns = {
            "shown": pa.ListArray.from_arrays(pa.array(ends), pa.array(flat, pa.int32())),
            "task": pa.DictionaryArray.from_arrays(
                pa.array(np.concatenate([[], *codes]), pa.int16()), pa.array(words, pa.string())
            ),
            "judge": pa.array(np.concatenate([[], *self._judges]), pa.int16()),
            "criterion": pa.array(np.zeros(len(self)), pa.int16()),
        }
        return pa.record_batch([columns[field.name] for field in MATCHES], schema=MATCHES)
