"""Evaluations: find out which of several systems (models, prompts, skills) does best, and how sure
that is, from what judges say of their outputs.

When: outputs on the same items can be compared, or scored one by one. Not when: a check in code
says which is right; then that check is the evaluation. Judges see texts, never whose they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
import pyarrow as pa

from ..actors.bracket import Progress, Ranking, Stopped
from ..actors.questions import Question
from ..actors.tables import (
    CLOSED,
    INPUT,
    ITEMS,
    MATCHES,
    MATCHES_SENT,
    OUTCOMES,
    PROGRAM,
    STANDING,
    TRUSTED,
    UNTRUSTED,
    bare,
    batch,
    concat,
    replace_columns,
    stamp,
)
from ..supervisor.run import Run
from .boards import Board, Judged, Rows, board_of_verdicts, verdicts_of
from .ranking.league import League
from .ranking.likelihood import Floats
from .self_preference import Favour, favours_of
from .tournament import outcomes_of
from .value_board import board_of_values

SCORE: Final = Question("score", 1)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an evaluation came to: the *board* of systems, and all *outcomes* (OUTCOMES).

    *judged* are those as verdicts on pairs, where outputs were compared; *values* the scores of
    outputs, shape (items, systems), nan where missing, where each was scored by itself. *favours*
    says how judges treat their own model's outputs.
    """

    board: Board
    outcomes: pa.RecordBatch
    progress: Progress
    judged: Judged | None = None
    values: Floats | None = None
    favours: tuple[Favour, ...] = ()


@dataclass(frozen=True, slots=True)
class Contest:
    """Who competes: row r of the table of outputs is what system *system[r]* made of *item[r]*.

    *names* are the systems', *items* counts the items. *by* are the qualities, *weights* what each
    counts; *judges* is how many the panel has, *own* pairs a judge's number with the number of a
    system whose outputs its own model made.
    """

    system: tuple[int, ...]
    item: tuple[int, ...]
    names: tuple[str, ...]
    items: int
    by: tuple[str, ...]
    weights: tuple[float, ...] = (1.0,)
    judges: int = 1
    own: tuple[tuple[int, int], ...] = ()

    @property
    def rows(self) -> Rows:
        """The rows of the table of outputs."""
        system, item = (np.array(each, np.int64) for each in (self.system, self.item))
        return Rows(system, item, len(self.names), self.items)


async def evaluate(
    run: Run,
    outputs: pa.RecordBatch,
    contest: Contest,
    *,
    question: Question = Question("graded"),
    target: float = 0.95,
    seed: int = 0,
) -> Evaluated:
    """Have judges compare *outputs* (ITEMS) of one item at a time, and rank the systems.

    They are asked *question* in few wide rounds, until predicted Kendall tau of the systems'
    order reaches *target* by every quality, the budget is spent, or all is asked. Whatever
    happened, what is known so far is returned. Cost: about 12 pairs a system in the first round,
    and as many rounds as the differences are small.
    """
    ranking = _ranking(contest, question, target=target, seed=seed)
    told: list[pa.RecordBatch] = []
    systems = _as_items(contest.names)
    async with run.sharing(outputs), run.tournament(ranking) as bracket:
        for number in count(1):
            left = 0 if run.halted else run.calls_left
            matches = await bracket.next_matches() if left != 0 else None
            if matches is None or not matches.num_rows:
                break
            matches = matches.slice(0, left)  # whole rounds, so that a resumed run asks the same
            with run.phase(f"Round {number}"):
                replies = await run.map(run.judge, matches, by=contest.by, items=outputs)
                if dead := run.dead_items(outputs):
                    await bracket.exclude(tuple(sorted(dead)))
                told.append(outcomes_of(matches, replies))
                await bracket.record(told[-1])
                await run.publish(systems, *await bracket.standing())
        _, progress = await bracket.standing()
    outcomes = concat(told, OUTCOMES)
    judged = verdicts_of(outcomes, contest.rows)
    board = board_of_verdicts(
        judged, len(contest.names), contest.weights, judges=contest.judges, seed=seed
    )
    favours = favours_of(judged, len(contest.names), contest.own, judges=contest.judges)
    return Evaluated(board, outcomes, progress, judged=judged, favours=favours)


async def score_outputs(
    run: Run,
    outputs: pa.RecordBatch,
    contest: Contest,
    *,
    question: Question = SCORE,
    seed: int = 0,
) -> Evaluated:
    """Have judges score each of *outputs* (ITEMS) by itself, from 1 to 10; nothing is compared.

    A system's score is the mean over items, by the qualities' weights and over the panel; where
    outputs lack, what it would be on all items (`adjusted`). Cost: one call an output, a quality
    and a judge; item by item, so that a budget that ends leaves out whole items of all alike.
    """
    matches = _single_matches(contest, question)
    async with run.sharing(outputs):
        with run.phase("Scores"):
            replies = await run.map(run.judge, matches, by=contest.by, items=outputs)
    outcomes = outcomes_of(matches, replies)
    each = _values(outcomes, contest)
    values = np.einsum("isq,q->is", each, np.array(contest.weights))
    board = board_of_values(values, by_quality=each, is_share=False, seed=seed)
    answered = sum(status == "ok" for status in outcomes.column("status").to_pylist())
    is_whole = outcomes.num_rows == matches.num_rows
    stopped: Stopped | None = "data" if is_whole else None
    progress = Progress(1, outcomes.num_rows, answered, 0.0, stopped, None, question=str(question))
    return Evaluated(board, outcomes, progress, values=values)


def nothing_found(contest: Contest, *, is_compared: bool, seed: int = 0) -> Evaluated:
    """Return what an evaluation comes to whose budget was spent before it began to judge."""
    systems, outcomes = len(contest.names), concat([], OUTCOMES)
    progress = Progress(0, 0, 0, 0.0, "budget", None)
    if not is_compared:
        values = np.full((contest.items, systems), np.nan)
        board = board_of_values(values, is_share=False, seed=seed)
        return Evaluated(board, outcomes, progress, values=values)
    judged = verdicts_of(outcomes, contest.rows)
    board = board_of_verdicts(judged, systems, contest.weights, judges=contest.judges, seed=seed)
    return Evaluated(board, outcomes, progress, judged=judged)


class Leagues:
    """A `Ranking` by several qualities: a league for each, which stops by itself.

    A round has those of all that go on, mixed, so that one which is cut short is cut for all. Its
    standing is for the time being: the weighted mean of scores, each in units of its own spread,
    and of the ends of rank intervals.
    """

    def __init__(self, leagues: Sequence[Ranking], weights: Sequence[float]) -> None:
        self._leagues, self._weights = list(leagues), list(weights)

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (MATCHES) of all, at most *limit* matches."""
        going = [n for n, league in enumerate(self._leagues) if league.progress().stopped is None]
        rounds = [_of_criterion(self._leagues[n].next_matches(), n) for n in going]
        place = [np.arange(each.num_rows) / max(each.num_rows, 1) for each in rounds]
        order = np.argsort(np.concatenate([np.zeros(0), *place]), kind="stable")
        return concat(rounds, MATCHES).take(pa.array(order)).slice(0, limit)

    def prepare(self) -> None:
        """Get ready for outcomes."""
        self._leagues[0].prepare()

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes (OUTCOMES): each goes to its own league."""
        criterion = outcomes.column("criterion").to_numpy()
        for number, league in enumerate(self._leagues):
            rows = outcomes.filter(pa.array(criterion == number))
            if rows.num_rows:
                league.record(rows)

    def exclude(self, item: int) -> None:
        """Take the output *item* out."""
        for league in self._leagues:
            league.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far (STANDING)."""
        found = [_by_item(league.standing()) for league in self._leagues]
        items = sorted(found[0])
        score, low, high = (np.zeros(len(items)) for _ in range(3))
        for weight, standing in zip(self._weights, found, strict=True):
            own = np.array([standing[item][:3] for item in items]).T
            score += weight * (own[0] - own[0].mean()) / max(float(own[0].std()), 1e-9)
            low, high = low + weight * own[1], high + weight * own[2]
        met = np.array([sum(s[item][3] for s in found) for item in items])
        first = np.mean([[s[item][4] for item in items] for s in found], axis=0)
        order = np.argsort(-score, kind="stable")
        columns = (np.array(items), score, low, high, met, first)
        known = zip(columns, list(STANDING)[: len(columns)], strict=True)
        arrays = [pa.array(column[order], field.type) for column, field in known]
        more = [pa.nulls(len(items), field.type) for field in list(STANDING)[len(columns) :]]
        return pa.record_batch([*arrays, *more], schema=STANDING)

    def progress(self) -> Progress:
        """Return where the ranking stands: as far as the league that is furthest behind."""
        all_ = [league.progress() for league in self._leagues]
        going = [each for each in all_ if each.stopped is None]
        expected = [each.expected_calls for each in going]
        spent = sum(each.asked for each in all_ if each.stopped is not None)
        is_known = going and None not in expected
        return Progress(
            rounds=max(each.rounds for each in all_),
            asked=sum(each.asked for each in all_),
            answered=sum(each.answered for each in all_),
            predicted_tau=min(each.predicted_tau for each in all_),
            stopped=None if going else _last(all_),
            expected_calls=spent + sum(each or 0 for each in expected) if is_known else None,
            notes=tuple(dict.fromkeys(note for each in all_ for note in each.notes)),
            question=all_[0].question,
        )


def _ranking(contest: Contest, question: Question, *, target: float, seed: int) -> Ranking:
    rows = contest.rows
    leagues = [
        League(
            rows.system,
            rows.item,
            question,
            target=target,
            seed=seed + number,
            judges=contest.judges,
            names=contest.names,
        )
        for number in range(len(contest.by))
    ]
    return leagues[0] if len(leagues) == 1 else Leagues(leagues, contest.weights)


def _last(all_: Sequence[Progress]) -> Stopped | None:
    """Return what ended a ranking whose every league has stopped."""
    ends = [each.stopped for each in all_]
    return next((end for end in ends if end != "target"), "target")


def _by_item(standing: pa.RecordBatch) -> dict[int, tuple[float, float, float, int, float]]:
    names = ("item", "score", "rank_low", "rank_high", "comparisons", "p_best")
    columns = (standing.column(name).to_pylist() for name in names)
    return {item: (*rest,) for item, *rest in zip(*columns, strict=True)}


def _of_criterion(matches: pa.RecordBatch, number: int) -> pa.RecordBatch:
    labelled = stamp(matches, integrity=TRUSTED, provenance=PROGRAM)
    return bare(replace_columns(labelled, {"criterion": number}), MATCHES)


def _as_items(names: Sequence[str]) -> pa.RecordBatch:
    """Return the systems as a table of items, so that their ranking can be published."""
    columns = {"id": list(names), "text": list(names)}
    return batch(ITEMS, columns, rows=len(names), integrity=UNTRUSTED, provenance=INPUT)


def _single_matches(contest: Contest, question: Question) -> pa.RecordBatch:
    """Return a match of one output for each quality and judge, item by item."""
    order = sorted(range(len(contest.item)), key=lambda row: (contest.item[row], row))
    asked = [
        (row, judge, criterion)
        for row in order
        for criterion in range(len(contest.by))
        for judge in range(contest.judges)
    ]
    shown, judge, criterion = zip(*asked, strict=True) if asked else ((), (), ())
    columns = {
        "shown": [[row] for row in shown],
        "task": str(question),
        "judge": list(judge),
        "criterion": list(criterion),
    }
    whole = batch(MATCHES_SENT, columns, rows=len(asked), integrity=CLOSED, provenance=PROGRAM)
    return bare(whole, MATCHES)


def _values(outcomes: pa.RecordBatch, contest: Contest) -> Floats:
    """Return each output's score by each quality, shape (items, systems, qualities).

    Of a panel, those who answered are averaged.
    """
    systems, qualities = len(contest.names), len(contest.by)
    total, seen = (np.zeros((contest.items, systems, qualities)) for _ in range(2))
    names = ("shown", "grade", "criterion", "status")
    columns = (outcomes.column(name).to_pylist() for name in names)
    for (row,), grade, criterion, status in zip(*columns, strict=True):
        if status == "ok":
            place = (contest.item[row], contest.system[row], criterion)
            total[place] += grade
            seen[place] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(total / seen)
