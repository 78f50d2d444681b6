"""What a run writes down as it goes: events, matches and the ranking so far."""

import json
import threading
from typing import Final

import numpy as np
import pyarrow as pa

from ..actors.clock import Clock
from ..actors.judge import VARIANT
from ..actors.models.recorded import is_simulated
from ..actors.tables import text_hash, words
from .orders import RunSpec
from .store import EVENT_LOG, MATCH_LOG, RunStore

_ASKED: Final = {"call_id": "call_id", "question": "task", "judge": "model", "by": "by"}
_ANSWERED: Final = ("status", "reason", "grade", "tokens_in", "tokens_out", "cost_nanousd")


class Logbook:
    """Turns what happens into the tables of the run store."""

    def __init__(self, spec: RunSpec, clock: Clock) -> None:
        simulated = "yes" if is_simulated(spec.model) else "no"
        metadata = {"run_id": spec.run_id, "model": spec.model.name, "simulated": simulated}
        self._store = RunStore(spec.folder, metadata)
        self._clock = clock
        self._started = clock.now()
        self._events: list[tuple[int, str, str]] = []
        self._lock = threading.Lock()
        self._hashed: tuple[pa.RecordBatch | None, pa.Array] = (None, None)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock.now() - self._started

    def event(self, kind: str, text: str) -> None:
        """Add an event; any thread may."""
        with self._lock:
            plain = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text
            self._events.append((round(self.elapsed_s * 1e6), kind, plain))

    def write_events(self) -> None:
        """Write all events so far."""
        with self._lock:
            times, kinds, texts = zip(*self._events, strict=True) if self._events else ((), (), ())
        columns = [
            pa.array(c, f.type)
            for c, f in zip((range(len(times)), times, kinds, texts), EVENT_LOG, strict=True)
        ]
        self._store.write_events(pa.Table.from_arrays(columns, schema=EVENT_LOG))

    def write_matches(
        self, number: int, requests: pa.RecordBatch, replies: pa.RecordBatch, items: pa.RecordBatch
    ) -> None:
        """Write a stage's matches: what was asked, in the order shown, and what was answered."""
        shown, rows = requests.column("items"), requests.num_rows
        ids, order = items.column("id"), items_in_order(shown, replies.column("order"))
        columns = {
            **{name: requests.column(word) for name, word in _ASKED.items()},
            **{name: replies.column(name) for name in _ANSWERED},
            "round": pa.repeat(pa.scalar(number, pa.int32()), rows),
            "ids": _at(shown, ids),
            "text_hashes": _at(shown, self._text_hashes(items)),
            "prompt_version": words([VARIANT]).take(pa.repeat(0, rows)),
            "order": _at(order, ids),
            "why": _reasons(requests, replies),
        }
        names = MATCH_LOG.names
        table = pa.Table.from_arrays([columns[name] for name in names], names)
        self._store.write_matches(number, table)
        self.write_events()

    def write_agents(self, agents: pa.Table) -> None:
        """Write the table of agents (agent_log.AGENT_LOG)."""
        self._store.write_agents(agents)

    def write_ranking(
        self, standing: pa.RecordBatch, items: pa.RecordBatch, *, number: int = 0
    ) -> None:
        """Write the ranking so far, best first; *number* counts the tournaments of the run."""
        places = standing.column("item")
        rank = pa.array(range(1, len(places) + 1), pa.int32())
        names = ["score", "rank_low", "rank_high", "comparisons"]
        columns = [rank, items.column("id").take(places), *(standing.column(n) for n in names)]
        table = pa.Table.from_arrays(columns, ["rank", "id", *names])
        self._store.write_ranking(table, number=number)

    def _text_hashes(self, items: pa.RecordBatch) -> pa.Array:
        if self._hashed[0] is not items:
            texts = items.column("text").to_pylist()
            self._hashed = (items, pa.array(map(text_hash, texts), pa.string()))
        return self._hashed[1]


def _reasons(requests: pa.RecordBatch, replies: pa.RecordBatch) -> pa.Array:
    """Return why each match was answered as it was, in the judge's own words (untrusted)."""
    if not any(text.endswith("+why") for text in requests.column("task").dictionary.to_pylist()):
        return pa.nulls(requests.num_rows, pa.string())
    answers = replies.column("answer").to_pylist()
    return pa.array([a and json.loads(a).get("why") for a in answers], pa.string())


def items_in_order(shown: pa.Array, order: pa.Array) -> pa.Array:
    """Return orders of places shown as orders of items: a list array, null where *order* is."""
    if order.null_count == len(order):
        return pa.nulls(len(order), pa.list_(pa.int32()))
    first = shown.offsets.to_numpy()
    sizes = order.value_lengths().fill_null(0).to_numpy()
    places = order.flatten().to_numpy() + np.repeat(first[:-1] - first[0], sizes)
    ends = np.concatenate([np.zeros(1, np.int32), np.cumsum(sizes, dtype=np.int32)])
    picked = shown.flatten().take(pa.array(places))
    mask = order.is_null() if order.null_count else None
    return pa.ListArray.from_arrays(pa.array(ends), picked, mask=mask)


def _at(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Return *lists* of places with the values that stand there, each of them held once."""
    if lists.null_count == len(lists):
        return pa.nulls(len(lists), pa.list_(values.type))
    ends = lists.offsets
    ends = pa.compute.subtract(ends, ends[0]).cast(pa.int32())
    mask = lists.is_null() if lists.null_count else None
    named = pa.DictionaryArray.from_arrays(lists.flatten(), values)
    return pa.ListArray.from_arrays(ends, named, mask=mask)
