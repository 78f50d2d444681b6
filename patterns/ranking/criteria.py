"""A ranking by several qualities at once: each has its own posterior, their sum is the order."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ...actors.bracket import Progress, Stopped
from ...actors.questions import Question
from ...actors.tables import MATCHES, STANDING, concat
from .engine import PosteriorRanking
from .likelihood import Floats, Ints
from .posterior import FEW, RANK_DRAWS, best_chances, expected_tau, rank_intervals
from .stopping import Plan, Point, decide, plan_of, round_size

UNREACHED = 0.9999
"""The target of each quality alone: what stops the ranking is their sum."""


class CriteriaRanking:
    """A `Ranking` by a weighted sum of qualities, each in units of its own spread over the items.

    A match is about one quality; a quality gets calls in proportion to its weight, which is what
    makes the sum's error least. So C qualities cost up to C times as much as one. *parts* rank by
    one each, and never stop by themselves; this one stops at *target*, for the sum.
    """

    def __init__(
        self,
        n: int,
        weights: Sequence[float],
        parts: Sequence[PosteriorRanking],
        question: Question,
        *,
        target: float = 0.90,
        budget_calls: int | None = None,
    ) -> None:
        self._weights = np.array(weights, np.float64) / sum(weights)
        self._parts = list(parts)
        plan = plan_of(n * len(weights), question, target, budget_calls, None)
        self._plan: Plan = plan
        self._history: list[Point] = []
        self._asked = self._round = self._answered = 0
        self._ended: Stopped | None = None

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        count = 0 if self._stopped() else round_size(self._plan, self._history, self._asked)
        count = count if limit is None else min(count, limit)
        shares = self._shares(count)
        batches = [
            _of_criterion(part.next_matches(share), number)
            for number, (part, share) in enumerate(zip(self._parts, shares, strict=True))
            if share
        ]
        round = concat([each for each in batches if each.num_rows], MATCHES)
        if count > 0 and not round.num_rows:
            self._ended = "data"
        self._round += round.num_rows > 0
        self._asked += round.num_rows
        return round

    def prepare(self) -> None:
        """Get ready for outcomes."""
        self._parts[0].prepare()

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES): each goes to its own quality."""
        criterion = outcomes.column("criterion").to_numpy()
        for number, part in enumerate(self._parts):
            rows = outcomes.filter(pa.array(criterion == number))
            if rows.num_rows:
                part.record(rows)
        progress = [part.progress() for part in self._parts]
        self._answered = sum(each.answered for each in progress)
        ends = {each.stopped for each in progress}
        if ends <= {"data", "judge", "silence"}:
            worst: tuple[Stopped, ...] = ("silence", "judge", "data")
            self._ended = next(end for end in worst if end in ends)
        items, mean, variance, sample = self._sum()
        tau = expected_tau(mean, variance, sample) if len(items) > 1 else 1.0
        earlier = [point for point in self._history if point.asked < self._asked]
        self._history = [*earlier, Point(self._asked, tau)]

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament."""
        for part in self._parts:
            part.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (STANDING); *scores* are those of each quality."""
        items, mean, _, sample = self._sum()
        low, high = rank_intervals(sample) if len(items) > 1 else (np.ones(len(items)),) * 2
        best = np.argsort(-mean, kind="stable")
        scores = np.stack([part.strengths(items).mean for part in self._parts], 1)
        matches = sum((part.comparisons(items) for part in self._parts), np.zeros(len(items), int))
        columns = (items, mean, low, high, matches, best_chances(sample))
        arrays = [
            pa.array(column[best], field.type)
            for column, field in zip(columns, list(STANDING)[: len(columns)], strict=True)
        ]
        ends = np.arange(len(items) + 1, dtype=np.int32) * len(self._parts)
        lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(scores[best].ravel()))
        return pa.record_batch([*arrays, lists], schema=STANDING)

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        stopped = self._stopped()
        notes = dict.fromkeys(note for part in self._parts for note in part.progress().notes)
        return Progress(
            rounds=self._round,
            asked=self._asked,
            answered=self._answered,
            predicted_tau=self._history[-1].tau if self._history else 0.0,
            stopped=stopped,
            expected_calls=None,
            notes=tuple(notes) if stopped else (),
            question=self._parts[0].progress().question,
        )

    def _stopped(self) -> Stopped | None:
        return self._ended or decide(self._plan, self._history, self._asked)

    def _shares(self, count: int) -> list[int]:
        ends = np.rint(np.cumsum(self._weights) * count).astype(int)
        return [int(share) for share in np.diff(ends, prepend=0)]

    def _sum(self) -> tuple[Ints, Floats, Floats, Floats]:
        """Return the items, and mean, variance and draws of the weighted sum of their qualities."""
        items = self._parts[0].items()
        count = RANK_DRAWS if len(items) > FEW else 20 * RANK_DRAWS
        mean, variance = np.zeros(len(items)), np.zeros(len(items))
        sample = np.zeros((len(items), count))
        for weight, part in zip(self._weights, self._parts, strict=True):
            own = part.strengths(items, draws=count)
            unit = weight / max(own.scale, 1e-3)
            mean += unit * own.mean
            variance += unit**2 * own.variance
            sample += unit * own.sample
        return items, mean, variance, sample


def _of_criterion(matches: pa.RecordBatch, number: int) -> pa.RecordBatch:
    column = pa.array(np.full(matches.num_rows, number), pa.int16())
    place = MATCHES.get_field_index("criterion")
    return matches.set_column(place, MATCHES.field("criterion"), column)
