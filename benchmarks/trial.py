"""One simulated ranking from start to stop: what it cost, and how close to the truth it came."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import rankdata

from ..actors.bracket import Stopped
from ..actors.questions import Question
from ..actors.simulation.judge import Bench, JudgeProfile
from ..actors.simulation.keyed import text_keys
from ..actors.tables import OUTCOMES
from ..patterns.ranking.engine import PosteriorRanking
from ..patterns.ranking.score import score_against

Answer = Callable[[Question, npt.NDArray[np.int64]], npt.NDArray[np.int64]]
"""Answers each row of a matrix of matches: grades, or the places shown, best first."""

SCALE = {0.75: 1.1786, 0.85: 2.3812, 0.90: 3.7849, 0.95: 7.8}
"""The spread of normal utilities, in logits, at which a random pair is judged right this often."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished ranking, measured."""

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


def bench(profile: JudgeProfile, utility: npt.NDArray[np.float64], seed: int) -> Bench:
    """Return the judge of *profile* over items of *utility*."""
    keys = text_keys([str(item) for item in range(len(utility))])
    return Bench(profile, seed, "worth", utility, keys)


def normal_utilities(n: int, accuracy: float, seed: int) -> npt.NDArray[np.float64]:
    """Return *n* normal utilities whose random pairs are judged right with *accuracy*."""
    return np.random.default_rng([seed, 5]).standard_normal(n) * SCALE[accuracy]


def play(
    ranking: PosteriorRanking, question: Question, answer: Answer, truth: npt.NDArray[np.float64]
) -> Trial:
    """Let *answer* judge all that *ranking* asks, and score the standing against *truth*."""
    cpu, calls = 0.0, 0
    while True:
        start = time.process_time()
        progress = ranking.progress()
        matches = ranking.next_matches()
        cpu += time.process_time() - start
        if not matches.num_rows:
            break
        calls += matches.num_rows
        outcomes = judged(matches, question, answer)
        start = time.process_time()
        ranking.record(outcomes)
        cpu += time.process_time() - start
    start = time.process_time()
    standing, progress = ranking.standing(), ranking.progress()
    cpu += time.process_time() - start
    item, score, low, high = (
        standing.column(name).to_numpy() for name in standing.schema.names[:4]
    )
    rank = rankdata(-truth)[item]
    return Trial(
        calls=calls,
        tokens=calls * tokens_per_call(question),
        rounds=progress.rounds,
        tau=score_against(truth[item], score).tau_b,
        predicted=progress.predicted_tau,
        coverage=float(np.mean((low - 0.5 <= rank) & (rank <= high + 0.5))),
        width=float(np.mean(high - low)),
        cpu_s=cpu,
        stopped=progress.stopped,
    )


def judged(matches: pa.RecordBatch, question: Question, answer: Answer) -> pa.RecordBatch:
    """Return the outcomes of *matches*, all answered."""
    shown = matches.column("shown")
    flat = shown.flatten().to_numpy().astype(np.int64).reshape(matches.num_rows, -1)
    said = answer(question, flat)
    grade = pa.nulls(len(flat), pa.int8())
    order = pa.nulls(len(flat), OUTCOMES.field("order").type)
    if question.kind == "list":
        best = np.take_along_axis(flat, said, 1)
        ends = np.arange(len(flat) + 1, dtype=np.int32) * flat.shape[1]
        order = pa.ListArray.from_arrays(ends, pa.array(best.ravel(), pa.int32()))
    else:
        grade = pa.array(said, pa.int8())
    status = pa.array(np.full(len(flat), "ok"))
    return pa.record_batch([shown, status, grade, order], schema=OUTCOMES)
