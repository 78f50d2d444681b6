"""The bulk plane of judges: one table of matches out, one table of replies back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ..actors.grouping import alike
from ..actors.judge import TEMPLATES, VARIANT, TokenCount
from ..actors.models.prices import PRICED_AS, price_of
from ..actors.models.simulated import most_answer_tokens
from ..actors.questions import Question
from ..actors.simulation.keyed import Ints
from ..actors.tables import (
    CLOSED,
    INPUT,
    MATCHES,
    MATCHES_SENT,
    PROGRAM,
    REQUESTS,
    TRUSTED,
    UNTRUSTED,
    bare,
    batch,
)
from .purse import Purse


@dataclass(slots=True)
class Matter:
    """A table of items under judgement: its number, and what is known of it so far."""

    number: int
    items: pa.RecordBatch
    dead: set[int] = field(default_factory=set)
    _tokens: TokenCount | None = None

    @property
    def tokens(self) -> TokenCount:
        """What each item costs in a prompt, counted once."""
        if self._tokens is None:
            known = (self.items.column(name).to_pylist() for name in ("text", "context"))
            self._tokens = TokenCount.of(*known)
        return self._tokens


def requests_of(
    matter: Matter,
    matches: pa.RecordBatch,
    *,
    first: int,
    path: str,
    judges: Sequence[str],
    by: Sequence[str],
) -> pa.RecordBatch:
    """Return a request for each of *matches* (MATCHES); call ids count from *first*.

    *judges* are the names of the panel's models, *by* the qualities that criteria stand for.
    """
    shown = matches.column("shown")
    groups = list(_groups(matches))
    tokens, template = np.zeros(len(shown), np.int64), np.zeros(len(shown), np.int16)
    repeat = np.zeros(len(shown), np.int32)
    for rows, question, items, criterion in groups:
        tokens[rows] = matter.tokens.prompts(question, by[criterion], items)
        template[rows] = TEMPLATES[question.kind]
        if question.kind != "list":  # lists are never voted on
            repeat[rows] = _repeats(items, matches.column("judge").to_numpy()[rows])
    columns = {
        "call_id": np.arange(first, first + len(shown)),
        "path": path,
        "role": "judge",
        "model": named(matches.column("judge"), judges),
        "template": template,
        "items": shown,
        "context_tokens": tokens,
        "attempt": 0,
        "task": _tasks(matches, groups),
        "by": named(matches.column("criterion"), by),
        "variant": VARIANT,
        "repeat": repeat,
    }
    return batch(REQUESTS, columns, rows=len(shown), integrity=UNTRUSTED, provenance=INPUT)


def integrity_of_answers(requests: pa.RecordBatch) -> int:
    """Return how far answers to *requests* are trusted: a judge's reasons are free text."""
    tasks = requests.column("task").dictionary.to_pylist()
    return UNTRUSTED if any(Question.parse(task).why for task in tasks) else CLOSED


def items_of(shown: pa.Array) -> Callable[[int], list[int]]:
    """Return what tells the items that a row shows."""
    ends, flat = shown.offsets.to_numpy(), shown.flatten().to_numpy()
    base = ends[0] if len(ends) else 0
    return lambda row: flat[ends[row] - base : ends[row + 1] - base].tolist()


def affords(purse: Purse, requests: pa.RecordBatch, *, is_free: bool) -> int:
    """Return how many requests *purse* admits; *is_free* where a gateway counts the money."""
    nothing = np.zeros(requests.num_rows, np.int64)
    if is_free:
        return purse.affords(nothing, nothing)
    price = price_of(PRICED_AS)
    assert price is not None
    tokens_in = requests.column("context_tokens").to_numpy().astype(np.int64)
    task = requests.column("task")
    most = [most_answer_tokens(Question.parse(text)) for text in task.dictionary.to_pylist()]
    tokens_out = np.array(most, np.int64)[task.indices.to_numpy()]
    dear = price.above if tokens_in.max(initial=0) > price.threshold else None
    rates = dear or price.base
    return purse.affords(
        tokens_in + tokens_out, tokens_in * rates.input + tokens_out * rates.output
    )


def matches_of(shown: pa.Array, question: Question) -> pa.RecordBatch:
    """Return matches (MATCHES) of what each row of *shown* shows, all asked as *question*."""
    columns = {"shown": shown, "task": str(question), "judge": 0, "criterion": 0}
    whole = batch(MATCHES_SENT, columns, rows=len(shown), integrity=TRUSTED, provenance=PROGRAM)
    return bare(whole, MATCHES)


_Group = tuple[Ints, Question, Ints, int]


def _groups(matches: pa.RecordBatch) -> Iterator[_Group]:
    """Yield rows of *matches* that are asked alike: which, how, about which items, by what."""
    shown, task = matches.column("shown"), matches.column("task")
    flat, starts = shown.flatten().to_numpy(), shown.offsets.to_numpy()
    sizes, starts = np.diff(starts), starts[:-1] - starts[:1].sum()
    asked, criterion = task.indices.to_numpy(), matches.column("criterion").to_numpy()
    words = task.dictionary.to_pylist()
    for rows in alike(asked, sizes, criterion):
        code, size, by = (int(column[rows[0]]) for column in (asked, sizes, criterion))
        is_all = len(rows) == len(sizes)
        items = flat.reshape(-1, size) if is_all else flat[starts[rows][:, None] + np.arange(size)]
        yield rows, Question.parse(words[code]).of(size), np.asarray(items, np.int64), by


def _repeats(items: Ints, judge: Ints) -> Ints:
    """Return how often the same was asked before, of the same judge, in this table: votes."""
    most = int(items.max(initial=0)) + 1
    key = (judge.astype(np.int64) * most + items[:, 0]) * most + items[:, -1]
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    is_first = np.r_[True, sorted_key[1:] != sorted_key[:-1]]
    if is_first.all():
        return np.zeros(len(key), np.int64)
    start = np.maximum.accumulate(np.where(is_first, np.arange(len(key)), 0))
    found = np.empty(len(key), np.int64)
    found[order] = np.arange(len(key)) - start
    return found


def _tasks(matches: pa.RecordBatch, groups: Sequence[_Group]) -> pa.Array:
    """Return what each match is asked, in the words of its own size."""
    asked = np.zeros(matches.num_rows, np.int16)
    for number, (rows, *_) in enumerate(groups):
        asked[rows] = number
    return named(pa.array(asked), [str(question) for _, question, *_ in groups])


def named(places: pa.Array, names: Sequence[str]) -> pa.Array:
    """Return the names that stand at *places*, as a dictionary column."""
    return pa.DictionaryArray.from_arrays(places.cast(pa.int16()), pa.array(names, pa.string()))
