"""The ranking engine: asks, believes, and stops when it knows the order well enough."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from ...actors.answers import SILENT_CALLS
from ...actors.bracket import Progress, Stopped
from ...actors.errors import UsageError
from ...actors.questions import Question
from ...actors.tables import STANDING
from .audit import Honesty, Swaps, in_pilot
from .economics import Traits, worth
from .evidence import Evidence
from .graph import Graph, Precision
from .likelihood import Floats, Ints
from .log import Log
from .matches import Matches, dealt
from .objective import Objective, View, WholeOrder
from .policy import Always, Known, Planner, Policy, Step
from .posterior import (
    BEST_DRAWS,
    FEW,
    RANK_DRAWS,
    Estimate,
    best_chances,
    draw,
    fit,
    rank_intervals,
)
from .schedule import Ledger
from .stopping import MOST_MATCHES, WEAK, Point, decide, pairs_worth, plan_of

NO_INFORMATION: Final = (
    "this judge carries no information about the quality: its answers do not depend on the texts "
    "enough to rank them, so do not trust this order"
)
TOO_FEW: Final = "there are too few answers to tell whether this judge knows anything"
FIRST_OF_NEW: Final = 12.0
"""Pairs a new item in the first round, where earlier outcomes tell of the others."""

AFTER_PILOT: Final = 0.002
"""Where a pilot told of some items beforehand, predicted tau is so optimistic (simulated)."""

TWICE_STOPPED: Final = 0.0018
"""The earlier outcomes ended when they looked good enough; to stop on them again is so optimistic
(measured, simulated)."""

ENOUGH: Final = 20
"""Answers from which a judge without information is told from bad luck."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is fitted of the judge, in units of its noise.

    *scale* is the spread of strengths, *position_bias* the advantage of being shown first (over
    being shown last), *tie* and *much* the thresholds of grades.
    """

    scale: float
    position_bias: float
    tie: float
    much: float


@dataclass(frozen=True, slots=True)
class Strengths:
    """A posterior of some items: means, variances, joint draws (columns), and the prior's scale."""

    mean: Floats
    variance: Floats
    sample: Floats
    scale: float


class PosteriorRanking:
    """A `Ranking` by Bayesian inference over item strengths, whatever is asked.

    It stops at *target*, or when *budget_calls* are used up; with *rounds* it spends that budget
    in so many equal rounds. The *policy* decides what is asked (default: *question*), the
    *objective* what the ranking is after (default: the whole order). *earlier* outcomes (schema
    OUTCOMES) count as known from the start; their judges are others than those who are asked now
    if their numbers are. With *asks_why* judges say why. A pure function of its arguments and the
    outcomes, and picklable.
    """

    def __init__(
        self,
        n: int,
        question: Question | None = None,
        *,
        target: float = 0.90,
        seed: int = 0,
        budget_calls: int | None = None,
        rounds: int | None = None,
        policy: Policy | None = None,
        objective: Objective | None = None,
        earlier: pa.RecordBatch | None = None,
        asks_why: bool = False,
    ) -> None:
        if rounds is not None and budget_calls is None:
            raise UsageError("equal rounds need a budget of calls to divide")
        if question is None and policy is None:
            raise UsageError("a ranking needs a question, or a policy that chooses one")
        self._n, self._seed, self._asks_why = n, seed % 2**63, asks_why
        self._policy: Policy = policy or Always(question or Question("pair"))
        self._objective = objective or WholeOrder()
        self._main = self._policy.main
        self._plan = plan_of(n, self._asked_as(self._main), target, budget_calls, rounds)
        if isinstance(self._policy, Planner) and self._policy.has_pilot:
            self._plan = replace(self._plan, target=self._plan.target + AFTER_PILOT)
        if not isinstance(self._objective, WholeOrder):  # it comes in leaps, not bit by bit
            self._plan = replace(self._plan, window=self._plan.most)
        self._log, self._ledger = Log(n), Ledger(n)
        self._swaps, self._honesty = Swaps.none(), Honesty()
        self._start = self._now = Estimate.prior(n)
        self._precision: Precision | None = None
        self._version = self._round = self._asked = 0
        self._units = 0.0
        self._is_pilot = False
        self._history: list[Point] = []
        self._ended: Stopped | None = None
        if earlier is not None and earlier.num_rows:
            self._remember(earlier)

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        self._settle()
        matches = Matches(asks_why=self._asks_why)
        left = self._left(limit)
        if not self._stopped() and left > 0:
            steps = self._policy.steps(self._known())
            self._ended = None if steps else "judge"
            self._measure_by(self._policy.main)
            self._is_pilot = any(step.calls is not None for step in steps)
            for step in steps:
                self._add(matches, step, left - len(matches))
            if steps and not len(matches):
                self._ended = "data"
        self._round += len(matches) > 0
        self._asked += len(matches)
        self._start = self._now
        return matches.batch()

    def prepare(self) -> None:
        """Import what the estimate needs: it takes a quarter of a second."""
        import scipy.special  # noqa: F401

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES), in the order its matches were handed out."""
        self._log.add(self._swaps.take(outcomes))
        if self._log.silence >= SILENT_CALLS:
            self._ended = "silence"

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament: never shown again, absent from the standing."""
        self._log.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (STANDING)."""
        self._settle()
        items = np.flatnonzero(self._log.present)
        low, high, first = self._ranks(items)
        score = self._now.mean[items]
        best = np.argsort(-score, kind="stable")
        rank = np.argsort(best) + 1.0  # an interval holds the rank that is given, too
        low, high = np.minimum(low, rank), np.maximum(high, rank)
        columns = (items, score, low, high, self._log.answered[items], first)
        arrays = [
            pa.array(column[best], field.type)
            for column, field in zip(columns, list(STANDING)[: len(columns)], strict=True)
        ]
        scores = pa.nulls(len(items), STANDING.field("scores").type)
        return pa.record_batch([*arrays, scores], schema=STANDING)

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        self._settle()
        stopped = self._stopped()
        is_whole = isinstance(self._objective, WholeOrder)
        return Progress(
            rounds=self._round,
            asked=self._asked,
            answered=len(self._log),
            predicted_tau=self._now.tau,
            stopped=stopped,
            expected_calls=None if stopped else self._forecast(),
            notes=self._notes(stopped),
            question=str(self._main),
            predicted_recall=None if is_whole else self._quality(),
            judge=None if (found := self.traits()) is None else found.told(),
        )

    def diagnosis(self) -> Diagnosis:
        """Return what is fitted of the judge."""
        self._settle()
        judge = self._now.judge
        return Diagnosis(self._now.scale, judge.bias, judge.tie, judge.much)

    def traits(self) -> Traits | None:
        """Return what a pilot found of the judge; None where there was none."""
        found: Traits | None = getattr(self._policy, "found", None)
        return found

    def items(self) -> Ints:
        """Return the items that take part."""
        return np.flatnonzero(self._log.present)

    def comparisons(self, items: Ints) -> Ints:
        """Return how many answered matches showed each of *items*."""
        return self._log.answered[items]

    def strengths(self, items: Ints, draws: int = 1) -> Strengths:
        """Return what is believed of the strengths of *items*, and *draws* of them."""
        self._settle()
        now = self._now
        if self._precision is None:
            sample = now.scale * self._random("strengths").standard_normal((len(items), draws))
        else:
            sample = draw(now, self._precision, items, self._random("strengths"), draws)
        return Strengths(now.mean[items], now.variance[items], sample, now.scale)

    def quarantined(self) -> list[int]:
        """Return the items that are no longer scheduled because their matches keep failing."""
        return [int(item) for item in np.flatnonzero(self._log.keeps_failing())]

    def _ranks(self, items: Ints) -> tuple[Floats, Floats, Floats]:
        """Return both ends of the interval of each item's rank, and its chance to be the best."""
        n = len(items)
        if self._precision is None or n < 2:
            return np.ones(n), np.full(n, float(n)), np.full(n, 1.0 / max(n, 1))
        sample = draw(self._now, self._precision, items, self._random("intervals"), RANK_DRAWS)
        low, high = rank_intervals(sample)
        if n <= FEW:
            sample = draw(self._now, self._precision, items, self._random("best"), BEST_DRAWS)
        return low, high, best_chances(sample)

    def _stopped(self) -> Stopped | None:
        if self._ended or self._log.present.sum() < 2:
            return self._ended or "data"
        if self._plan.budget is not None and self._asked >= self._plan.budget:
            return "budget"
        stopped = decide(self._plan, self._history, round(self._units))
        if not self._asked and self._log.parts and self._has_strangers():
            return None  # a new row is not placed without a question
        is_over = stopped in ("target", "saturation") and not self._policy.keeps
        return "judge" if is_over and self._is_in_vain() else stopped

    def _has_strangers(self) -> bool:
        """Whether there is an item of which earlier outcomes say nothing."""
        return bool((self._log.present & (self._log.answered == 0)).any())

    def _is_in_vain(self) -> bool:
        """Whether so many answers tell no order, so that the judge is not to be believed."""
        is_weak = self._n > 1 and self._now.tau < WEAK and self._knows_nothing()
        return is_weak and len(self._log) >= ENOUGH

    def _forecast(self) -> int | None:
        plan = self._plan
        if plan.rounds is not None and plan.budget is not None:
            return plan.budget
        calls = self._objective.expected(plan, self._history)
        if calls is not None and calls >= plan.most:  # nothing is known yet of how fast it goes
            return plan.budget
        if calls is not None:
            calls += self._asked - round(self._units)
        return calls if plan.budget is None or calls is None else min(calls, plan.budget)

    def _notes(self, stopped: Stopped | None) -> tuple[str, ...]:
        notes = []
        if failing := len(self.quarantined()):
            notes.append(f"matches of {failing} items kept failing; they are no longer asked about")
        if stopped:
            notes += self._policy.notes(self._known())
        if stopped and self._asked and not len(self._log):
            notes.append("not one answer could be used")
        elif stopped and self._is_in_vain():
            notes.append(NO_INFORMATION)
        elif stopped and self._n > 1 and self._now.tau < WEAK and self._knows_nothing():
            notes.append(TOO_FEW)
        return tuple(notes)

    def _knows_nothing(self) -> bool:
        """Whether a low tau speaks against the judge: not where only the best were looked for."""
        return isinstance(self._objective, WholeOrder) or self._now.signal.is_weak

    def _random(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._round, *purpose.encode()])

    def _settle(self) -> None:
        """Fit what was recorded since the last fit, from the estimate at the round's start."""
        if self._version == self._log.version:
            return
        if self._policy.audits:
            self._honesty = self._honesty.renewed(self._log, self._n, self._random("audit"))
        evidence = Evidence(self._log.likelihoods(by_winner=self._honesty.is_in_doubt))
        graph = Graph(self._n, *evidence.edges())
        self._now, self._precision = fit(
            evidence, graph, self._start, self._random("draws"), self._log.present
        )
        self._version = self._log.version
        if self._is_pilot or not self._units:
            return
        asked = round(self._units)
        earlier = [point for point in self._history if point.asked < asked]
        self._history = [*earlier, Point(asked, self._quality())]

    def _quality(self) -> float:
        """Return how near the aim is."""
        items = np.flatnonzero(self._log.present)
        return self._objective.quality(self._view(items, "quality"))

    def _view(self, items: Ints, purpose: str) -> View:
        return View(self._now, self._precision, items, self._ledger, self._random(purpose))

    def _known(self) -> Known:
        now = self._now
        counts = {key: len(records) for key, records in self._log.parts.items()}
        return Known(now.judges, now.signal, self._swaps, self._honesty, counts)

    def _left(self, limit: int | None) -> int:
        """Return how many matches may be handed out."""
        most = int(MOST_MATCHES * self._n) if limit is None else limit
        return most if self._plan.budget is None else min(most, self._plan.budget - self._asked)

    def _add(self, matches: Matches, step: Step, left: int) -> None:
        """Hand out the matches of one *step*, at most *left*."""
        there = self._log.present & ~self._log.keeps_failing()
        if step.among is not None:
            there &= in_pilot(self._n, self._seed, step.among)
        items = np.flatnonzero(there)
        if len(items) < 2 or left < 1:
            return
        count = min(left, self._count() if step.calls is None else step.calls)
        view = self._view(items, f"matches {len(matches)}" if len(matches) else "matches")
        shown = self._objective.choose(view, self._asked_as(step.question), count)
        matches.add(shown, step.question, dealt(len(shown), step.shares))
        self._units += len(shown) * self._in_main(step.question)
        if step.swapped:
            known = self._log.parts.get((0, step.question.kind))
            count = min(step.swapped, left - len(shown))
            again = self._swaps.choose(known, self._log.present, count, view.rng)
            matches.add(again, step.question)

    def _count(self) -> int:
        """Return how many matches the next round should have."""
        plan, units = self._plan, round(self._units)
        if plan.budget is not None:
            plan = replace(plan, budget=units + plan.budget - self._asked)
        return self._objective.size(plan, self._history, units)

    def _asked_as(self, question: Question) -> Question:
        """Return *question* for so few items: where all fit into one list, lists of half of them
        meet in other company each time."""
        if question.kind != "list" or self._n > question.size:
            return question
        return question.of(max(2, (self._n + 1) // 2))

    def _in_main(self, question: Question) -> float:
        """Return how many answers to the main question one to *question* is worth."""
        if question == self._main:
            return 1.0
        traits = self.traits() or Traits()
        return worth(question, traits) / worth(self._main, traits)

    def _measure_by(self, main: Question) -> None:
        """Count calls by another question from now on."""
        if main == self._main:
            return
        traits = self.traits() or Traits()
        ratio = worth(self._main, traits) / worth(main, traits)
        self._units *= ratio
        self._history = [Point(round(ratio * p.asked), p.tau) for p in self._history]
        self._main = main
        plan = self._plan
        anew = plan_of(self._n, self._asked_as(main), plan.target, plan.budget, plan.rounds)
        self._plan = replace(anew, target=plan.target)

    def _remember(self, earlier: pa.RecordBatch) -> None:
        """Begin with *earlier* outcomes, and with a first round for those they say nothing of."""
        self._log.add(earlier)
        for key, records in self._log.parts.items():
            if key[1] != "list":
                first, second, _ = records.pairs(self._log.present)
                self._ledger.note_pairs(first, second)
        self._settle()
        new = int(np.count_nonzero(self._log.answered == 0))
        worth_pairs = pairs_worth(self._asked_as(self._main))
        opening = max(16, round(FIRST_OF_NEW * new / worth_pairs))
        self._plan = replace(self._plan, first=opening, target=self._plan.target + TWICE_STOPPED)
        self._history = [Point(0, self._quality())]
        self._start = self._now
