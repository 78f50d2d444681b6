"""A ranking that follows a script: it hands out what the script asks, and tells it the verdicts."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa

from ....actors.bracket import Progress, Stopped
from ....actors.questions import Question
from ....actors.tables import STANDING
from ..likelihood import Bools, Floats, Ints
from ..matches import Matches
from .script import Script, Shown, Verdict

TRIES: Final = 3
"""So often is one thing asked; without an answer to any of them, its items count as tied."""


@dataclass(slots=True)
class _Vote:
    """One answer that is wanted: about which topic, how it is shown, how often it was handed out.

    *values* is what it gave each item shown, once there is an answer.
    """

    about: int
    shown: Shown
    tries: int = 0
    values: dict[int, float] | None = None


class ScriptedRanking(ABC):
    """A `Ranking` whose matches a script decides, each asked *votes* times in one round.

    Votes are shown in alternating orders, as is what is asked again for want of an answer. No
    quality is predicted (`predicted_tau` is 0) and no uncertainty known: rank intervals are 1 to n,
    and all have the same chance to be the best. Scores mean what the method says; before its end
    they are the best guess so far. A pure function of its arguments and the outcomes; it pickles
    until its first round only.
    """

    question: ClassVar[Question] = Question("pair")
    at_end: ClassVar[Stopped] = "data"
    """Why it stops: it knows all that it asks for, or it has asked as often as it was told to."""

    def __init__(self, n: int, *, seed: int = 0, votes: int = 1) -> None:
        self._n, self._votes_each = n, votes
        self._rng = np.random.default_rng([seed % 2**63, *type(self).__name__.encode()])
        self._present: Bools = np.ones(n, np.bool_)
        self._score: Floats = np.zeros(n)
        self._compared: Ints = np.zeros(n, np.int64)
        self._round = self._asked = self._answered = 0
        self._play: Script[Any] | None = None  # Any: what a whole script returns is not looked at
        self._is_over = n < 2
        self._topics: list[Shown] = []
        self._votes: list[_Vote] = []
        self._open: list[_Vote] = []
        self._out: list[_Vote] = []

    @abstractmethod
    def _script(self) -> Script[Any]:
        """Play the method from its start, keeping `_score` as good as is known."""

    def _guess(self, verdicts: list[Verdict]) -> None:  # noqa: B027 (most need none)
        """Take in the *verdicts* so far, though some may still be open: the run may end here."""

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES), at most *limit* matches; no rows once it has stopped."""
        self._out = []
        self._go_on()
        self._out = self._open[: None if limit is None else max(limit, 0)]
        for vote in self._out:
            order = vote.shown[::-1] if vote.tries else vote.shown
            vote.shown = tuple(item for item in order if self._present[item])
            vote.tries += 1
        round = Matches()
        for size, votes in groupby(self._out, key=lambda vote: len(vote.shown)):
            asked = self.question.of(size) if size > 1 else Question("score", 1)
            round.add(np.array([vote.shown for vote in votes], np.int64), asked)
        self._round += len(round) > 0
        self._asked += len(round)
        return round.batch()

    def prepare(self) -> None:  # noqa: B027 (most have nothing to do)
        """Do nothing: nothing is slow to begin."""

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES), in the order its matches were handed out."""
        names = ("shown", "status", "grade", "order")
        waiting = iter(self._out)
        rows = zip(*(outcomes.column(name).to_pylist() for name in names), strict=True)
        for shown, status, grade, order in rows:
            vote = next((vote for vote in waiting if [*vote.shown] == shown), None)
            if vote is not None and status == "ok":
                vote.values = _values(vote.shown, grade, order)
                self._compared[shown] += 1
                self._answered += 1
        self._out = [*waiting]
        if self._topics:
            self._guess(self._verdicts())
        self._go_on()

    def exclude(self, item: int) -> None:
        """Take *item* out of the tournament: never shown again, absent from the standing."""
        self._present[item] = False

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (STANDING); of items with equal scores the earlier is first."""
        items = np.flatnonzero(self._present)
        low, high, first = self._ranks(items)
        best = np.argsort(-self._score[items], kind="stable")
        columns = {
            "item": items,
            "score": self._score[items],
            "rank_low": low,
            "rank_high": high,
            "comparisons": self._compared[items],
            "p_best": first,
        }
        arrays = [
            pa.array(columns[field.name][best], field.type)
            if field.name in columns
            else pa.nulls(len(items), field.type)
            for field in STANDING
        ]
        return pa.record_batch(arrays, schema=STANDING)

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        return Progress(
            rounds=self._round,
            asked=self._asked,
            answered=self._answered,
            predicted_tau=self._predicted_tau(),
            stopped=self.at_end if self._is_over else None,
            expected_calls=None,
            question=str(self.question),
        )

    def _ranks(self, items: Ints) -> tuple[Floats, Floats, Floats]:
        """Return both ends of the interval of each item's rank, and its chance to be the best."""
        n = len(items)
        return np.ones(n), np.full(n, float(n)), np.full(n, 1.0 / max(n, 1))

    def _predicted_tau(self) -> float:
        return float(self._n < 2)

    def _shuffled(self) -> list[int]:
        """Return all items, in an order by chance."""
        return [int(item) for item in self._rng.permutation(self._n)]

    def _go_on(self) -> None:
        """Play the script as far as the answers go, up to what is to be asked next."""
        if self._out:
            return
        self._open = [vote for vote in self._open if self._is_wanted(vote)]
        while not (self._is_over or self._open):
            try:
                if self._play is None:
                    self._play = self._script()
                    self._topics = next(self._play)
                else:
                    self._topics = self._play.send(self._verdicts())
            except StopIteration:
                self._is_over, self._topics = True, []
            self._votes = self._wish()
            self._open = [vote for vote in self._votes if self._is_wanted(vote)]

    def _wish(self) -> list[_Vote]:
        """Return the votes that are wanted on all topics, in alternating orders of each."""
        is_list = self.question.kind == "list"  # its order is the method's: it is shown as it is
        swap = (self._rng.random(len(self._topics)) < 0.5) & (not is_list)
        return [
            _Vote(about, shown[::-1] if (number + turn) % 2 else shown)
            for number in range(self._votes_each)
            for about, (shown, turn) in enumerate(zip(self._topics, swap.tolist(), strict=True))
        ]

    def _is_wanted(self, vote: _Vote) -> bool:
        """Whether to ask for *vote*: not where those who have left leave nothing to compare."""
        if vote.values is not None or vote.tries >= TRIES:
            return False
        there = sum(bool(self._present[item]) for item in vote.shown)
        return there >= min(2, len(self._topics[vote.about]))

    def _verdicts(self) -> list[Verdict]:
        """Return the verdict on each topic that was asked about."""
        known: list[list[dict[int, float]]] = [[] for _ in self._topics]
        for vote in self._votes:
            if vote.values is not None:
                known[vote.about].append(vote.values)
        return [self._verdict(*both) for both in zip(self._topics, known, strict=True)]

    def _verdict(self, shown: Shown, known: list[dict[int, float]]) -> Verdict:
        """Return the mean of what the answers *known* gave each item *shown*."""
        if known:
            mean = [sum(values.get(item, 0.0) for values in known) / len(known) for item in shown]
        else:
            mean = [0.0 if len(shown) > 1 else np.nan for _ in shown]
        there = [bool(self._present[item]) for item in shown]
        return tuple(
            value if is_there else np.inf for value, is_there in zip(mean, there, strict=True)
        )


def _values(shown: Shown, grade: int | None, order: list[int] | None) -> dict[int, float]:
    """Return what one answer gives each item *shown*; those that an order lacks share its end."""
    if order is not None:
        left = len(shown) - len(order)
        given = {item: len(shown) - 1.0 - place for place, item in enumerate(order)}
        return dict.fromkeys(shown, (left - 1) / 2.0) | given
    if len(shown) == 1:
        return {shown[0]: float(grade or 0)}
    sign = float(np.sign(grade or 0))
    return {shown[0]: sign, shown[1]: -sign}
