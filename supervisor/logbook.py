"""What a run writes down as it goes: events, matches and the ranking so far."""

import hashlib
import threading

import pyarrow as pa

from ..actors.clock import Clock
from ..actors.judge import VARIANT
from .orders import RunSpec
from .store import EVENT_LOG, MATCH_LOG, RunStore


class Logbook:
    """Turns what happens into the tables of the run store."""

    def __init__(self, spec: RunSpec, clock: Clock) -> None:
        simulated = "yes" if spec.model.is_simulated else "no"
        metadata = {"run_id": spec.run_id, "model": spec.model.name, "simulated": simulated}
        self._store = RunStore(spec.folder, metadata)
        self._clock = clock
        self._started = clock.now()
        self._events: list[tuple[int, str, str]] = []
        self._lock = threading.Lock()
        self._hashed: tuple[pa.RecordBatch | None, list[str]] = (None, [])

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
        shown = requests.column("items")
        rows = requests.num_rows
        columns = {
            "round": pa.repeat(pa.scalar(number, pa.int32()), rows),
            "call_id": requests.column("call_id"),
            "ids": _at(shown, items.column("id")),
            "text_hashes": _at(shown, self._text_hashes(items)),
            "question": requests.column("task").cast(pa.string()),
            "judge": requests.column("model").cast(pa.string()),
            "by": requests.column("by").cast(pa.string()),
            "prompt_version": pa.repeat(VARIANT, rows),
            "status": replies.column("status").cast(pa.string()),
            "reason": replies.column("reason").cast(pa.string()),
            "grade": replies.column("grade"),
            "order": _at(items_in_order(shown, replies.column("order")), items.column("id")),
            "tokens_in": replies.column("tokens_in"),
            "tokens_out": replies.column("tokens_out"),
            "cost_nanousd": replies.column("cost_nanousd"),
        }
        arrays = [columns[field.name] for field in MATCH_LOG]
        self._store.write_matches(number, pa.Table.from_arrays(arrays, schema=MATCH_LOG))
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
            digests = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
            self._hashed = (items, digests)
        return pa.array(self._hashed[1], pa.string())


def items_in_order(shown: pa.Array, order: pa.Array) -> pa.Array:
    """Return orders of places shown as orders of items: a list array, null where *order* is."""
    picked = [
        None if places is None else [items[place] for place in places]
        for items, places in zip(shown.to_pylist(), order.to_pylist(), strict=True)
    ]
    return pa.array(picked, pa.list_(pa.int32()))


def _at(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Return *lists* of places with the values that stand there."""
    flat = values.take(lists.flatten())
    ends = lists.offsets
    first = ends[0].as_py() if len(ends) else 0
    ends = pa.compute.subtract(ends, first).cast(pa.int32())
    mask = lists.is_null() if lists.null_count else None
    return pa.ListArray.from_arrays(ends, flat.cast(pa.string()), mask=mask)
