"""A league: few systems, judged on many items; each match shows their outputs on one item."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
import pyarrow as pa

from ...actors.answers import SILENT_CALLS
from ...actors.bracket import Progress, Stopped
from ...actors.errors import UsageError
from ...actors.questions import Question
from ...actors.tables import STANDING
from .likelihood import Bools, Floats, Ints
from .log import Log
from .matches import Matches
from .posterior import best_chances, rank_intervals
from .robust import Strengths, Verdicts, Worth, fit_robust
from .schedule import places
from .stopping import Plan, Point, expected_calls, pairs_worth, round_size

FIRST_ROUND, LEAST_FIRST = 12.0, 32
"""Pairs a system at first, and matches at least: enough to see how far items differ."""

RANK_DRAWS: Final = 1000
STAGES: Final = 8
"""A round is planned in so many parts, each knowing what those before it will tell."""

FEW_SETS, TRIES = 300, 8
"""Of so many sets of systems each is looked at; of more, so many are drawn for an item."""

CLEAR: Final = 3.0
"""A position bias of so many standard errors is told."""


class League:
    """A `Ranking` of systems. Row r of the item table is the output of *system[r]* on *item[r]*.

    Matches show outputs on one item, never the same set of systems twice on it, and meet in the
    pairings that tell most of the order. It stops at *target* (predicted Kendall tau), when
    *budget_calls* are used up, or when all is asked. The standing's `item` is the number of a
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
        self._fixtures = _Fixtures(self._system, self._item, self._n, question)
        self._log = Log(len(self._system))
        most = self._fixtures.room()
        first = FIRST_ROUND * self._n / pairs_worth(question)
        first = min(max(LEAST_FIRST, round(first)), max(most, 1))
        self._plan = Plan(target, budget_calls, None, first, first, most, most)
        self._now = Strengths.unknown(self._n, judges)
        self._tau, self._version = float(self._n < 2), 0
        self._round = self._asked = 0
        self._history: list[Point] = []
        self._ended: Stopped | None = None

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        self._settle()
        round = Matches()
        wanted = round_size(self._plan, self._history, self._asked)
        wanted = wanted if limit is None else min(wanted, limit)
        if self._stopped() is None and wanted > 0:
            rng = self._random("matches")
            self._fixtures.keep(self._log.present & ~self._log.keeps_failing())
            worth = Worth(self._now, self._there())
            shown = self._fixtures.hand_out(worth, wanted, rng)
            dealt = rng.permutation(np.arange(sum(map(len, shown))) % self._judges)
            for rows in shown:
                round.add(rows, self._question, dealt[len(round) : len(round) + len(rows)])
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
        earlier = [point for point in self._history if point.asked < self._asked]
        self._history = [*earlier, Point(self._asked, self._tau)]

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
            notes.append("every match was asked; more items would tell more")
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


class _Fixtures:
    """Who can meet on which item, who has met there, and how often each was shown ahead."""

    def __init__(self, system: Ints, item: Ints, n: int, question: Question) -> None:
        self._n, self._question = n, question
        self._row = np.full((n, int(item.max(initial=-1)) + 1), -1)
        self._row[system, item] = np.arange(len(system))
        if (self._row >= 0).sum() < len(system):
            raise UsageError("a system has two outputs on one item: a league takes one")
        self._has = self._row >= 0
        self._met: dict[int, list[int]] = {}  # sets of systems by item; of pairs, items by pair
        self._used = np.zeros(self._row.shape[1], np.int64)
        self._ahead = np.zeros((n, n))

    def room(self) -> int:
        """Return how many matches there are in all."""
        sizes = self._has.sum(0).tolist()
        return sum(comb(size, self._size(size)) for size in sizes if size > 1)

    def keep(self, rows: Bools) -> None:
        """Show only these *rows* of the item table from now on."""
        self._has = (self._row >= 0) & rows[self._row]

    def hand_out(self, worth: Worth, count: int, rng: np.random.Generator) -> list[Ints]:
        """Return at most *count* new matches: the rows to show, as matrices of one width each."""
        chosen: dict[int, list[Ints]] = {}
        left, stage, found = count, STAGES, 1
        draw = self._draw_lists if self._question.kind == "list" else self._draw_pairs
        while left and found:
            met, found = np.zeros((self._n, self._n)), 0
            for item, company in draw(worth.gain() ** 2, -(-left // stage), rng):
                shown = self._order(company, rng)
                chosen.setdefault(len(shown), []).append(self._row[shown, item])
                self._used[item] += 1
                met[np.ix_(shown, shown)] += 1.0 / (len(shown) - 1.0)
                found += 1
            left, stage = left - found, max(stage - 1, 1)
            np.fill_diagonal(met, 0.0)
            worth.expect(met)
        return [np.stack(rows)[rng.permutation(len(rows))] for rows in chosen.values()]

    def _size(self, available: int) -> int:
        return min(self._question.size, available)

    def _draw_pairs(
        self, weight: Floats, count: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, Ints]]:
        """Yield at most *count* items with two systems that are new to each other there, as often
        as the two weigh, and the items least used first."""
        has = self._has.astype(np.float64)
        room = has @ has.T  # whole numbers, exact in any order
        for pair, items in self._met.items():
            room[divmod(pair, self._n)] -= int(
                self._has[:, items][list(divmod(pair, self._n))].all(0).sum()
            )
        upper = np.triu_indices(self._n, 1)
        is_open = room[upper] > 0
        numbers = np.minimum(_dealt(weight[upper] * is_open, is_open, count, rng), room[upper])
        for place in rng.permutation(np.flatnonzero(numbers)).tolist():
            both = np.array([upper[0][place], upper[1][place]])
            met = self._met.setdefault(int(both[0] * self._n + both[1]), [])
            free = np.setdiff1d(np.flatnonzero(self._has[both].all(0)), met)
            order = np.lexsort((rng.random(len(free)), self._used[free]))
            for item in free[order[: int(numbers[place])]].tolist():
                met.append(item)
                yield item, both

    def _draw_lists(
        self, weight: Floats, count: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, Ints]]:
        """Yield at most *count* items, least used first, and systems not yet listed for each."""
        order = np.lexsort((rng.random(len(self._used)), self._used))
        for item in order.tolist():
            if count and (company := self._company(item, weight, rng)) is not None:
                self._met.setdefault(item, []).append(int(self._codes(company)))
                count -= 1
                yield item, company

    def _company(self, item: int, weight: Floats, rng: np.random.Generator) -> Ints | None:
        """Return a new set of systems for *item*, drawn by their *weight* in pairs, if any is."""
        there = np.flatnonzero(self._has[:, item])
        size = self._size(len(there))
        if size < 2:
            return None
        met, mine = self._met.get(item, []), weight[np.ix_(there, there)]
        if comb(len(there), size) > FEW_SETS:
            for _ in range(TRIES):
                drawn = there[_gather(mine, size, rng)]
                if int(self._codes(drawn)) not in met:
                    return np.asarray(drawn)
            return None
        sets = _subsets(len(there), size)
        sets = sets[~np.isin(self._codes(there[sets]), met)]
        value = mine[sets[:, :, None], sets[:, None, :]].sum((1, 2))
        return np.asarray(there[sets[_pick(value, rng)]]) if len(sets) else None

    def _codes(self, company: Ints) -> Ints:
        """Return a number for each set of systems (the last axis, in their order)."""
        code = np.zeros(company.shape[:-1], np.int64)
        for place in range(company.shape[-1]):
            code = code * self._n + company[..., place]  # two large sets may share one: rare
        return code

    def _order(self, company: Ints, rng: np.random.Generator) -> Ints:
        """Return *company* as it is shown: first who was shown behind these others so far, then
        behind all."""
        within = self._ahead[np.ix_(company, company)].sum(1)
        in_all = self._ahead[company].sum(1) / (10.0 + np.abs(self._ahead).sum())
        chance = 1e-6 if len(company) == 2 else 0.5
        urge = within + in_all + chance * rng.random(len(company))
        shown = company[np.argsort(urge, kind="stable")]
        place = places(len(shown))
        self._ahead[np.ix_(shown, shown)] += place[:, None] - place[None, :]
        return shown


def _dealt(weight: Floats, is_open: Bools, count: int, rng: np.random.Generator) -> Ints:
    """Return *count* dealt to places in proportion to their *weight*, or evenly where all are 0."""
    weight = weight if weight.any() else is_open.astype(np.float64)
    order = rng.permutation(len(weight))
    ends = np.cumsum(weight[order])
    if not len(ends) or not ends[-1]:
        return np.zeros(len(weight), np.int64)
    steps = np.floor(ends / ends[-1] * count + rng.random())
    dealt = np.zeros(len(weight), np.int64)
    dealt[order] = np.diff(steps, prepend=0.0).astype(np.int64)
    return dealt


@lru_cache(maxsize=64)
def _subsets(count: int, size: int) -> Ints:
    """Return all sets of *size* of the places below *count*, as rows."""
    return np.array(list(combinations(range(count), size)), np.int64)


def _gather(weight: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Return *size* different places in their order, each drawn by its *weight* with the others."""
    company = list(divmod(_pick(weight.ravel(), rng), len(weight)))
    while len(company) < size:
        value = weight[company].sum(0) + 1e-200
        value[company] = 0.0
        company.append(_pick(value, rng))
    return np.sort(np.array(company))


def _pick(weight: Floats, rng: np.random.Generator) -> int:
    """Return a place, drawn by *weight*; any where all weigh nothing."""
    ends = np.cumsum(weight if weight.any() else np.ones(len(weight)))
    place = np.searchsorted(ends, rng.random() * ends[-1], side="right")
    return min(int(place), len(ends) - 1)
