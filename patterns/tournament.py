"""Tournaments: put many items in order by asking judges about few of them at a time."""

from dataclasses import dataclass
from itertools import count

import numpy as np
import pyarrow as pa

from ..actors.bracket import Progress
from ..actors.questions import Question
from ..actors.tables import OUTCOMES, UNASKED
from ..supervisor.run import Run
from .ranking.engine import PosteriorRanking


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking (schema STANDING, best first), and where it stands."""

    standing: pa.RecordBatch
    progress: Progress


async def rank(
    run: Run,
    items: pa.RecordBatch,
    by: str,
    *,
    question: Question = Question("list", 10),
    target: float = 0.90,
    seed: int = 0,
) -> Ranked:
    """Rank *items* (tables.ITEMS) by the quality *by*, most first.

    Judges are asked *question* in few wide rounds, until predicted Kendall tau reaches *target*,
    the budget is spent, or more calls teach nothing. Whatever happened, the ranking so far is
    returned; items that killed two hosts are left out of it. Items that are all alike are not
    asked about: their scores are equal.
    """
    ranking = PosteriorRanking(items.num_rows, question, target=target, seed=seed)
    async with run.sharing(items), run.tournament(ranking) as bracket:
        for number in count(1):
            nothing = run.halted or _are_alike(items)
            matches = await bracket.next_matches(0 if nothing else run.calls_left)
            if matches.num_rows == 0:
                break
            with run.phase(f"Round {number}"):
                replies = await run.map(run.judge, matches, by=by, items=items, question=question)
                if dead := run.dead_items(items):
                    await bracket.exclude(tuple(sorted(dead)))
                await bracket.record(outcomes_of(matches, replies))
                await run.publish(items, *await bracket.standing())
        return Ranked(*await bracket.standing())


def _are_alike(items: pa.RecordBatch) -> bool:
    """Whether nothing can tell *items* apart: one text, or one utility, is theirs alone."""
    texts, utilities = (items.column(name).unique() for name in ("text", "utility"))
    return len(texts) < 2 or (len(utilities) < 2 and utilities.null_count == 0)


def outcomes_of(matches: pa.RecordBatch, replies: pa.RecordBatch) -> pa.RecordBatch:
    """Return *matches* with their *replies* (row for row) as OUTCOMES: orders of items.

    A match that was never asked, because the run had ended, is no outcome, and left out.
    """
    shown = matches.column("shown")
    columns = {
        "shown": shown,
        "status": replies.column("status").cast(pa.string()),
        "grade": replies.column("grade"),
        "order": _orders(shown, replies.column("order")),
    }
    rows = pa.record_batch([columns[field.name] for field in OUTCOMES], schema=OUTCOMES)
    statuses = columns["status"].to_pylist()
    return rows.filter(pa.array([status not in UNASKED for status in statuses]))


def _orders(shown: pa.Array, order: pa.Array) -> pa.Array:
    """Turn orders of places into orders of items, in one gather."""
    starts = shown.offsets.to_numpy()[:-1]
    sizes = np.diff(order.offsets.to_numpy())
    places = order.flatten().to_numpy()
    picked = pa.array(places + np.repeat(starts - starts[:1].sum(), sizes))
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    mask = order.is_null() if order.null_count else None
    return pa.ListArray.from_arrays(offsets, shown.flatten().take(picked), mask=mask)
