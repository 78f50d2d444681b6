"""What a ranking may be told beside its items: from options to a job, all checks made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .choice import recorded_question
from .inputs import Items, prepare
from .jobs import Job, plan_job
from .judges import known_traits
from .patterns.ranking.aim import AUTO, Aim
from .rubrics import Rubric, read_rubric
from .supervisor.budget import Budget


class RankOptions(TypedDict, total=False):
    """The options of a ranking.

    *text* is a column or a template of columns, *id* and *truth* are columns. *ask* is `pair`,
    `graded`, `list:K` or `auto`: a pilot finds out about the judge, and what tells most for its
    price is asked. It stops at predicted Kendall tau *target*.
    *rubric* (a Rubric, or its file) ranks by several weighted criteria in place of one quality.
    *top* looks for the best so many alone, until their expected recall is *target*; with *wide* in
    fewer, larger rounds. *focus* is the share of rows, from the top, that matters most.
    *since* is an earlier run whose answers about the same rows count. *keep_judge* asks on a judge
    that seems to know nothing; with *reasons* judges say why, which costs more than their verdicts.
    *method* is a classical ranking in place of ours, with so many *votes* a comparison.
    """

    text: str | None
    id: str | None
    truth: str | None
    ask: str
    target: float
    seed: int
    rubric: Rubric | str | Path | None
    top: int | None
    wide: bool
    focus: float | None
    since: str | None
    keep_judge: bool
    reasons: bool
    method: str | None
    votes: int | None


Choose = Callable[[bool, int], ModelSpec]
"""Chooses the judge: told whether the truth is known, and the seed."""


def job_of(
    items: Items, by: str | None, options: RankOptions, *, choose: Choose, budget: Budget
) -> Job:
    """Return the job of ranking *items* by the quality *by*, or by a rubric; raises UsageError."""
    known = set(RankOptions.__annotations__)
    if alien := [name for name in options if name not in known]:
        raise UsageError(f"rank has no option {alien[0]!r}; it has {', '.join(sorted(known))}")
    seed, truth = options.get("seed", 0), options.get("truth")
    rubric = _rubric(by, options.get("rubric"))
    model = choose(truth is not None, seed)
    prepared = prepare(items, text=options.get("text"), id=options.get("id"), truth=truth)
    ask = options.get("ask", AUTO)
    if ask == AUTO and options.get("method") is None:
        ask = recorded_question(model.judges) or AUTO
    aim = Aim(
        ask=ask,
        target=options.get("target", 0.90),
        seed=seed,
        top=options.get("top"),
        is_wide=options.get("wide", False),
        focus=options.get("focus"),
        keeps_judge=options.get("keep_judge", False),
        asks_why=options.get("reasons", False),
        method=options.get("method"),
        votes=options.get("votes"),
        traits=known_traits(model, rubric, prepared.texts),
    )
    return plan_job(prepared, rubric, aim, model=model, budget=budget, since=options.get("since"))


def _rubric(by: str | None, rubric: Any) -> Rubric:  # Any: a caller's
    if rubric is None:
        if by is None or not by.strip():
            raise UsageError(
                "by is empty: name the quality to rank by, as in --by severity, or a --rubric"
            )
        return Rubric.of(by)
    if by is not None:
        raise UsageError("a ranking is by one quality (by) or by a rubric, not by both")
    return rubric if isinstance(rubric, Rubric) else read_rubric(rubric)
