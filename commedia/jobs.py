"""A ranking that is about to run: its items, its model, its folder. All checks come before it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .actors.questions import Question
from .actors.simulation.world import utilities
from .actors.tables import INPUT, ITEMS, UNTRUSTED, batch
from .inputs import Prepared
from .supervisor.budget import Budget

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
    dropped = 0
    if model.is_simulated and prepared.truth is not None:
        known = np.flatnonzero(~np.isnan(prepared.truth))
        dropped = len(prepared.ids) - len(known)
        if not len(known):
            raise UsageError("the truth column holds no number, so a simulated judge knows nothing")
        prepared = prepared.take(known)
    return Job(prepared, by, question, target, seed, model, budget, dropped)


def items_table(job: Job) -> pa.RecordBatch:
    """Return the job's items (tables.ITEMS), with what a simulated judge knows of them."""
    prepared = job.prepared
    utility = None
    if job.model.is_simulated and prepared.truth is not None:
        utility = utilities(prepared.truth, job.model.profile.accuracy)
    columns = {"id": prepared.ids, "text": prepared.texts, "utility": utility}
    rows = len(prepared.ids)
    return batch(ITEMS, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)
