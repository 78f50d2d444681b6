"""A league: few systems, judged on many items; each match shows their outputs on one item."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
import pyarrow as pa

from ...actors.answers import SILENT_CALLS
from ...actors.bracket import Progress, Stopped
from ...actors.errors import UsageError
from ...actors.questions import Question
from ...actors.tables import STANDING
from .fixtures import Fixtures
from .likelihood import Bools, Floats, Ints
from .log import Log
from .matches import Matches
from .posterior import best_chances, rank_intervals
from .rematches import Rematches, Seen, teaches
from .robust import Strengths, Verdicts, Worth, fit_robust
from .stopping import Plan, Point, expected_calls, pairs_worth, round_size

FIRST_ROUND, LEAST_FIRST = 12.0, 32
"""Pairs a system at first, and matches at least: enough to see how far items differ."""

RANK_DRAWS: Final = 1000
CLEAR: Final = 3.0
"""A position bias of so many standard errors is told."""


class League:
    """A `Ranking` of systems. Row r of the item table is the output of *system[r]* on *item[r]*.

    Matches show outputs on one item, in the pairings that tell most of the order. When every set of
    systems has met on every item they meet again, in the other order or before another judge, as
    long as that teaches. It stops at *target* (predicted Kendall tau), when *budget_calls* are used
    up, or when the items have told what they can. The standing's `item` is the number of a
    system; intervals allow for what verdicts about one item share. *judges* are how many the panel
    has, *names* the systems'. A pure function of its arguments and the outcomes; picklable.
    """

    def __init__(
        self,
        system: Ints,
        item: Ints,
        question: Question,
        *,
        target: float = 0.90,
        seed: int = 0,
        budget_calls: int | None = None,
        judges: int = 1,
        names: Sequence[str] | None = None,
    ) -> None:
        if question.kind == "score":
            raise UsageError("a league compares outputs: ask pair, graded or list:K")
        self._system = np.asarray(system, np.int64)
        self._item = np.unique(np.asarray(item), return_inverse=True)[1].astype(np.int64)
        self._n = len(names) if names is not None else int(self._system.max(initial=-1)) + 1
        self._names = list(names) if names is not None else [str(s) for s in range(self._n)]
        self._question, self._judges, self._seed = question, judges, seed % 2**63
        self._fixtures = Fixtures(self._system, self._item, self._n, question)
        self._again = Rematches(self._system, self._n, judges)
        self._log = Log(len(self._system))
        once = self._fixtures.room()
        first = FIRST_ROUND * self._n / pairs_worth(question)
        first = min(max(LEAST_FIRST, round(first)), max(once, 1))
        most = once * self._again.most
        self._plan = Plan(target, budget_calls, None, first, first, most, most)
        self._now = Strengths.unknown(self._n, judges)
        self._tau, self._version = float(self._n < 2), 0
        self._round = self._asked = 0
        self._history: list[Point] = []
        self._seen: list[Seen] = []
        self._ended: Stopped | None = None

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        self._settle()
        round = Matches(asks_why=self._question.why)
        wanted = round_size(self._plan, self._history, self._asked)
        wanted = wanted if limit is None else min(wanted, limit)
        if self._stopped() is None and wanted > 0:
            for rows, judges in self._new_matches(wanted) or self._rematches(wanted):
                round.add(rows, self._question, judges)
            if not len(round):
                self._ended = "saturation"
        self._round += len(round) > 0
        self._asked += len(round)
        return round.batch()

    def prepare(self) -> None:
        """Import what the estimate needs: it takes a quarter of a second."""
        import scipy.special  # noqa: F401

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES), in the order its matches were handed out."""
        self._log.add(outcomes)
        if self._log.silence >= SILENT_CALLS:
            self._ended = "data"

    def exclude(self, item: int) -> None:
        """Take the output in row *item* out: never shown again, and what was said of it forgotten.

        A system without any output left is absent from the standing.
        """
        self._log.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the systems so far (STANDING): strengths in logits of the first judge."""
        self._settle()
        there = np.flatnonzero(self._there())
        low, high, first = self._ranks(there)
        score = self._now.mean[there]
        met = np.bincount(self._system, self._log.answered, self._n)[there]
        best = np.argsort(-score, kind="stable")
        columns = (there, score, low, high, met.astype(np.int64), first)
        arrays = [
            pa.array(column[best], field.type)
            for column, field in zip(columns, list(STANDING)[: len(columns)], strict=True)
        ]
        scores = pa.nulls(len(there), STANDING.field("scores").type)
        return pa.record_batch([*arrays, scores], schema=STANDING)

    def progress(self) -> Progress:
        """Return where the league stands."""
        self._settle()
        stopped = self._stopped()
        most = self._most()
        return Progress(
            rounds=self._round,
            asked=self._asked,
            answered=len(self._log),
            predicted_tau=self._tau,
            stopped=stopped,
            expected_calls=min(expected_calls(self._plan, self._history), most)
            if stopped is None
            else None,
            notes=self._notes(stopped),
            question=str(self._question),
        )

    def strengths(self) -> Strengths:
        """Return the fit: strengths with their covariance, and what is fitted of the judges."""
        self._settle()
        return self._now

    def verdicts(self) -> Verdicts:
        """Return what was answered, as pairs of systems: a list is all of its pairs."""
        found: list[Verdicts] = []
        for (judge, kind), records in self._log.parts.items():
            if kind == "list":
                found += self._of_lists(judge, *records.lists(self._log.present))
            else:
                first, second, grade = records.pairs(self._log.present)
                found.append(self._of_pairs(judge, first, second, grade, np.ones(len(first))))
        return Verdicts.all(found)

    def _new_matches(self, wanted: int) -> list[tuple[Ints, Ints]]:
        """Return matches of systems that are new to each other on their item, and who judges."""
        rng = self._random("matches")
        self._fixtures.keep(self._shown())
        worth = Worth(self._now, self._there())
        shown = self._fixtures.hand_out(worth, wanted, rng)
        dealt = rng.permutation(np.arange(sum(map(len, shown))) % self._judges)
        ends = np.cumsum([0, *map(len, shown)])
        found = [
            (rows, dealt[end : end + len(rows)]) for rows, end in zip(shown, ends, strict=False)
        ]
        for rows, judges in found:
            self._again.note(rows, judges)
        return found

    def _rematches(self, wanted: int) -> list[tuple[Ints, Ints]]:
        """Return matches of systems that have met on their item, as long as that teaches."""
        if not teaches(self._seen, once=len(self._again)):
            return []
        worth = Worth(self._now, self._there())
        return self._again.hand_out(worth, wanted, self._shown(), self._random("rematches"))

    def _shown(self) -> Bools:
        """Return which rows of the item table may be shown."""
        return np.asarray(self._log.present & ~self._log.keeps_failing(), np.bool_)

    def _of_lists(self, judge: int, ranked: Ints, picked: Ints, place: Floats) -> list[Verdicts]:
        found = []
        for upper, lower in combinations(range(len(ranked)), 2):
            kept = (ranked[lower] >= 0) & (upper < picked)
            lead = (place[upper] - place[lower])[kept]
            won = np.ones(len(lead), np.int64)
            found.append(self._of_pairs(judge, ranked[upper, kept], ranked[lower, kept], won, lead))
        return found

    def _of_pairs(self, judge: int, one: Ints, other: Ints, grade: Ints, lead: Floats) -> Verdicts:
        said_by = np.full(len(one), judge)
        return Verdicts(
            self._system[one], self._system[other], grade, lead, self._item[one], said_by
        )

    def _settle(self) -> None:
        """Fit what was recorded since the last fit."""
        if self._version == self._log.version:
            return
        self._version = self._log.version
        self._now = fit_robust(self._n, self.verdicts(), judges=self._judges)
        self._tau = self._now.tau(np.flatnonzero(self._there())) if len(self._log) else 0.0
        seen = Seen(self._asked, self._now.spread(np.flatnonzero(self._there())))
        earlier = [point for point in self._history if point.asked < self._asked]
        self._history = [*earlier, Point(self._asked, self._tau)]
        self._seen = [*(each for each in self._seen if each.asked < self._asked), seen]

    def _there(self) -> Bools:
        """Return which systems have an output left."""
        there = np.zeros(self._n, np.bool_)
        there[self._system[self._log.present]] = True
        return there

    def _ranks(self, there: Ints) -> tuple[Floats, Floats, Floats]:
        """Return both ends of the interval of each system's rank, and its chance to be best."""
        n = len(there)
        if n < 2 or not len(self._log):
            return np.ones(n), np.full(n, float(n)), np.full(n, 1.0 / max(n, 1))
        sample = self._now.draws(there, self._random("ranks"), RANK_DRAWS)
        return *rank_intervals(sample), best_chances(sample)

    def _most(self) -> int:
        plan = self._plan
        return plan.most if plan.budget is None else min(plan.most, plan.budget)

    def _stopped(self) -> Stopped | None:
        if self._ended or self._there().sum() < 2 or not self._plan.most:
            return self._ended or "data"
        if self._plan.budget is not None and self._asked >= self._plan.budget:
            return "budget"
        if self._history and self._history[-1].tau >= self._plan.target:
            return "target"
        return "saturation" if self._asked >= self._plan.most else None

    def _notes(self, stopped: Stopped | None) -> tuple[str, ...]:
        if not stopped or not self._asked:
            return ()
        if not len(self._log):
            return ("not one answer could be used",)
        notes = []
        if failing := int(self._log.keeps_failing().sum()):
            notes.append(f"matches of {failing} outputs kept failing; they are no longer shown")
        if stopped == "saturation":
            again = "they met again"
            if not self._again.is_open(self._shown()):
                again = "in both orders" + (" before each judge" if self._judges > 1 else "")
            notes.append(f"all met on every item, {again}; more items would tell more")
        met = np.bincount(self._system, self._log.answered, self._n)
        if unmet := [self._names[s] for s in np.flatnonzero((met == 0) & self._there())]:
            notes.append(f"nothing was answered about {', '.join(unmet)}")
        for judge, error in zip(self._now.judges, self._now.bias_errors, strict=True):
            if abs(judge.bias) > CLEAR * error:
                shown = "first" if judge.bias > 0 else "last"
                notes.append(
                    f"what is shown {shown} is favoured: {judge.bias:+.2f} +- {1.645 * error:.2f} "
                    "logit, removed from the scores"
                )
        return tuple(notes)

    def _random(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, self._round, *purpose.encode()])
