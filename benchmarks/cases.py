"""Cases of the sorting benchmark: a simulated judge, a question and a way to stop, by seed."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from typing import Literal

import numpy as np

from ..actors.questions import Question
from ..actors.simulation.judge import REFERENCE, Bench, JudgeProfile
from ..actors.simulation.keyed import text_keys
from ..actors.simulation.world import utilities
from ..patterns.ranking.engine import PosteriorRanking
from .trial import Answer, Floats, Ints, Trial, play

ITEMS = 1000

SCALE = {0.75: 1.1786, 0.85: 2.3812, 0.90: 3.7849}
"""Spread of normal utilities, in logits, at which a random pair is judged right this often."""

Habit = Literal["first", "random"]
"""What a judge does that does not judge: it picks the first shown, or any."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is run once a seed: *truth* is a real column (else normal utilities are drawn)."""

    question: str
    profile: JudgeProfile = REFERENCE
    budget: int | None = None
    rounds: int | None = None
    target: float = 0.90
    habit: Habit | None = None
    truth: tuple[float, ...] = field(default=(), repr=False)

    def at(self, accuracy: float) -> "Case":
        """Return this case with a judge who is right on *accuracy* of random pairs."""
        return replace(self, profile=replace(self.profile, accuracy=accuracy))


def run_case(case: Case, seed: int) -> Trial:
    """Play *case* once."""
    question = Question.parse(case.question)
    truth, utility = world_of(case, seed)
    ranking = PosteriorRanking(
        len(truth),
        question,
        target=case.target,
        seed=seed,
        budget_calls=case.budget,
        rounds=case.rounds,
    )
    return play(ranking, judge_of(case, utility, seed), truth)


def run_cases(case: Case, seeds: int, *, processes: int = 1) -> list[Trial]:
    """Play *case* with the seeds from 0 to *seeds* - 1."""
    if processes == 1:
        return [run_case(case, seed) for seed in range(seeds)]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(run_case, repeat(case), range(seeds)))


def mean(trials: Sequence[Trial], name: str) -> float:
    """Return the mean of the field *name* over *trials*."""
    return float(np.mean([getattr(trial, name) for trial in trials]))


def world_of(case: Case, seed: int) -> tuple[Floats, Floats]:
    """Return the truth and the judge's utilities."""
    if case.truth:
        truth = np.array(case.truth)
        return truth, utilities(truth, case.profile.accuracy)
    drawn = np.random.default_rng([seed, 5]).standard_normal(ITEMS)
    return drawn, drawn * SCALE[case.profile.accuracy]


def judge_of(case: Case, utility: Floats, seed: int) -> Answer:
    """Return the judge of *case*, who knows *utility*."""
    if case.habit is None:
        keys = text_keys([str(item) for item in range(len(utility))])
        return Bench(case.profile, seed, "worth", utility, keys).answer
    return partial(_first if case.habit == "first" else _any, np.random.default_rng([seed, 6]))


def _first(_: np.random.Generator, question: Question, shown: Ints) -> Ints:
    """Always pick the first shown; return each list as it was shown."""
    rows, size = shown.shape
    if question.kind == "list":
        return np.broadcast_to(np.arange(size), (rows, size))
    return np.full(rows, 2 if question.kind == "graded" else 1)


def _any(rng: np.random.Generator, question: Question, shown: Ints) -> Ints:
    """Answer at random."""
    rows, size = shown.shape
    if question.kind == "list":
        return rng.permuted(np.broadcast_to(np.arange(size), (rows, size)), axis=1)
    grades = [-2, -1, 0, 1, 2] if question.kind == "graded" else [-1, 1]
    return np.asarray(rng.choice(grades, rows), np.int64)
