"""A ranking that is about to run: its items, its model, its folder. All checks come before it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .actors.questions import Question
from .actors.simulation.world import utilities
from .actors.tables import INPUT, ITEMS, UNTRUSTED, batch
from .inputs import Prepared
from .supervisor.budget import Budget

INPUT_FILE = "input.parquet"
ITEMS_FILE = "items.parquet"

AUTO = "list:10"
"""What `auto` asks, until a pilot can choose."""


@dataclass(frozen=True, slots=True)
class Job:
    """One ranking, checked and ready: *prepared* holds the rows that are ranked."""

    prepared: Prepared
    by: str
    question: Question
    target: float
    seed: int
    model: ModelSpec
    budget: Budget
    dropped: int
    started: datetime = field(default_factory=lambda: datetime.now(UTC))


def plan_job(
    prepared: Prepared,
    by: str,
    *,
    ask: str,
    target: float,
    seed: int,
    model: ModelSpec,
    budget: Budget,
) -> Job:
    """Return the job of ranking *prepared*; raises UsageError where it makes no sense.

    A simulated judge knows only the truth, so rows without one leave here, and are counted.
    """
    if not by.strip():
        raise UsageError("by is empty: name the quality to rank by, for example --by severity")
    if any("\ud800" <= letter <= "\udfff" for letter in by):
        raise UsageError("by is not valid UTF-8; write it in UTF-8")
    if not 0.0 < target < 1.0:
        raise UsageError(f"target {target:g} is not between 0 and 1")
    question = Question.parse(AUTO if ask == "auto" else ask)
    if question.kind == "score":
        raise UsageError("scores by themselves rank by another method: --method pointwise")
    dropped = 0
    if model.is_simulated and prepared.truth is not None:
        known = np.flatnonzero(~np.isnan(prepared.truth))
        dropped = len(prepared.ids) - len(known)
        if not len(known):
            raise UsageError("the truth column holds no number, so a simulated judge knows nothing")
        prepared = prepared.take(known)
    return Job(prepared, by, question, target, seed, model, budget, dropped)


def keep_job(job: Job, folder: Path) -> None:
    """Write the rows that are ranked into the run's folder: what a resume begins with."""
    prepared = job.prepared
    pq.write_table(prepared.frame, folder / INPUT_FILE)
    columns = {"id": prepared.ids, "text": prepared.texts, "truth": prepared.truth}
    kept = {name: value for name, value in columns.items() if value is not None}
    pq.write_table(pa.table(kept), folder / ITEMS_FILE)


def kept_job(folder: Path, data: Mapping[str, Any], model: ModelSpec, budget: Budget) -> Job:
    """Return the job that `keep_job` wrote into *folder*, with the facts of its run."""
    try:
        frame, items = (pq.read_table(folder / name) for name in (INPUT_FILE, ITEMS_FILE))
    except OSError as error:
        raise UsageError(f"run {folder.name} cannot be resumed: its input is gone") from error
    truth = items.column("truth").to_numpy() if "truth" in items.column_names else None
    ids, texts = (items.column(name).to_pylist() for name in ("id", "text"))
    prepared = Prepared(frame, ids, texts, truth)
    question, started = Question.parse(data["ask"]), datetime.fromisoformat(data["started"])
    facts = (data["by"], question, data["target"], data["seed"], model, budget, data["dropped"])
    return Job(prepared, *facts, started)


def items_table(job: Job) -> pa.RecordBatch:
    """Return the job's items (tables.ITEMS), with what a simulated judge knows of them."""
    prepared = job.prepared
    utility = None
    if job.model.is_simulated and prepared.truth is not None:
        utility = utilities(prepared.truth, job.model.profile.accuracy)
    columns = {"id": prepared.ids, "text": prepared.texts, "utility": utility}
    rows = len(prepared.ids)
    return batch(ITEMS, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)
