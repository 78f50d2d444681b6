"""The tables of a finished evaluation: its leaderboard, who beat whom, and each item."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from .eval_commands import Made
from .evals import UNDECIDED, EvalJob
from .patterns.boards import points_of, shares_of, winners_of, wins_of
from .patterns.evaluation import Contest, Evaluated
from .patterns.intervals import wilson
from .patterns.ranking.likelihood import Floats

CHANCE: Final = 0.5
"""The share of agreement with labels of a judge that knows nothing."""


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
    """Return how far verdicts agree with the labels: of the pairs of a label's system with another
    on its item, the *share* in which the label's was preferred, a tie being half.

    A judge that knows nothing gets half, whatever pairs it was shown. The interval takes an item as
    one observation; one without such a pair does not count.
    """
    if job.labels is None:
        return None
    pairs = _against_all(found, contest)
    labelled = [
        (row, job.names.index(str(label)))
        for row, label in enumerate(job.labels)
        if label not in (None, UNDECIDED)
    ]
    met = np.array([pairs[place] for place in labelled], np.float64).reshape(-1, 3)
    points, worth, count = met[met[:, 1] > 0].T
    agreed: dict[str, float] = {"items": len(count), "pairs": int(count.sum()), "chance": CHANCE}
    if len(count):
        share, low, high = _share(points, worth, int(count.sum()))
        agreed |= {"share": share, "low": low, "high": high}
    return agreed


def _against_all(found: Evaluated, contest: Contest) -> Floats:
    """Return of each item and system its points against others, of how many, in how many pairs."""
    if found.judged is not None:
        return np.stack(points_of(found.judged, contest.rows, contest.weights), 2)
    assert found.values is not None
    values = found.values
    ahead = (values[:, :, None] > values[:, None, :]).sum(2).astype(np.float64)
    level = (values[:, :, None] == values[:, None, :]).sum(2) - ~np.isnan(values)
    others = (~np.isnan(values)).sum(1)[:, None] - 1.0
    others = np.where(np.isnan(values), 0.0, others)
    return np.stack([ahead + level / 2.0, others, others], 2)


def _share(points: Floats, worth: Floats, pairs: int) -> tuple[float, float, float]:
    """Return the share of the *points* in all, and its interval: Wilson's, of as many observations
    as would leave it as uncertain as the items do, which are that many at least."""
    share = float(points.sum() / worth.sum())
    items, apart = len(points), (points - share * worth) / worth.mean()
    variance = float(np.sum(apart**2)) / items / max(items - 1, 1)
    count = share * (1.0 - share) / variance if variance > 0.0 else items
    count = min(max(count, items), pairs)
    return (share, *wilson(share * count, count))
