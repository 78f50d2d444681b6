"""Who is in the field when ways to rank are measured side by side, and with what to spend."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..actors.bracket import Ranking
from ..actors.questions import Question
from ..patterns.ranking.baselines.knockout import Knockout
from ..patterns.ranking.baselines.random_pairs import RandomPairs
from ..patterns.ranking.baselines.registry import METHODS
from ..patterns.ranking.baselines.swiss import FittedSwiss, Swiss
from ..patterns.ranking.baselines.window import SIZE, STEP, SlidingWindow
from ..patterns.ranking.engine import PosteriorRanking
from .trial import tokens_per_call

LIST, GRADED, PAIR = Question("list", 10), Question("graded"), Question("pair")
WINDOW, SCORE = SlidingWindow.question, Question("score", 1)
OURS = (LIST, GRADED, PAIR)
TARGET = 0.90
"""Predicted Kendall's tau at which ours stop by themselves."""

Make = Callable[[int, int], Ranking]
"""Makes a ranking of (n, seed)."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A method in the field; *is_ours* where it is not a baseline."""

    name: str
    question: Question
    make: Make = field(repr=False)
    is_ours: bool = False


def entrants() -> list[Entrant]:
    """Return the field: ours until 0.90, then the baselines until their end."""
    own = [ours(question, target=TARGET) for question in OURS]
    votes = [("merge", 15), ("pointwise", 5)]
    plain = [(name, method.votes) for name, method in METHODS.items()]
    return own + [baseline(name, count) for name, count in sorted(plain + votes)]


def entrants_for(n: int, tokens: float) -> list[Entrant]:
    """Return the field with *tokens* to spend on *n* items: who can be told to ask so much, is.

    Swiss rounds are told to go on until they are stopped.
    """
    calls = {each: int(tokens / tokens_per_call(each)) for each in (*OURS, WINDOW, SCORE)}
    pairs, rounds = calls[PAIR], 8 * calls[PAIR] // n + 1
    votes = {
        "merge": int(pairs / (n * max(np.log2(n), 1.0)) - 1) // 2 * 2 + 1,  # odd: no ties
        "pointwise": calls[SCORE] // n,
    }
    windows = max(1, 1 - (SIZE - n) // STEP)  # a pass
    repeats, passes = -(-pairs // n), -(-calls[WINDOW] // windows)
    return [
        *(ours(question, target=1.0, calls=calls[question]) for question in OURS),
        Entrant("random", PAIR, lambda n, seed: RandomPairs(n, seed=seed, calls_each=pairs / n)),
        Entrant("swiss", PAIR, lambda n, seed: Swiss(n, seed=seed, rounds=rounds)),
        Entrant("swiss-bt", PAIR, lambda n, seed: FittedSwiss(n, seed=seed, rounds=rounds)),
        Entrant("knockout", PAIR, lambda n, seed: Knockout(n, seed=seed, repeats=repeats)),
        Entrant("window", WINDOW, lambda n, seed: SlidingWindow(n, seed=seed, passes=passes)),
        *(baseline(name, 1) for name in ("merge", "quick", "heap", "bucket", "pointwise")),
        *(baseline(name, count) for name, count in votes.items() if count > 1),
    ]


def ours(question: Question, *, target: float, calls: int | None = None) -> Entrant:
    """Return our engine asking *question* until *target*, or of at most *calls*."""

    def make(n: int, seed: int) -> Ranking:
        return PosteriorRanking(n, question, target=target, seed=seed, budget_calls=calls)

    return Entrant(f"ours, {question}", question, make, is_ours=True)


def baseline(name: str, votes: int) -> Entrant:
    """Return the baseline *name*, each of its questions asked *votes* times."""
    method = METHODS[name]
    return Entrant(
        name if votes == 1 else f"{name}, {votes} votes",
        method.question,
        lambda n, seed: method.make(n, seed, votes),
    )
