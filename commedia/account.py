"""From a finished run to its result: what it says, what it scored, and what its folder keeps."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .actors.bracket import Progress, Stopped
from .actors.models.prices import PRICED_AS, price_of
from .call_notes import call_notes
from .earlier import of_others
from .jobs import Job, told
from .models import source_of
from .patterns.ranking.score import recall_of_best, score_against
from .patterns.tournament import Ranked
from .results import (
    RankResult,
    RankStopped,
    Status,
    counted,
    digest,
    ranking_table,
    with_provenance,
)
from .supervisor.orders import Finished, RunSpec
from .supervisor.store import RunStore


def open_account(job: Job, spec: RunSpec) -> None:
    """Write what is known of a run before it begins."""
    _store(job, spec).update(
        {
            "run_id": spec.run_id,
            "status": "running",
            **told(job),
            "model": job.model.name,
            "model_source": source_of(job.model.script),
            "base_url": job.model.base_url,
            "simulated": job.model.is_simulated or job.rests_on_simulated,
            "panel": [judge.name for judge in job.model.judges],
            "ask": job.aim.ask,
            "n": len(job.prepared.ids),
            "dropped": job.dropped,
            "budget": str(job.budget),
            "in_flight": job.model.in_flight,
            "profile": dataclasses.asdict(job.model.profile),
            "hosts": spec.hosts,
            "started": job.started.isoformat(timespec="seconds"),
        }
    )


def fail_account(job: Job, spec: RunSpec, why: str) -> None:
    """Write that a run failed, and why."""
    _store(job, spec).update({"status": "failed", "notes": [why]})


def cut_account(job: Job, spec: RunSpec) -> None:
    """Write that a run was ended from outside; what it came to is in its journal alone."""
    unknown = dict.fromkeys(("calls", "tokens", "cost_usd", "stopped"))
    said = ["it was ended from outside; what was answered is kept"]
    _store(job, spec).update({**unknown, "status": "interrupted", "notes": said})


def close_account(job: Job, spec: RunSpec, finished: Finished, wall_s: float) -> RankResult:
    """Return a run's result, and write it and the whole ranking into the run's folder."""
    result = _result(job, spec, finished, wall_s)
    store = _store(job, spec, is_simulated=result.simulated)
    store.write_ranking(result.table)
    store.update({**result.to_json(), "notes": list(result.notes)})
    return result


def _result(job: Job, spec: RunSpec, finished: Finished, wall_s: float) -> RankResult:
    ranked: Ranked = finished.value
    tally, progress, prepared = finished.tally, ranked.progress, job.prepared
    places = ranked.standing.column("item").to_numpy()
    ids, scores = [prepared.ids[at] for at in places], ranked.standing.column("score").to_numpy()
    table = ranking_table(prepared.frame, prepared.ids, ranked.standing, job.rubric.names)
    stopped = _stopped(finished, progress)
    is_simulated = tally.is_simulated or job.rests_on_simulated
    return RankResult(
        status=_status(finished, stopped),
        run_id=spec.run_id,
        model=", ".join(judge.name for judge in job.model.judges),
        simulated=is_simulated,
        ask=progress.question or job.aim.ask,
        n=len(ids),
        dropped=job.dropped,
        calls=tally.calls,
        tokens=tally.tokens,
        cost_usd=tally.nanousd / 1e9 if tally.is_priced else None,
        priced_as=_priced_as(job),
        rounds=progress.rounds,
        wall_s=round(wall_s, 3),
        target=job.aim.target,
        stopped=stopped,
        missing=tally.missing,
        dead_letters=[prepared.ids[item] for item in tally.dead_letters],
        unsettled=[call.told() for call in tally.unsettled],
        persistent_share=tally.persistent_share,
        predicted_tau=progress.predicted_tau or None,  # 0: a method that predicts none
        predicted_recall=progress.predicted_recall,
        top=job.aim.top,
        judge=dict(progress.judge) if progress.judge else None,
        truth=_truth(job, places, scores),
        output=str(spec.folder / "ranking.parquet"),
        digest=digest(ids, scores.tolist()),
        notes=(*progress.notes, *_of_order(job, ranked, tally.causes), *call_notes(finished)),
        table=_stamped(table, job, spec, is_simulated=is_simulated),
        known=0 if job.aim.earlier is None else job.aim.earlier.num_rows,
    )


def _stamped(table: pa.Table, job: Job, spec: RunSpec, *, is_simulated: bool) -> pa.Table:
    name = job.model.name
    return with_provenance(table, run_id=spec.run_id, model=name, simulated=is_simulated)


def _stopped(finished: Finished, progress: Progress) -> RankStopped | None:
    """Return what ended the ranking: what halted the run, unless the target came with it."""
    if progress.stopped == "target":
        return "target"
    if finished.halted in ("budget", "silence", "interrupt"):
        return finished.halted
    nothing_left: Stopped | None = None if finished.halted else "data"
    return progress.stopped or nothing_left


def _status(finished: Finished, stopped: str | None) -> Status:
    if finished.halted == "interrupt":
        return "interrupted"
    tally = finished.tally
    if stopped in ("budget", "judge") or tally.missing or tally.dead_letters or tally.overruns:
        return "degraded"
    return "completed"


def _priced_as(job: Job) -> str | None:
    if job.model.is_simulated:
        return PRICED_AS
    return job.model.name if price_of(job.model.name) else None


def _truth(job: Job, places: Any, scores: Any) -> dict[str, float | None] | None:
    """Score the ranking against the truth, over the rows that have one."""
    if job.prepared.truth is None:
        return None
    truth = job.prepared.truth[places]
    known = ~np.isnan(truth)
    if known.sum() < 2 or len(np.unique(truth[known])) < 2:
        return None
    scored = dataclasses.asdict(score_against(truth[known], scores[known]))
    if job.aim.top is not None:
        top = job.aim.top
        scored[f"recall_at_{top}"] = recall_of_best(truth[known], scores[known], top)
    return {name: float(value) for name, value in scored.items()}


def _of_order(job: Job, ranked: Ranked, causes: Mapping[str, int]) -> list[str]:
    """Return what is to be said of the order itself, and of what was known beforehand."""
    notes = []
    scores = ranked.standing.column("score").to_numpy()
    if len(scores) > 1 and np.ptp(scores) == 0:
        notes.append("nothing tells the rows apart: all scores are equal")
    elif len(scores) == 1:
        notes.append("there is one row, so there is nothing to compare")
    return notes + _of_earlier(job) + _of_script(job, causes)


def _of_script(job: Job, causes: Mapping[str, int]) -> list[str]:
    """Say what a judge of one's own returns, where it returned something else."""
    is_own = any(judge.script is not None for judge in job.model.judges)
    if not is_own or not any(cause.startswith(("schema", "not_json")) for cause in causes):
        return []
    return [
        "a judge of your own returns a commedia.Preference: grade=1, 0 or -1 of a pair, from the "
        "side of the first shown; order=(places, best first) of a list"
    ]


def _of_earlier(job: Job) -> list[str]:
    """Say what counts of an earlier run, and whose answers these are."""
    earlier = job.aim.earlier
    if earlier is None:
        return []
    known, others = counted(earlier.num_rows, "answer"), of_others(earlier)
    whose = f"; {others:,} of them are another judge's" if others else ""
    if job.rests_on_simulated:
        whose += "; they are a simulated judge's"
    return [f"{known} of run {job.since} about rows that are still there count{whose}"]


def _store(job: Job, spec: RunSpec, *, is_simulated: bool | None = None) -> RunStore:
    """Return the run's store; whether an endpoint simulates is known only once it has answered."""
    known = job.model.is_simulated if is_simulated is None else is_simulated
    simulated = "yes" if known else "no"
    metadata = {"run_id": spec.run_id, "model": job.model.name, "simulated": simulated}
    return RunStore(Path(spec.folder), metadata)
