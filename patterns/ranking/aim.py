"""What a user wants of a ranking, and the ranking that does it."""

from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from ...actors.bracket import Ranking
from ...actors.errors import UsageError
from ...actors.questions import Question
from .baselines.registry import METHODS
from .criteria import UNREACHED, CriteriaRanking
from .economics import Prices, Traits
from .engine import PosteriorRanking
from .objective import Best, Objective, WholeOrder
from .policy import LIST, SMALL, Always, Panel, Planner, Policy

AUTO: Final = "auto"
TARGET: Final = 0.90


@dataclass(frozen=True, slots=True)
class Aim:
    """How a table is to be ranked.

    *ask* is a Question's text, or `auto`; *top* looks for the best few alone, in fewer and wider
    rounds where *is_wide*; *focus* is the share of the order, from its top, that matters most.
    *weights* are those of the criteria, *judges* the names of the panel; *traits* is what is known
    of the judge, *keeps_judge* asks on one that seems to know nothing; with *asks_why* judges give
    their reasons. *method* is one of the classical rankings, with so many *votes* a comparison.
    *earlier* outcomes (schema
    OUTCOMES) count as known.
    """

    ask: str = AUTO
    target: float = TARGET
    seed: int = 0
    top: int | None = None
    is_wide: bool = False
    focus: float | None = None
    weights: tuple[float, ...] = (1.0,)
    judges: tuple[str, ...] = ("",)
    keeps_judge: bool = False
    asks_why: bool = False
    method: str | None = None
    votes: int | None = None
    traits: Traits | None = None
    earlier: pa.RecordBatch | None = field(default=None, compare=False)

    def check(self) -> None:
        """Raise UsageError where the parts do not go together."""
        if not 0.0 < self.target < 1.0:
            raise UsageError(f"target {self.target:g} is not between 0 and 1")
        if self.ask != AUTO and asked_for(self.ask).kind == "score":
            raise UsageError("scores by themselves rank by another method: --method pointwise")
        if self.top is not None and self.top < 1:
            raise UsageError(f"the best {self.top} are none; --top takes 1 or more")
        if self.top is not None and (self.focus is not None or len(self.weights) > 1):
            raise UsageError("--top goes with neither --focus nor a rubric of several criteria")
        self._check_method()
        if self.is_wide and self.top is None:
            raise UsageError("--wide is for --top alone")
        if self.focus is not None and not 0.0 < self.focus < 1.0:
            raise UsageError(f"focus {self.focus:g} is not between 0 and 1")
        if self.earlier is not None and (self.top is not None or len(self.weights) > 1):
            raise UsageError("--since goes with neither --top nor a rubric of several criteria")

    def _check_method(self) -> None:
        if self.method is None:
            if self.votes is not None:
                raise UsageError("--votes is for a --method that compares: ours asks no pair twice")
            return
        if self.method not in METHODS:
            raise UsageError(f"there is no method {self.method!r}; there are {', '.join(METHODS)}")
        if self.votes is not None and self.votes < 1:
            raise UsageError(f"{self.votes} votes decide nothing; --votes takes 1 or more")
        if self.target != TARGET or self.keeps_judge:
            raise UsageError(
                f"--method {self.method} ends by itself, and refuses no judge: it goes without "
                "--target and --keep-judge"
            )
        others = (self.top, self.focus, self.earlier)
        is_alone = all(each is None for each in others) and self.ask == AUTO
        if not is_alone or len(self.weights) > 1 or len(self.judges) > 1 or self.asks_why:
            raise UsageError(
                f"--method {self.method} asks its own questions of one judge: it goes without "
                "--ask, --top, --focus, --since, --reasons, a rubric of several criteria or a panel"
            )


def asked_for(ask: str) -> Question:
    """Return the question that *ask* names, which is not `auto`; raises UsageError."""
    try:
        return Question.parse(ask)
    except UsageError:
        raise UsageError(
            f"question {ask!r} is none of auto, pair, graded, list:K (K from 2 to 50)"
        ) from None


def ranking_of(n: int, aim: Aim, prices: Prices, *, calls: int | None = None) -> Ranking:
    """Return the ranking of *n* items that does what *aim* says, with at most *calls*.

    *prices* are what a call of each question costs; only their ratios matter.
    """
    if aim.method is not None:
        method = METHODS[aim.method]
        return method.make(n, aim.seed, aim.votes or method.votes)
    if len(aim.weights) == 1:
        return _single(n, aim, prices, aim.target, calls)
    question = _question(aim)
    return CriteriaRanking(
        n,
        aim.weights,
        [_single(n, aim, prices, UNREACHED, None, part) for part in range(len(aim.weights))],
        question,
        target=aim.target,
        budget_calls=calls,
    )


def _single(
    n: int, aim: Aim, prices: Prices, target: float, calls: int | None, part: int = 0
) -> PosteriorRanking:
    return PosteriorRanking(
        n,
        target=target,
        seed=aim.seed if part == 0 else aim.seed + 7919 * part,
        budget_calls=calls,
        policy=_policy(n, aim, prices),
        objective=_objective(n, aim),
        earlier=aim.earlier,
        asks_why=aim.asks_why,
    )


def _policy(n: int, aim: Aim, prices: Prices) -> Policy:
    if len(aim.judges) > 1:
        return Panel(_question(aim), aim.judges, [1.0] * len(aim.judges), aim.keeps_judge)
    is_plain = aim.top is not None or len(aim.weights) > 1 or aim.earlier is not None
    if aim.ask != AUTO or is_plain:
        return Always(_question(aim), aim.keeps_judge)
    return Planner(n, prices, aim.traits, aim.keeps_judge)


def _question(aim: Aim) -> Question:
    return LIST if aim.ask == AUTO else Question.parse(aim.ask)


def _objective(n: int, aim: Aim) -> Objective:
    if aim.top is not None and aim.top < n:
        return Best(aim.top, aim.is_wide)
    has_pilot = aim.ask == AUTO and n > SMALL and aim.traits is None
    is_uneven = has_pilot or aim.earlier is not None
    return WholeOrder(is_uneven=is_uneven, focus=aim.focus)
