"""One simulated ranking from start to stop: what it cost, and how close to the truth it came."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import rankdata

from ..actors.bracket import Ranking, Stopped
from ..actors.questions import Question
from ..actors.tables import OUTCOMES
from ..patterns.ranking.score import score_against

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Answer = Callable[[Question, Ints], Ints]
"""Answers each row of a matrix of matches: grades, or the places shown, best first."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished ranking, measured; *coverage* is the share of 90% rank intervals that hold."""

    calls: int
    tokens: int
    rounds: int
    tau: float
    predicted: float
    coverage: float
    width: float
    cpu_s: float
    stopped: Stopped | None


def tokens_per_call(question: Question) -> int:
    """Return input + 5 x output tokens: 200 of instructions, 300 an item, 10 out (a list + 4k)."""
    said = 10 + (4 * question.size if question.kind == "list" else 0)
    return 200 + 300 * question.size + 5 * said


def play(ranking: Ranking, question: Question, answer: Answer, truth: Floats) -> Trial:
    """Let *answer* judge all that *ranking* asks, and score the standing against *truth*.

    The CPU time counts all that a ranking does, progress after each round included; not the judge.
    """
    watch = time.process_time
    calls, cpu_s = 0, -watch()
    while (matches := ranking.next_matches()).num_rows:
        cpu_s += watch()
        calls += matches.num_rows
        outcomes = judged(matches, question, answer)
        cpu_s -= watch()
        ranking.record(outcomes)
        ranking.progress()
    standing, progress = ranking.standing(), ranking.progress()
    cpu_s += watch()
    item, score, low, high = (column.to_numpy() for column in standing.columns[:4])
    rank = rankdata(-truth)[item]
    return Trial(
        calls=calls,
        tokens=calls * tokens_per_call(question),
        rounds=progress.rounds,
        tau=score_against(truth[item], score).tau_b,
        predicted=progress.predicted_tau,
        coverage=float(np.mean((low - 0.5 <= rank) & (rank <= high + 0.5))),
        width=float(np.mean(high - low)),
        cpu_s=cpu_s,
        stopped=progress.stopped,
    )


def judged(matches: pa.RecordBatch, question: Question, answer: Answer) -> pa.RecordBatch:
    """Return the outcomes of *matches*, all answered."""
    column = matches.column("shown")
    rows = matches.num_rows
    shown = np.asarray(column.flatten().to_numpy(), np.int64).reshape(rows, -1)
    said = answer(question, shown)
    grade = pa.nulls(rows, pa.int8())
    order = pa.nulls(rows, OUTCOMES.field("order").type)
    if question.kind == "list":
        best = np.take_along_axis(shown, said, 1)
        ends = np.arange(rows + 1, dtype=np.int32) * shown.shape[1]
        order = pa.ListArray.from_arrays(ends, pa.array(best.ravel(), pa.int32()))
    else:
        grade = pa.array(said, pa.int8())
    status = pa.array(["ok"] * rows, pa.string())
    return pa.record_batch([column, status, grade, order], schema=OUTCOMES)
