"""What an earlier sort was told: its matches, as outcomes about the rows of a new table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .actors.errors import UsageError
from .actors.questions import Question
from .actors.tables import OUTCOMES, concat, table_of, text_hash
from .inputs import Prepared
from .rubrics import Rubric
from .standing import standing
from .supervisor.store import RunRecord, find_run

ITEMS_FILE = "items.parquet"
EARLIER_FILE = "earlier.arrow"

STRANGER = 1000
"""Judges that are not asked any more are numbered from here."""


def outcomes_of(
    run: str, prepared: Prepared, rubric: Rubric, judges: Sequence[str]
) -> pa.RecordBatch:
    """Return what *run* (an id, its beginning, or `last`) learned of rows that are still there.

    A row is the same if its id and its text are. Of a list the rows that are left count, if two
    are; a pair counts if both are there. Answers of *judges* count as theirs, others as those of
    other judges. What *run* itself went on from counts too, as far as it is still kept. Schema
    OUTCOMES. Raises UsageError where *run* is no sort by the same quality, or where it shares no
    row with the table.
    """
    record = find_run(run)
    name = record.path.name
    if record.data.get("kind") == "workflow" or "criteria" not in record.data:
        raise UsageError(
            f"run {name} is no sort that can be gone on from; `commedia runs` lists them"
        )
    by = [str(each["name"]) for each in record.data["criteria"]]
    if by != rubric.names:
        raise UsageError(
            f"run {name} ranked by {', '.join(by)}, and not by {', '.join(rubric.names)}; its "
            "answers say nothing about that"
        )
    rows = {
        (id, text_hash(text)): row
        for row, (id, text) in enumerate(zip(prepared.ids, prepared.texts, strict=True))
    }
    numbers = {judge: number for number, judge in enumerate(judges)}
    found = [
        _outcomes(file, rows, numbers)
        for folder in _lineage(record)
        for file in sorted(folder.glob("matches/*.parquet"))
    ]
    outcomes = concat([each for each in found if each.num_rows], OUTCOMES)
    if not outcomes.num_rows and not any(batch.num_rows for batch in found):
        _check_answers(record)
    if not outcomes.num_rows:
        raise UsageError(
            f"run {name} says nothing about these rows: none has the same id and text; give --id "
            "as it was given then"
        )
    return outcomes


def is_simulated(run: str) -> bool:
    """Whether *run*, or one that it went on from, was answered by a simulated judge."""
    return any(find_run(folder.name).data.get("simulated") for folder in _lineage(find_run(run)))


def of_others(outcomes: pa.RecordBatch) -> int:
    """Return how many of the *outcomes* of earlier runs come from judges that are not asked now."""
    return int(np.count_nonzero(outcomes.column("judge").to_numpy() >= STRANGER))


def carried(record: RunRecord, item: str) -> int:
    """Return how many matches of earlier runs that *record* went on from showed *item*."""
    file = record.path / EARLIER_FILE
    if not file.exists():
        return 0
    ids = pq.read_table(record.path / ITEMS_FILE, columns=["id"]).column("id").to_pylist()
    shown = table_of(file.read_bytes()).column("shown").to_pylist()
    return sum(ids.index(item) in rows for rows in shown) if item in ids else 0


def _lineage(record: RunRecord) -> list[Path]:
    """Return the folders of a run and of all that it went on from, the oldest first."""
    folders = [record.path]
    while before := record.data.get("since"):
        try:
            record = find_run(str(before))
        except UsageError:  # it was cleared away; what came after it counts still
            break
        if record.path in folders:
            break
        folders.insert(0, record.path)
    return folders


def _check_answers(record: RunRecord) -> None:
    """Raise UsageError where a run has no answer that a later one could go on from."""
    usable = [
        status == "ok" and not str(question).startswith("score")
        for status, question in zip(
            *(record.matches().column(name).to_pylist() for name in ("status", "question")),
            strict=True,
        )
    ]
    if not any(usable):
        raise UsageError(
            f"run {record.path.name} has no comparison to go on from: it {_how(record)}; name an "
            "earlier run, which `commedia runs` lists"
        )


def _how(record: RunRecord) -> str:
    status = standing(record).data["status"]
    return "asked for scores alone" if record.matches().num_rows else f"is {status}, without any"


def _outcomes(
    file: Path, rows: dict[tuple[str, str], int], numbers: dict[str, int]
) -> pa.RecordBatch:
    """Return what *file* says of *rows*; a judge that has no number yet gets one of a stranger."""
    names = ["ids", "text_hashes", "question", "judge", "status", "grade", "order"]
    kept: list[dict[str, Any]] = []
    for match in pq.read_table(file, columns=names).to_pylist():
        if match["status"] != "ok":
            continue
        known = {
            id: rows[id, digest]
            for id, digest in zip(match["ids"], match["text_hashes"], strict=True)
            if (id, digest) in rows
        }
        question = Question.parse(match["question"])
        left = [known[id] for id in match["ids"] if id in known]
        if len(left) < 2 or question.kind == "score":
            continue
        number = numbers.setdefault(match["judge"], STRANGER + len(numbers))
        order = match["order"]
        kept.append(
            {
                "shown": left,
                "task": str(question.of(len(left)) if question.kind == "list" else question),
                "judge": number,
                "criterion": 0,
                "status": "ok",
                "grade": match["grade"],
                "order": None if order is None else [known[id] for id in order if id in known],
            }
        )
    columns = {f.name: [row[f.name] for row in kept] for f in OUTCOMES}
    arrays = [_array(columns[f.name], f.type) for f in OUTCOMES]
    return pa.record_batch(arrays, schema=OUTCOMES)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)
