"""The tables of a finished evaluation: its leaderboard, who beat whom, and each item."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from .eval_commands import Made
from .evals import UNDECIDED, EvalJob
from .patterns.boards import shares_of, winners_of, wins_of
from .patterns.evaluation import Contest, Evaluated
from .patterns.intervals import wilson


def leaderboard_of(
    job: EvalJob, contest: Contest, made: Sequence[Sequence[Made]], found: Evaluated
) -> pa.Table:
    """Return the leaderboard of EvalResult."""
    board, order = found.board, found.board.order
    outputs = np.bincount(np.array(contest.system, np.int64), minlength=len(job.systems))
    wins, ties = np.zeros((2, len(job.systems), len(job.systems)), np.int64)
    if found.judged is not None:
        wins, ties = wins_of(found.judged.verdicts, len(job.systems))
    columns: dict[str, Any] = {
        "rank": pa.array(range(1, len(order) + 1), pa.int64()),
        "system": pa.array([job.names[system] for system in order], pa.string()),
    }
    for name in ("score", "low", "high", "rank_low", "rank_high", "p_best"):
        columns[name] = pa.array(getattr(board, name)[order], pa.float64())
    counts = {"outputs": outputs, "missing": len(made) - outputs}
    counts |= {"wins": wins.sum(1), "losses": wins.sum(0), "ties": ties.sum(1)}
    for name, values in counts.items():
        columns[name] = pa.array(values[order], pa.int64())
    if len(job.rubric.criteria) > 1 and job.checker is None:
        for number, name in enumerate(job.rubric.names):
            columns[f"score: {name}"] = pa.array(board.parts[order, number], pa.float64())
    return pa.table(columns)


def wins_table(job: EvalJob, found: Evaluated) -> pa.Table:
    """Return the wins of EvalResult, the best systems first."""
    names = job.names
    pairs: list[tuple[str, str, int, int, int]] = []
    if found.judged is not None:
        wins, ties = (each.tolist() for each in wins_of(found.judged.verdicts, len(names)))
        order = found.board.order
        pairs = [
            (names[one], names[other], wins[one][other], wins[other][one], ties[one][other])
            for one in order
            for other in order
            if one != other
        ]
    kinds = {"system": pa.string(), "against": pa.string()}
    kinds |= dict.fromkeys(("wins", "losses", "ties"), pa.int64())
    return pa.table(
        {
            name: pa.array([pair[at] for pair in pairs], kind)
            for at, (name, kind) in enumerate(kinds.items())
        }
    )


def items_of(
    job: EvalJob, contest: Contest, made: Sequence[Sequence[Made]], found: Evaluated
) -> pa.Table:
    """Return the per-item table of EvalResult."""
    shape = (len(made), len(job.systems))
    values, pairs = np.full(shape, np.nan), np.zeros(shape, np.int64)
    if found.judged is not None:
        values, pairs = shares_of(found.judged, contest.rows, contest.weights)
    elif found.values is not None:
        values = found.values
    winners = winners_of(values)
    labels = job.labels or (None,) * len(made)
    flat = [each for row in made for each in row]
    systems = len(job.systems)
    repeated = {"id": job.prepared.ids, "prompt": job.prepared.texts, "label": labels}
    columns: dict[str, Any] = {
        name: pa.array([each for each in given for _ in range(systems)], pa.string())
        for name, given in repeated.items()
    }
    columns |= {
        "system": pa.array(job.names * len(made), pa.string()),
        "output": pa.array([each.text for each in flat], pa.string()),
        "cause": pa.array([each.cause for each in flat], pa.string()),
        "score": pa.array(values.ravel(), pa.float64(), from_pandas=True),
        "pairs": pa.array(pairs.ravel(), pa.int64()),
        "is_winner": pa.array([w == s for w in winners for s in range(systems)], pa.bool_()),
    }
    return pa.table(columns)


def agreement_of(job: EvalJob, found: Evaluated, contest: Contest) -> dict[str, float] | None:
    """Count on how many items with a label and a single winner both are the same system.

    An item counts only if its labelled system was among those compared (or scored) there.
    """
    if job.labels is None:
        return None
    values = found.values
    if found.judged is not None:
        values, _ = shares_of(found.judged, contest.rows, contest.weights)
    assert values is not None
    decided = agreed = 0
    for row, (winner, label) in enumerate(zip(winners_of(values), job.labels, strict=True)):
        if winner is None or label in (None, UNDECIDED):
            continue
        if not np.isnan(values[row, job.names.index(str(label))]):
            decided, agreed = decided + 1, agreed + (job.names[winner] == label)
    if not decided:
        return {"decided": 0, "agreed": 0}
    low, high = wilson(agreed, decided)
    return {
        "decided": decided,
        "agreed": agreed,
        "share": agreed / decided,
        "low": low,
        "high": high,
    }
