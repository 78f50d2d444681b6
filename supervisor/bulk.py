"""The bulk plane, as a workflow sees it: a table of ten thousand alike, and no coroutine a row."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from ..actors.errors import ReplayMissError, UsageError
from ..actors.output import output_of, schema_of
from ..actors.questions import Question
from ..actors.reader import closed
from ..actors.tables import (
    INPUT,
    ITEMS,
    MATCHES,
    REPLIES,
    UNTRUSTED,
    batch,
    concat,
    replace_columns,
)
from .agent_log import durations_of, rows_of
from .agents import label_of
from .backstage import Backstage, digest
from .judging import matches_of
from .outbox import REPLAY, Call, Reply, halting, requests_of
from .paths import here
from .stage import missing_replies

_WORDS: Final = {"work": "prompt", "verify": "claim", "read": "untrusted"}


async def map_judges(
    stage: Backstage,
    path: str,
    table: pa.Table | pa.RecordBatch,
    by: str | Sequence[str],
    items: pa.RecordBatch | None,
    question: Question,
) -> pa.RecordBatch:
    """Have judges compare what each row of *table* shows; replies row for row.

    A table of MATCHES says itself how each row is asked about; else it is as *question*.
    """
    qualities = [by] if isinstance(by, str) else list(by)
    if not all(each.strip() for each in qualities):
        raise UsageError("judges must be told what to compare by: run.map(run.judge, ..., by=...)")
    is_own = items is None
    if items is None:
        items, table = _items_of(stage, table)
    if table.schema.names != MATCHES.names:
        table = matches_of(_column(table, "shown"), question)
    ask = stage.desk.ask_judges(items, table, path=path, by=qualities)
    with stage.underway():
        try:
            replies = await stage.do(ask)
        finally:
            if is_own:
                await stage.do(stage.desk.unshare(items))
    await _unless_ended(stage, path, replies)
    if not is_own:  # the matches of a tournament are a table of their own
        await _pass_time(stage, replies)
        return replies
    return await _Agents.judges(path, ", ".join(qualities), replies.num_rows).end(stage, replies)


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
    unwanted = [call.number for call in calls if call.label in stage.outbox.skipped]
    never = missing_replies(unwanted, [("skipped", "stopped")] * len(unwanted))
    wanted = [call for call in calls if call.label not in stage.outbox.skipped]
    pieces: list[pa.RecordBatch] = []
    if wanted:
        requests = replace_columns(requests_of(wanted), {"path": path})
        with stage.underway():
            await stage.do(stage.desk.ask_agents(requests, pieces.append))
    why = _halted(concat(pieces, REPLIES))
    replies = concat([*pieces, never], REPLIES)
    replies = replies.take(pa.compute.sort_indices(replies.column("call_id")))
    agents = _Agents.of(calls)
    if why:
        agents.log(stage, replies)
        stage.pause(why)  # type: ignore[arg-type]  # one of Halted's words
        await asyncio.Future()  # the workflow is taken back from here
    await _unless_ended(stage, path, replies)
    return await agents.end(stage, replies)


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


@dataclass(frozen=True, slots=True)
class _Agents:
    """The agents of one table: what they are known by, and how long each may take."""

    role: str
    phase: str
    paths: list[str]
    labels: list[str]
    timeouts_us: pa.Array

    @classmethod
    def of(cls, calls: list[Call]) -> "_Agents":
        timeouts_us = pa.array([call.timeout_us for call in calls], pa.int64())
        paths, labels = [call.path for call in calls], [call.label for call in calls]
        return cls(calls[0].role, calls[0].phase, paths, labels, timeouts_us)

    @classmethod
    def judges(cls, path: str, by: str, rows: int) -> "_Agents":
        paths = [f"{path[:-1]}{number}]" for number in range(rows)]
        labels = [label_of(by)] * rows
        return cls("judge", here().phase, paths, labels, pa.nulls(rows, pa.int64()))

    async def end(self, stage: Backstage, replies: pa.RecordBatch) -> pa.RecordBatch:
        """Return *replies* once their time has passed; what is late or unwanted has no answer."""
        skipped = stage.outbox.skipped
        unwanted = pa.array([label in skipped for label in self.labels], pa.bool_())
        late = pa.compute.and_not(self._late(stage, replies), unwanted)
        replies = _lost(_cut(replies, late, self.timeouts_us), late, "timeout", "deadline")
        replies = _lost(replies, unwanted, "skipped", "stopped")
        await _pass_time(stage, replies)
        stage.outbox.lost.update({"timeout": late.true_count, "skipped": unwanted.true_count})
        self.log(stage, replies)
        return replies

    def log(self, stage: Backstage, replies: pa.RecordBatch) -> None:
        """Add how *replies* ended to the run's table of agents."""
        told = {"paths": self.paths, "labels": self.labels}
        stage.desk.agents(rows_of(replies, role=self.role, phase=self.phase, **told))

    def _late(self, stage: Backstage, replies: pa.RecordBatch) -> pa.Array:
        """Return which *replies* came too late on a virtual clock; on a real one none comes."""
        if stage.virtual is None:
            return pa.array([False] * replies.num_rows, pa.bool_())
        took_us = pa.array(durations_of(replies))
        return pa.compute.greater(took_us, self.timeouts_us).fill_null(False)


def _cut(replies: pa.RecordBatch, late: pa.Array, timeouts_us: pa.Array) -> pa.RecordBatch:
    """Return *replies* of which those that are *late* took until their timeout."""
    if not late.true_count:
        return replies
    choose, first = pa.compute.if_else, replies.column("ttft_us")
    until = pa.compute.min_element_wise(first.fill_null(0), timeouts_us)
    rest = pa.compute.subtract(timeouts_us, until)
    spans = {
        "ttft_us": choose(late, until, first),
        "decode_us": choose(late, rest, replies.column("decode_us")),
    }
    return replace_columns(replies, spans)


def _lost(replies: pa.RecordBatch, rows: pa.Array, status: str, reason: str) -> pa.RecordBatch:
    """Return *replies* without the answers of *rows*, which say why instead."""
    if not rows.true_count:
        return replies
    choose = pa.compute.if_else
    columns = {name: replies.column(name) for name in ("answer", "grade", "order")}
    gone = {name: choose(rows, pa.scalar(None, c.type), c) for name, c in columns.items()}
    for name, word in (("status", status), ("reason", reason)):
        gone[name] = choose(rows, word, replies.column(name).cast(pa.string()))
    return replace_columns(replies, gone)


async def _pass_time(stage: Backstage, replies: pa.RecordBatch) -> None:
    """Let the time pass that the replies took, on a virtual clock."""
    if stage.virtual is None or not replies.num_rows:
        return
    durations = durations_of(replies)
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
