"""The bulk plane, as a workflow sees it: a table of ten thousand alike, and no coroutine a row."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..actors.errors import ReplayMissError, UsageError
from ..actors.output import output_of, schema_of
from ..actors.questions import Question
from ..actors.reader import closed
from ..actors.tables import INPUT, ITEMS, REPLIES, UNTRUSTED, batch, concat, replace_columns
from .backstage import Backstage, digest
from .outbox import REPLAY, Call, Reply, halting, requests_of

_WORDS: Final = {"work": "prompt", "verify": "claim", "read": "untrusted"}


async def map_judges(
    stage: Backstage,
    path: str,
    table: pa.Table | pa.RecordBatch,
    by: str,
    items: pa.RecordBatch | None,
    question: Question,
) -> pa.RecordBatch:
    """Have judges compare what each row of *table* shows; replies row for row."""
    if not by.strip():
        raise UsageError("judges must be told what to compare by: run.map(run.judge, ..., by=...)")
    is_own = items is None
    if items is None:
        items, table = _items_of(stage, table)
    shown = _column(table, "shown")
    ask = stage.desk.ask_judges(items, shown, path=path, by=by, question=question)
    with stage.underway():
        try:
            replies = await stage.do(ask)
        finally:
            if is_own:
                await stage.do(stage.desk.unshare(items))
    await _unless_ended(stage, path, replies)
    await _pass_time(stage, replies)
    return replies


async def map_agents(
    stage: Backstage,
    path: str,
    verb: str,
    table: pa.Table | pa.RecordBatch,
    shared: Mapping[str, Any],
) -> pa.RecordBatch:
    """Have an agent answer each row of *table*; replies row for row."""
    calls = _calls_of(stage, path, verb, table, shared)
    if not calls:
        return concat([], REPLIES)
    requests = replace_columns(requests_of(calls), {"path": path})
    pieces: list[pa.RecordBatch] = []
    with stage.underway():
        await stage.do(stage.desk.ask_agents(requests, pieces.append))
    replies = concat(pieces, REPLIES)
    replies = replies.take(pa.compute.sort_indices(replies.column("call_id")))
    if why := _halted(replies):
        stage.pause(why)  # type: ignore[arg-type]  # one of Halted's words
        await asyncio.Future()  # the workflow is taken back from here
    await _unless_ended(stage, path, replies)
    await _pass_time(stage, replies)
    return replies


async def _unless_ended(stage: Backstage, path: str, replies: pa.RecordBatch) -> None:
    """Return if the workflow may have *replies*: not where it is paused, or may ask nothing."""
    if REPLAY in replies.column("reason").cast(pa.string()).unique().to_pylist():
        stage.give_up(ReplayMissError(path))
        await asyncio.Future()
    await stage.unless_paused()


def _halted(replies: pa.RecordBatch) -> str | None:
    statuses = replies.column("status").cast(pa.string()).unique().to_pylist()
    return next((why for word in statuses if (why := halting(Reply(word)))), None)


def _calls_of(
    stage: Backstage,
    path: str,
    verb: str,
    table: pa.Table | pa.RecordBatch,
    shared: Mapping[str, Any],
) -> list[Call]:
    options = dict(shared)
    output = options.pop("output", None)
    wanted = None if output is None else output_of(output)
    schema = schema_of(wanted)
    if verb == "read":
        if wanted is None:
            raise UsageError("map(run.read) needs a closed output: a table holds no handles")
        schema = closed(wanted.parsed)
    if _WORDS[verb] not in table.schema.names:
        raise UsageError(f"map(run.{verb}) needs a column {_WORDS[verb]!r}")
    words = _column(table, _WORDS[verb]).to_pylist()
    more = [name for name in table.schema.names if name != _WORDS[verb]]
    rows = zip(*(_column(table, name).to_pylist() for name in more), strict=True)
    told = [dict(zip(more, row, strict=True)) for row in rows] or [{}] * len(words)
    calls = []
    for number, (text, own) in enumerate(zip(words, told, strict=True)):
        given: Any = {**options, **own}
        here = f"{path[:-1]}{number}]"
        rubric, lens = given.pop("rubric", ""), given.pop("lens", None)
        question = given.pop("question", "")
        match verb:
            case "work":
                call = stage.clerk.work(here, text, schema, given)
            case "verify":
                call = stage.clerk.verify(here, text, rubric, lens, given)
            case _:
                call = stage.clerk.read(here, text, question, schema, given)
        call.number = number
        calls.append(call)
    return calls


async def _pass_time(stage: Backstage, replies: pa.RecordBatch) -> None:
    """Let the time pass that the replies took, on a virtual clock."""
    if stage.virtual is None or not replies.num_rows:
        return
    spans = [replies.column(name).fill_null(0).to_numpy() for name in ("ttft_us", "decode_us")]
    durations = np.asarray(spans[0] + spans[1], np.int64)
    if durations.any():
        await stage.virtual.perform_many(durations)


def _items_of(
    stage: Backstage, table: pa.Table | pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Return the distinct texts of *table* as items, and its rows as matches between them."""
    left, right = (_column(table, name).to_pylist() for name in ("left", "right"))
    texts = list(dict.fromkeys([*left, *right]))
    places = {text: place for place, text in enumerate(texts)}
    items = items_table(stage, texts)
    shown = [[places[a], places[b]] for a, b in zip(left, right, strict=True)]
    return items, pa.record_batch({"shown": pa.array(shown, pa.list_(pa.int32()))})


def items_table(stage: Backstage, texts: Sequence[str]) -> pa.RecordBatch:
    """Return *texts* as the items of a tournament, with what a simulated judge knows of them."""
    things = [stage.desk.world.find(text) for text in texts]
    pairs = list(zip(texts, things, strict=True))
    columns = {
        "id": [thing.id if thing else f"text-{digest(text)[:12]}" for text, thing in pairs],
        "text": list(texts),
        "utility": [thing.utility if thing else None for thing in things],
    }
    return batch(ITEMS, columns, rows=len(texts), integrity=UNTRUSTED, provenance=INPUT)


def _column(table: pa.Table | pa.RecordBatch, name: str) -> pa.Array:
    column = table.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
