"""What is to be said of a finished evaluation, beside its figures: every note of its account."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from .call_notes import call_notes
from .eval_commands import Made
from .evals import EvalJob
from .patterns.evaluation import Evaluated
from .patterns.value_board import adjusted
from .results import counted
from .supervisor.orders import Finished

_MOST_NAMED = 5


def eval_notes(
    job: EvalJob,
    made: Sequence[Sequence[Made]],
    found: Evaluated,
    finished: Finished | None,
    checks: Mapping[str, int],
) -> list[str]:
    """Return the notes of an evaluation; *checks* counts what a function that checks raised."""
    notes = [*found.progress.notes, *_favour_notes(job, found), *_output_notes(job, made)]
    if checks:
        worst = Counter(dict(checks)).most_common(_MOST_NAMED)
        told = ", ".join(f"{why} ({n})" for why, n in worst)
        notes.append(f"no check of {counted(sum(checks.values()), 'output')}: {told}")
    if len(job.rubric.criteria) > 1 and job.check is None:
        notes.append(
            "the score is the mean over the criteria by their weights, each in units of its own "
            "scale; the columns of the criteria are logits"
        )
    notes += _adjusted_notes(job, found)
    return notes + ([] if finished is None else call_notes(finished))


def _favour_notes(job: EvalJob, found: Evaluated) -> list[str]:
    notes = []
    for each in found.favours:
        judge, system = job.judges[each.judge], job.names[each.system]
        if each.effect is None:
            notes.append(
                f"judge {judge} judged {system}, which its own model made; whether it favours that "
                "cannot be told without the verdicts of others (give several --model)"
            )
            continue
        word = "favours" if each.low > 0 else "is hard on" if each.high < 0 else "may favour"
        notes.append(
            f"judge {judge} {word} {system}, which its own model made: {each.effect:+.2f} logit "
            f"beside the other judges (90% interval {each.low:+.2f} to {each.high:+.2f}, "
            f"{counted(each.pairs, 'pair')})"
        )
    return notes


def _output_notes(job: EvalJob, made: Sequence[Sequence[Made]]) -> list[str]:
    told = []
    for number, name in enumerate(job.names):
        causes = Counter(row[number].cause or "" for row in made if row[number].text is None)
        if causes:
            words = ", ".join(f"{cause} ({n})" for cause, n in causes.most_common(_MOST_NAMED))
            told.append(f"{name}: {words}")
    if not told:
        return []
    more = f"; and {len(told) - _MOST_NAMED} more systems" if len(told) > _MOST_NAMED else ""
    then = "" if job.check else "; that is no loss to a system, which is judged by the others alone"
    return [f"outputs are missing of {'; '.join(told[:_MOST_NAMED])}{more}{then}"]


def _adjusted_notes(job: EvalJob, found: Evaluated) -> list[str]:
    """Say how scores are made comparable where some systems lack what others have."""
    values = found.values
    if values is None or not np.isnan(values[~np.isnan(values).all(1)]).any():
        return []
    notes = [
        "scores are adjusted for what is missing: each is what the system would have on all items, "
        "if it stood to the others there as it does on the items that they share"
    ]
    group = adjusted(values).group
    if group.max() > 0:
        apart = [
            _named(job, np.flatnonzero(group == n).tolist()) for n in range(int(group.max()) + 1)
        ]
        notes.append(
            f"no item was scored for both {' and '.join(apart)}: nothing says which is better, and "
            "each is scored on its own items"
        )
    return notes


def _named(job: EvalJob, systems: Sequence[int]) -> str:
    names = [job.names[system] for system in systems]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"({', '.join(names[:_MOST_NAMED])}{more})" if len(names) > 1 else names[0]
