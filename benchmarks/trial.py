"""One simulated ranking from start to stop: what it cost, and how close to the truth it came."""

import time
from collections.abc import Callable, Iterator, Sequence
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
    recall: float = float("nan")
    notes: tuple[str, ...] = ()


def tokens_per_call(question: Question) -> int:
    """Return input + 5 x output tokens.

    200 of instructions and 300 an item; 10 out for a pair, 10 + 4k for a list, 4 for a score.
    """
    said = {"list": 10 + 4 * question.size, "score": 4}.get(question.kind, 10)
    return 200 + 300 * question.size + 5 * said


def play(
    ranking: Ranking,
    answer: Answer | Sequence[Answer],
    truth: Floats,
    *,
    most_tokens: float = np.inf,
) -> Trial:
    """Let *answer* (one for each judge) judge all that *ranking* asks, and score the standing.

    The CPU time counts all that a ranking does, progress after each round included; not the judge.
    Once *most_tokens* are spent nothing more is asked.
    """
    answers = answer if isinstance(answer, Sequence) else [answer]
    watch = time.process_time
    calls, tokens, rounds, cpu_s = 0, 0, 0, -watch()
    while tokens < most_tokens and (matches := ranking.next_matches()).num_rows:
        matches = _affordable(matches, most_tokens - tokens)
        cpu_s += watch()
        calls, rounds = calls + matches.num_rows, rounds + 1
        tokens += sum(tokens_per_call(q) * len(rows) for q, _, rows, _ in _groups(matches))
        outcomes = judged(matches, answers)
        cpu_s -= watch()
        ranking.record(outcomes)
        ranking.progress()
    standing, progress = ranking.standing(), ranking.progress()
    cpu_s += watch()
    item, score, low, high = (column.to_numpy() for column in standing.columns[:4])
    rank = rankdata(-truth)[item]
    scored = score_against(truth[item], score)
    return Trial(
        calls=calls,
        tokens=tokens,
        rounds=rounds,
        tau=scored.tau_b,
        predicted=progress.predicted_tau,
        coverage=float(np.mean((low - 0.5 <= rank) & (rank <= high + 0.5))),
        width=float(np.mean(high - low)),
        cpu_s=cpu_s,
        stopped=progress.stopped,
        recall=scored.recall_at_10,
        notes=progress.notes,
    )


def judged(matches: pa.RecordBatch, answer: Answer | Sequence[Answer]) -> pa.RecordBatch:
    """Return the outcomes of *matches*, all answered: by *answer*, or by one for each judge."""
    answers = answer if isinstance(answer, Sequence) else [answer]
    rows = matches.num_rows
    sizes = matches.column("shown").value_lengths().to_numpy()
    starts = np.cumsum(sizes) - sizes
    grade, order = np.zeros(rows, np.int64), np.full(int(sizes.sum()), -1)
    is_list = np.zeros(rows, np.bool_)
    for question, judge, where, shown in _groups(matches):
        said = answers[judge](question, shown)
        if question.kind == "list":
            places = starts[where][:, None] + np.arange(shown.shape[1])
            order[places] = np.take_along_axis(shown, said, 1)
            is_list[where] = True
        else:
            grade[where] = said
    columns = {
        **{name: matches.column(name) for name in matches.schema.names},
        "status": pa.array(["ok"] * rows, pa.string()),
        "grade": pa.array(grade, pa.int8(), mask=is_list),
        "order": _lists(order, sizes, is_list),
    }
    return pa.record_batch([columns[field.name] for field in OUTCOMES], schema=OUTCOMES)


def _lists(flat: Ints, sizes: Ints, is_list: npt.NDArray[np.bool_]) -> pa.Array:
    kept = np.where(is_list, sizes, 0)
    ends = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)
    inside = pa.array(flat[np.repeat(is_list, sizes)], pa.int32())
    return pa.ListArray.from_arrays(pa.array(ends), inside, mask=pa.array(~is_list))


def _groups(matches: pa.RecordBatch) -> Iterator[tuple[Question, int, Ints, Ints]]:
    """Yield question, judge, rows and what they show, for all *matches* that are asked alike."""
    shown, task = matches.column("shown"), matches.column("task")
    words, codes = task.dictionary.to_pylist(), task.indices.to_numpy()
    judge = matches.column("judge").to_numpy()
    flat, sizes = shown.flatten().to_numpy(), shown.value_lengths().to_numpy()
    starts = np.cumsum(sizes) - sizes
    for code, number in np.unique(np.stack([codes, judge], 1), axis=0).tolist():
        rows = np.flatnonzero((codes == code) & (judge == number))
        question = Question.parse(words[code])
        where = starts[rows][:, None] + np.arange(question.size)
        yield question, number, rows, np.asarray(flat[where], np.int64)


def _affordable(matches: pa.RecordBatch, tokens: float) -> pa.RecordBatch:
    """Return the first *matches* that cost no more than *tokens*, and at least one."""
    if np.isinf(tokens):
        return matches
    price = np.zeros(matches.num_rows)
    for question, _, rows, _ in _groups(matches):
        price[rows] = tokens_per_call(question)
    return matches.slice(0, max(1, int(np.searchsorted(np.cumsum(price), tokens, side="right"))))
