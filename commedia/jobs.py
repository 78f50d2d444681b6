"""A ranking that is about to run: its items, its model, its folder. All checks come before it."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .actors.simulation.world import utilities
from .actors.tables import INPUT, ITEMS, OUTCOMES, UNTRUSTED, batch, bytes_of, concat, table_of
from .choice import check_texts
from .earlier import EARLIER_FILE, ITEMS_FILE, is_simulated, outcomes_of
from .inputs import Prepared
from .patterns.ranking.aim import Aim
from .patterns.ranking.economics import Traits
from .rubrics import Rubric, read_criteria
from .supervisor.budget import Budget
from .supervisor.store import find_run

INPUT_FILE = "input.parquet"


@dataclass(frozen=True, slots=True)
class Job:
    """One ranking, checked and ready: *prepared* holds the rows that are ranked.

    *rubric* says by what, *aim* how; *since* is the run whose outcomes are known already, and
    *rests_on_simulated* whether a simulated judge gave any of them.
    """

    prepared: Prepared
    rubric: Rubric
    aim: Aim
    model: ModelSpec
    budget: Budget
    dropped: int
    since: str | None = None
    rests_on_simulated: bool = False
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def by(self) -> str:
        """The quality to rank by, in words: of several, their names."""
        criteria = self.rubric.criteria
        return criteria[0].by if len(criteria) == 1 else ", ".join(self.rubric.names)


def plan_job(
    prepared: Prepared,
    rubric: Rubric,
    aim: Aim,
    *,
    model: ModelSpec,
    budget: Budget,
    since: str | None = None,
) -> Job:
    """Return the job of ranking *prepared*; raises UsageError where it makes no sense.

    A simulated judge knows only the truth, so rows without one leave here, and are counted.
    """
    dropped = 0
    if model.is_simulated and prepared.truth is not None:
        known = np.flatnonzero(~np.isnan(prepared.truth))
        dropped = len(prepared.ids) - len(known)
        if not len(known):
            raise UsageError("the truth column holds no number, so a simulated judge knows nothing")
        prepared = prepared.take(known)
    for judge in model.judges:
        check_texts(judge.name, prepared.ids, prepared.texts)
    aim = replace(
        aim,
        weights=tuple(rubric.shares),
        judges=tuple(judge.name for judge in model.judges),
    )
    rests = False
    if since is not None:
        since = find_run(since).path.name  # `last` is another run the next time
        aim = replace(aim, earlier=outcomes_of(since, prepared, rubric, aim.judges))
        rests = is_simulated(since)
    aim.check()
    return Job(prepared, rubric, aim, model, budget, dropped, since, rests)


def keep_job(job: Job, folder: Path) -> None:
    """Write the rows that are ranked into the run's folder: what a resume begins with.

    Raises OSError where the disk refuses, which names the folder.
    """
    try:
        _keep(job, folder)
    except OSError as error:  # Arrow's names no file
        why = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno or errno.EIO, why, str(folder)) from error


def _keep(job: Job, folder: Path) -> None:
    prepared = job.prepared
    pq.write_table(prepared.frame, folder / INPUT_FILE)
    columns = {"id": prepared.ids, "text": prepared.texts, "truth": prepared.truth}
    kept = {name: value for name, value in columns.items() if value is not None}
    pq.write_table(pa.table(kept), folder / ITEMS_FILE)
    if job.aim.earlier is not None:
        (folder / EARLIER_FILE).write_bytes(bytes_of(job.aim.earlier))


def told(job: Job) -> dict[str, Any]:
    """Return what the run's account says of the job: what `kept_job` reads again."""
    aim = job.aim
    names = (
        "ask",
        "target",
        "seed",
        "top",
        "is_wide",
        "focus",
        "keeps_judge",
        "asks_why",
        "method",
        "votes",
    )
    return {
        "by": job.by,
        "criteria": job.rubric.to_json(),
        "aim": {name: getattr(aim, name) for name in names},
        "traits": None if aim.traits is None else aim.traits.told(),
        "since": job.since,
        "rests_on_simulated": job.rests_on_simulated,
        "target": aim.target,
        "seed": aim.seed,
    }


def kept_job(folder: Path, data: Mapping[str, Any], model: ModelSpec, budget: Budget) -> Job:
    """Return the job that `keep_job` wrote into *folder*, with the facts of its run.

    Raises UsageError where that is no longer there, or was written by an earlier version.
    """
    if "criteria" not in data or "aim" not in data:
        raise UsageError(
            f"run {folder.name} was made by an earlier version, which kept too little to go on "
            "from; sort again, and `commedia show` still has its ranking"
        )
    try:
        frame, items = (pq.read_table(folder / name) for name in (INPUT_FILE, ITEMS_FILE))
        file, since = folder / EARLIER_FILE, data.get("since")
        earlier = concat(table_of(file.read_bytes()).to_batches(), OUTCOMES) if since else None
    except OSError as error:
        raise UsageError(f"run {folder.name} cannot be resumed: its input is gone") from error
    truth = items.column("truth").to_numpy() if "truth" in items.column_names else None
    ids, texts = (items.column(name).to_pylist() for name in ("id", "text"))
    prepared = Prepared(frame, ids, texts, truth)
    for judge in model.judges:  # it may be another than the one that the run began with
        check_texts(judge.name, ids, texts)
    rubric = read_criteria(data["criteria"], source=f"run {folder.name}")
    traits = Traits.of(data["traits"]) if data.get("traits") else None
    aim = Aim(
        **data["aim"],
        weights=tuple(rubric.shares),
        judges=tuple(judge.name for judge in model.judges),
        traits=traits,
        earlier=earlier,
    )
    started = datetime.fromisoformat(data["started"])
    return Job(
        prepared,
        rubric,
        aim,
        model,
        budget,
        data["dropped"],
        data.get("since"),
        bool(data.get("rests_on_simulated")),
        started,
    )


def items_table(job: Job) -> pa.RecordBatch:
    """Return the job's items (tables.ITEMS), with what a simulated judge knows of them."""
    prepared = job.prepared
    utility = None
    if job.model.is_simulated and prepared.truth is not None:
        utility = utilities(prepared.truth, job.model.profile.accuracy)
    columns = {"id": prepared.ids, "text": prepared.texts, "utility": utility}
    rows = len(prepared.ids)
    return batch(ITEMS, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)
