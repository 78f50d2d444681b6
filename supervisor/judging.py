"""The bulk plane of judges: one table of matches out, one table of replies back."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ..actors.judge import TEMPLATES, VARIANT, TokenCount
from ..actors.models.prices import PRICED_AS, price_of
from ..actors.models.simulated import most_answer_tokens
from ..actors.questions import Question
from ..actors.simulation.keyed import Ints
from ..actors.tables import INPUT, REQUESTS, UNTRUSTED, batch
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
            self._tokens = TokenCount.of(self.items.column("text").to_pylist())
        return self._tokens


def requests_of(
    matter: Matter, shown: pa.Array, *, first: int, path: str, model: str, by: str, ask: Question
) -> pa.RecordBatch:
    """Return a request for each row of *shown*; call ids count from *first*."""
    rows = len(shown)
    sizes = np.diff(shown.offsets.to_numpy())
    columns = {
        "call_id": np.arange(first, first + rows),
        "path": path,
        "role": "judge",
        "model": model,
        "template": TEMPLATES[ask.kind],
        "items": shown,
        "context_tokens": _prompt_tokens(matter, shown, sizes, by, ask),
        "attempt": 0,
        "task": [f"list:{k}" for k in sizes] if ask.kind == "list" else str(ask),
        "by": by,
        "variant": VARIANT,
        "repeat": 0,
    }
    return batch(REQUESTS, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)


def items_of(shown: pa.Array) -> Callable[[int], list[int]]:
    """Return what tells the items that a row shows."""
    ends, flat = shown.offsets.to_numpy(), shown.flatten().to_numpy()
    base = ends[0] if len(ends) else 0
    return lambda row: flat[ends[row] - base : ends[row + 1] - base].tolist()


def affords(purse: Purse, requests: pa.RecordBatch, question: Question, *, is_free: bool) -> int:
    """Return how many requests *purse* admits; *is_free* where a gateway counts the money."""
    nothing = np.zeros(requests.num_rows, np.int64)
    if is_free:
        return purse.affords(nothing, nothing)
    price = price_of(PRICED_AS)
    assert price is not None
    tokens_in = requests.column("context_tokens").to_numpy().astype(np.int64)
    tokens_out = most_answer_tokens(question)
    dear = price.above if tokens_in.max(initial=0) > price.threshold else None
    rates = dear or price.base
    return purse.affords(
        tokens_in + tokens_out, tokens_in * rates.input + tokens_out * rates.output
    )


def _prompt_tokens(
    matter: Matter, shown: pa.Array, sizes: Ints, by: str, question: Question
) -> Ints:
    tokens = np.zeros(len(shown), np.int64)
    flat, starts = shown.flatten().to_numpy(), shown.offsets.to_numpy()[:-1]
    starts = starts - (starts[0] if len(starts) else 0)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        matrix = flat[starts[rows][:, None] + np.arange(size)]
        asked = Question(question.kind, int(size))
        tokens[rows] = matter.tokens.prompts(asked, by, matrix)
    return tokens
