"""A judge that answers from a profile and a known truth: vectorised, in the host, for no money."""

import functools
from collections.abc import AsyncIterator
from typing import Final

import numpy as np
import pyarrow as pa

from ..answers import Preference, write_answer
from ..grouping import alike
from ..messages import ModelSpec
from ..prompts import estimate_tokens
from ..questions import HIGHEST_SCORE, Question
from ..simulation.judge import Bench, unknown_utility
from ..simulation.keyed import Ints, text_keys
from ..tables import ANSWERS, CLOSED, REPLIES, batch, concat
from .prices import PRICED_AS, price_of

WHY_TOKENS: Final = 40
"""What a sentence of reasons takes: an assumption. A simulated judge has none to give."""

_LOWEST: Final = 2
_GRADES: Final = range(-_LOWEST, HIGHEST_SCORE + 1)


class SimulatedJudge:
    """Answers comparisons as `simulation.judge` says, priced as claude-haiku-5-5.

    Needs no prompts: a request's `items` are rows of *items*, its `context_tokens` what the
    rendered prompt would count.
    """

    reads_prompts = False

    def __init__(self, spec: ModelSpec, items: pa.RecordBatch) -> None:
        import scipy.special  # noqa: F401 - while others still start, not with the first answer

        self._spec = spec
        self._profiles = {judge.name: judge.profile for judge in spec.judges}
        self._keys = text_keys(items.column("id").to_pylist())
        self._utility = items.column("utility").to_numpy(zero_copy_only=False)

    async def answer(self, requests: pa.RecordBatch) -> AsyncIterator[pa.RecordBatch]:
        """Yield one batch with every reply, in the order of the requests."""
        columns = [requests.column(name) for name in ("task", "by", "variant", "model")]
        groups = alike(*(column.indices.to_numpy() for column in columns))
        parts = []
        for rows in groups:
            some = requests if len(groups) == 1 else requests.take(pa.array(rows))
            parts.append(self._replies(some, *(c[int(rows[0])].as_py() for c in columns)))
        if len(groups) == 1:
            yield parts[0]
            return
        places = np.concatenate([np.zeros(0, np.int64), *groups])
        yield concat(parts, REPLIES).take(pa.array(np.argsort(places)))

    def _replies(
        self, requests: pa.RecordBatch, task: str, by: str, variant: str, model: str
    ) -> pa.RecordBatch:
        question = Question.parse(task)
        shown = requests.column("items").flatten().to_numpy().reshape(-1, question.size)
        repeat = requests.column("repeat").to_numpy()
        utility, is_unknown = self._utility, np.isnan(self._utility)
        if is_unknown.any():
            drawn = unknown_utility(self._keys, seed=self._spec.seed, by=by)
            utility = np.where(is_unknown, drawn, utility)
        profile = self._profiles.get(model, self._spec.profile)
        bench = Bench(profile, self._spec.seed, by, utility, self._keys)
        answers = bench.answer(question, shown, variant=variant, repeat=repeat)
        tokens_in = requests.column("context_tokens").to_numpy().astype(np.int64)
        tokens_out = _answer_tokens(question, answers)
        price = price_of(PRICED_AS)
        assert price is not None
        columns = {
            "call_id": requests.column("call_id"),
            "status": "ok",
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "cost_nanousd": price.costs(tokens_in, tokens_out),
            "served_model": profile.name,
            **_typed(question, answers),
            **dict.fromkeys(("tokens_thinking", "tokens_cache_write", "tokens_cache_read"), 0),
            "attempts": 1,
        }
        rows = requests.num_rows
        return batch(REPLIES, columns, rows=rows, integrity=CLOSED, provenance=ANSWERS)


def most_answer_tokens(question: Question) -> int:
    """Return the estimated tokens of the longest answer to *question*: what a call reserves."""
    return int(_answer_tokens_by_grade(question).max())


def _typed(question: Question, answers: Ints) -> dict[str, pa.Array]:
    if question.kind != "list":
        return {"grade": pa.array(answers.astype(np.int8))}
    ends = np.arange(0, answers.size + 1, answers.shape[1], dtype=np.int32)
    return {"order": pa.ListArray.from_arrays(ends, answers.astype(np.int32).ravel())}


def _answer_tokens(question: Question, answers: Ints) -> Ints:
    tokens = _answer_tokens_by_grade(question)
    if question.kind == "list":
        return np.full(len(answers), tokens[0], np.int64)
    return tokens[answers + _LOWEST]


@functools.lru_cache(maxsize=64)
def _answer_tokens_by_grade(question: Question) -> Ints:
    """Return the estimated tokens of each answer, by its grade from -2 on; of a list, of any."""
    if question.kind == "list":
        verdicts = [Preference(order=tuple(range(question.size)))]
    else:
        grades = {
            "graded": range(-2, 3),
            "pair": range(-1, 2),
            "score": range(1, HIGHEST_SCORE + 1),
        }
        said = grades[question.kind]
        verdicts = [Preference(grade=min(max(g, said[0]), said[-1])) for g in _GRADES]
    tokens = [estimate_tokens(write_answer(question, v)) for v in verdicts]
    return np.array(tokens, np.int64) + WHY_TOKENS * question.why
