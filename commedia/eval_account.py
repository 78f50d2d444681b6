"""From a finished evaluation to its result: what it says and counts, and what its folder keeps."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .actors.answers import SILENT_CALLS
from .actors.models.prices import PRICED_AS, price_of
from .eval_commands import Made
from .eval_notes import eval_notes
from .eval_result import (
    LEADERBOARD_FILE,
    NO_OUTPUT,
    PAGE_FILE,
    PER_ITEM_FILE,
    WINS_FILE,
    EvalResult,
    EvalStatus,
    EvalStopped,
)
from .eval_tables import agreement_of, items_of, leaderboard_of, wins_table
from .evals import BY_JUDGES, EvalJob
from .models import source_of
from .outputs import write_table
from .patterns.evaluation import Contest, Evaluated
from .results import with_provenance
from .supervisor.orders import Finished, RunSpec, Tally
from .supervisor.store import RunStore

CHECKS = "check"
"""The count of outputs that a function could not check, among what is missing."""


def open_eval(job: EvalJob, spec: RunSpec) -> None:
    """Write what is known of an evaluation before it begins."""
    _store(job, spec).update(
        {
            "run_id": spec.run_id,
            "kind": "eval",
            "status": "running",
            "by": job.by,
            "rubric": job.rubric.to_json(),
            "systems": [dataclasses.asdict(system) for system in job.systems],
            "has_labels": job.labels is not None,
            "model": job.model.name,
            "model_source": source_of(job.model.script) if job.checker is None else None,
            "panel": [judge.name for judge in job.model.judges],
            "panel_sources": [source_of(judge.script) for judge in job.model.judges],
            "base_url": job.model.base_url,
            "simulated": job.model.is_simulated,
            "ask": str(job.question),
            "check": job.check,
            "n": len(job.prepared.ids),
            "target": job.target,
            "seed": job.seed,
            "qualities": dict(job.qualities),
            "authors": dict(job.authors),
            "timeout_s": job.timeout_s,
            "at_once": job.at_once,
            "budget": str(job.budget),
            "in_flight": job.model.in_flight,
            "profile": dataclasses.asdict(job.model.profile),
            "hosts": spec.hosts,
            "started": job.started.isoformat(timespec="seconds"),
        }
    )


def fail_eval(spec: RunSpec, why: str, *, status: EvalStatus = "failed") -> None:
    """Write that an evaluation ended without a result, and why."""
    RunStore(Path(spec.folder), {}).update({"status": status, "notes": [why]})


def close_eval(
    job: EvalJob,
    spec: RunSpec,
    contest: Contest,
    made: Sequence[Sequence[Made]],
    found: Evaluated,
    finished: Finished | None,
    wall_s: float,
    checks: Mapping[str, int],
) -> EvalResult:
    """Return an evaluation's result, and write it into the run's folder.

    *finished* is the run that asked judges, where some were; *checks* counts what a function that
    checks raised.
    """
    tally = Tally() if finished is None else finished.tally
    missing, stopped = _missing(made, tally, checks), _stopped(finished, found)
    wins = wins_table(job, found)
    result = EvalResult(
        status=_status(finished, stopped, missing, tally),
        run_id=spec.run_id,
        model=job.check or "" if job.checker is not None else job.model.name,
        judges=job.judges,
        simulated=tally.is_simulated,
        by=job.by,
        criteria=job.rubric.names,
        ask=str(job.question),
        check=job.check,
        items=len(job.prepared.ids),
        outputs=len(contest.item),
        missing=missing,
        ties=sum(wins.column("ties").to_pylist()) // 2,
        agreement=agreement_of(job, found, contest),
        favours=_favours(job, found),
        calls=tally.calls,
        tokens=tally.tokens,
        cost_usd=tally.nanousd / 1e9 if tally.is_priced else None,
        priced_as=_priced_as(job),
        rounds=found.progress.rounds,
        wall_s=round(wall_s, 3),
        target=job.target,
        stopped=stopped,
        predicted_tau=found.progress.predicted_tau if job.check is None else None,
        output=str(spec.folder),
        page=str(Path(spec.folder) / PAGE_FILE),
        digest=_digest(job, found),
        notes=tuple(eval_notes(job, made, found, finished, checks)),
        leaderboard=leaderboard_of(job, contest, made, found),
        wins=wins,
        per_item=items_of(job, contest, made, found),
    )
    _keep(job, spec, result)
    return result


def _keep(job: EvalJob, spec: RunSpec, result: EvalResult) -> None:
    folder = Path(spec.folder)
    tables = {
        LEADERBOARD_FILE: result.leaderboard,
        WINS_FILE: result.wins,
        PER_ITEM_FILE: result.per_item,
    }
    for name, table in tables.items():
        known = with_provenance(
            table, run_id=spec.run_id, model=result.model, simulated=result.simulated
        )
        write_table(known, str(folder / name))
    (folder / PAGE_FILE).write_text(result.to_html(), encoding="utf-8")
    account = {k: v for k, v in result.to_json().items() if k not in ("leaderboard", "wins")}
    _store(job, spec, is_simulated=result.simulated).update(account)


def _favours(job: EvalJob, found: Evaluated) -> list[dict[str, Any]]:
    return [
        {
            "judge": job.judges[each.judge],
            "system": job.names[each.system],
            "effect": each.effect,
            "low": each.low if each.effect is not None else None,
            "high": each.high if each.effect is not None else None,
            "pairs": each.pairs,
        }
        for each in found.favours
    ]


def _missing(
    made: Sequence[Sequence[Made]], tally: Tally, checks: Mapping[str, int]
) -> dict[str, int]:
    outputs = sum(each.text is None for row in made for each in row)
    more = {NO_OUTPUT: outputs, CHECKS: sum(checks.values())}
    return {**tally.missing, **{what: count for what, count in more.items() if count}}


def _stopped(finished: Finished | None, found: Evaluated) -> EvalStopped | None:
    if found.progress.stopped == "target" or finished is None:
        return found.progress.stopped
    if finished.halted == "silence" or _is_silent(found):
        return "silence"
    return "budget" if finished.halted == "budget" else found.progress.stopped


def _is_silent(found: Evaluated) -> bool:
    """Whether a ranking ended because the last calls by one of its criteria said nothing."""
    criterion = found.outcomes.column("criterion").to_numpy()
    is_ok = np.array([each == "ok" for each in found.outcomes.column("status").to_pylist()], bool)
    last = [is_ok[criterion == number][-SILENT_CALLS:] for number in np.unique(criterion)]
    return any(len(each) == SILENT_CALLS and not each.any() for each in last)


def _status(
    finished: Finished | None, stopped: EvalStopped | None, missing: Mapping[str, int], tally: Tally
) -> EvalStatus:
    if finished is not None and finished.halted == "interrupt":
        return "interrupted"
    if stopped in ("budget", "silence", None) or missing or tally.dead_letters or tally.overruns:
        return "degraded"
    return "completed"


def _priced_as(job: EvalJob) -> str | None:
    if job.model.is_simulated:
        return PRICED_AS
    return job.model.name if price_of(job.model.name) else None


def _digest(job: EvalJob, found: Evaluated) -> str:
    """Return the sha256 of the systems and their scores, best first, rounded to 1e-9."""
    seen = hashlib.sha256()
    for system in found.board.order:
        score = round(float(found.board.score[system]), 9) + 0.0
        seen.update(f"{json.dumps(job.names[system])} {score:.9f}\n".encode())
    return seen.hexdigest()


def _store(job: EvalJob, spec: RunSpec, *, is_simulated: bool | None = None) -> RunStore:
    known = job.model.is_simulated if is_simulated is None else is_simulated
    model = job.model.name if job.checker is None else str(job.check or BY_JUDGES)
    facts = {"run_id": spec.run_id, "model": model, "simulated": "yes" if known else "no"}
    return RunStore(Path(spec.folder), facts)
