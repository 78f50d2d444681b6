"""Recorded verdicts as an evaluation that is held again: who is asked is chosen anew, by a league.

The record answers as it does in any run, through its client. A league is driven as an evaluation
drives its own, so a `Session` comes to the same figures; that takes several times as long, for it
keeps each run in a folder of its own.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..actors.answers import parse_answer
from ..actors.models.recorded import PREFIX, RecordedClient, Source
from ..actors.models.wire import Request
from ..actors.questions import Question
from ..actors.tables import OUTCOMES
from ..eval_result import EvalResult
from ..patterns.ranking.audit import Swaps
from ..patterns.ranking.league import League
from ..patterns.ranking.likelihood import Bools, Floats, Ints
from ..patterns.ranking.robust import Verdicts, fit_robust
from ..session import Session

PAIR: Final = Question("pair")
NEVER: Final = 1.0 - 1e-9
"""The target of a league that ends with its budget, or when it knows no more to ask."""

BY: Final = "quality"
_GRADES: Final = {"x": 1, "tie": 0, "y": -1}


class Replay:
    """The verdicts of one recorded judge, of whom all can be asked again that was asked then.

    A pair that was recorded is an item of its own, for no other can be asked: the record is written
    down once more under such ids. Rows of the *system* and *item* of outputs are in the order in
    which an evaluation has them.
    """

    def __init__(self, name: str) -> None:
        rows = Source.parse(name).rows()
        columns = rows.select(["item_id", "cand_x", "cand_y"]).to_pydict().values()
        self._pairs = pairs = list(zip(*columns, strict=True))
        self._folder = TemporaryDirectory(prefix="commedia-")
        file = Path(self._folder.name) / "pairs.parquet"
        place = rows.column_names.index("item_id")
        ids = pa.array(["#".join(pair) for pair in pairs])
        pq.write_table(rows.set_column(place, "item_id", ids), file)
        self.model = f"{PREFIX}{file}"
        self._client = RecordedClient(self.model)
        self.items = sorted(set(pairs))
        self.names = sorted({system for _, *both in pairs for system in both})
        number = {system: place for place, system in enumerate(self.names)}
        there = sorted((n, number[s]) for n, (_, *both) in enumerate(self.items) for s in both)
        self.item, self.system = np.array(there).T
        self._x, self._y = (np.array([number[pair[side]] for pair in pairs]) for side in (1, 2))
        grades = [_GRADES.get(winner) for winner in rows["winner"].to_pylist()]
        self._read = np.array([grade is not None for grade in grades])
        self._grade = np.array([grade or 0 for grade in grades])
        self._lead = np.array(
            [-1 if first == "y" else 1 for first in rows["shown_first"].to_pylist()]
        )

    @property
    def size(self) -> int:
        """The number of verdicts that were asked for, those that nobody could read among them."""
        return len(self._grade)

    def verdicts(self, kept: Ints) -> tuple[Ints, Ints, Ints]:
        """Return both systems and the grade of those verdicts among *kept* that could be read."""
        kept = kept[self._read[kept]]
        return self._x[kept], self._y[kept], self._grade[kept]

    def orders(self) -> tuple[Ints, Ints, Ints]:
        """Return of every verdict that could be read on which item it is, whether the first system
        was shown first (1) or second (-1), and the grade from the side of the first system."""
        numbers = {pair: place for place, pair in enumerate(self.items)}
        place = np.array([numbers[pair] for pair in self._pairs])
        return place[self._read], self._lead[self._read], self._grade[self._read]

    def league(
        self, *, calls: int, seed: int, among: Bools | None = None, swaps: Swaps | None = None
    ) -> League:
        """Hold a league of so many *calls*, and return it: on all items, or on those *among* them.

        *swaps* counts the pairs that it asks in both orders.
        """
        rows = np.arange(len(self.item)) if among is None else np.flatnonzero(among[self.item])
        league = League(self.system[rows], self.item[rows], PAIR, target=NEVER, seed=seed)
        while calls and (matches := league.next_matches().slice(0, calls)).num_rows:
            outcomes = self._answered(matches, rows)
            league.record(outcomes)
            calls -= matches.num_rows
            if swaps is not None:
                _count(swaps, outcomes)
        return league

    def evaluate(self, *, calls: int, seed: int) -> tuple[EvalResult, Floats]:
        """Have a Session hold that league; return its result, and the systems' scores."""
        columns: dict[str, list[str | None]] = {
            "id": ["#".join(pair) for pair in self.items],
            "prompt": ["a task"] * len(self.items),
        }
        for name in self.names:
            columns[name] = ["an output" if name in pair[1:] else None for pair in self.items]
        with Session(model=self.model, runtime="inline", budget=f"{calls}agents") as session:
            result = session.eval(
                pa.table(columns),
                prompt="prompt",
                id="id",
                systems={name: name for name in self.names},
                by=BY,
                ask="pair",
                target=NEVER,
                seed=seed,
            )
        board = result.leaderboard.select(["system", "score"]).to_pydict()
        scores = dict(zip(board["system"], board["score"], strict=True))
        return result, np.array([scores[name] for name in self.names])

    def unlike_a_session(self, *, calls: int, seed: int) -> float:
        """Return how far the scores that a Session comes to are from the league's, in logits."""
        _, scores = self.evaluate(calls=calls, seed=seed)
        mean = self.league(calls=calls, seed=seed).strengths().mean
        return float(np.abs((scores - scores.mean()) - (mean - mean.mean())).max())

    def _answered(self, matches: pa.RecordBatch, rows: Ints) -> pa.RecordBatch:
        """Return the outcomes of *matches*, as the recorded judge's client answers them."""
        shown = [
            tuple(
                f"{'#'.join(self.items[self.item[r]])}/{self.names[self.system[r]]}" for r in both
            )
            for both in rows[np.array(matches.column("shown").to_pylist())].tolist()
        ]
        grades = asyncio.run(self._grades(shown))
        columns = {
            **{name: matches.column(name) for name in matches.schema.names},
            "status": pa.array(["failed" if grade is None else "ok" for grade in grades]),
            "grade": pa.array(grades, pa.int8()),
            "order": pa.nulls(len(grades), OUTCOMES.field("order").type),
        }
        return pa.record_batch([columns[field.name] for field in OUTCOMES], schema=OUTCOMES)

    async def _grades(self, shown: Sequence[tuple[str, ...]]) -> list[int | None]:
        grades: list[int | None] = []
        for ids in shown:
            row = {"spec": json.dumps({"items": ids, "by": BY, "repeat": 0})}
            request = Request(len(grades), PAIR, (("user", ""),), row)
            attempt = await self._client.attempt(request, max_tokens=64, timeout_s=1.0)
            is_read = attempt.outcome == "ok"
            grades.append(parse_answer(PAIR, attempt.text).grade if is_read else None)
        return grades


@dataclass(frozen=True, slots=True)
class Habits:
    """What all verdicts of a judge come to: of *pairs* that were read in both orders, the share
    that *flips*; and the position *bias* in logits."""

    pairs: int
    flips: float
    bias: float

    @classmethod
    def counted(cls, replay: Replay) -> "Habits":
        """Count the habits of a judge who was asked about two systems in both orders."""
        place, lead, grade = replay.orders()
        said = {(pair, first): g for pair, first, g in zip(place, lead, grade, strict=True)}
        both = [pair for pair in set(place.tolist()) if {(pair, 1), (pair, -1)} <= said.keys()]
        flips = float(np.mean([said[pair, 1] != said[pair, -1] for pair in both]))
        one, nobody = np.zeros(len(place), np.int64), np.zeros(len(place), np.int64)
        whole = Verdicts(one, 1 - one, grade, lead.astype(np.float64), place, nobody)
        return cls(len(both), flips, fit_robust(2, whole).judges[0].bias)


def _count(swaps: Swaps, outcomes: pa.RecordBatch) -> None:
    """Count the pairs that came in the other order now; all others wait until they do."""
    new = swaps.take(outcomes)
    columns = (new.column(name).to_pylist() for name in ("shown", "status", "grade"))
    for (one, other), status, grade in zip(*columns, strict=True):
        if status == "ok":
            swaps.waiting[other, one] = -grade
