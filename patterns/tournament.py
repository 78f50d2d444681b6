"""Tournaments: put many items in order by asking judges about few of them at a time.

When: judges tell which of two is better more surely than how good one is, and an order or the best
of many is wanted. Not when: a number can be computed, or each item passes or fails on its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Generic, TypeVar, Unpack, cast, overload

import numpy as np
import pyarrow as pa

from ..actors.bracket import Progress
from ..actors.errors import RunFailedError, UsageError
from ..actors.judge import TokenCount
from ..actors.models.simulated import most_answer_tokens
from ..actors.questions import Question
from ..actors.tables import OUTCOMES, UNASKED
from ..supervisor.agents import AgentOptions
from ..supervisor.results import Results
from ..supervisor.run import Run
from .fan_out_and_synthesize import fan_out
from .items import Topics, words_of
from .ranking.aim import Aim, ranking_of
from .ranking.policy import OFFERED

T = TypeVar("T")

ATTEMPT: Final = """\
{prompt}

Go about it in this way: {approach}
"""
_SAMPLED: Final = 500
"""Prices of questions are those on the mean of so many items."""

MATCHES_EACH: Final = 8
"""Matches for each attempt at most: that many meetings of one pair of judges teach nothing new."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking (schema STANDING, best first), and where it stands; *texts* are what was given."""

    standing: pa.RecordBatch
    progress: Progress
    texts: Sequence[str] = ()

    @property
    def items(self) -> list[str]:
        """The texts that were ranked, best first; none where a table was given."""
        return [self.texts[place] for place in self.order] if self.texts else []

    @property
    def order(self) -> list[int]:
        """The places of the items, best first."""
        return cast("list[int]", self.standing.column("item").to_pylist())

    def best(self, items: Sequence[T], top: int) -> list[T]:
        """Return the first *top* of *items*, one for each that was ranked, best first."""
        return [items[place] for place in self.order[:top]]

    @property
    def p_best(self) -> float:
        """The chance that the first is truly the first; 0 where nothing was ranked."""
        return float(self.standing.column("p_best")[0].as_py()) if self.order else 0.0


@dataclass(frozen=True)
class Winner(Generic[T]):
    """The best of several attempts, the *approach* that made it, and what else there was.

    *probability* is the chance that it is the best of them, as the judges who compared them see it:
    what they all get wrong is not in it. *order* holds the places of the attempts, best first.
    """

    value: T
    approach: str
    probability: float
    attempts: Results[T]
    order: tuple[int, ...]


async def rank(
    run: Run,
    items: pa.RecordBatch | Sequence[str],
    by: str | Sequence[str],
    *,
    question: Question = Question("list", 10),
    target: float = 0.90,
    seed: int = 0,
    calls: int | None = None,
    aim: Aim | None = None,
) -> Ranked:
    """Rank *items* (texts, or tables.ITEMS) by the quality *by*, most first.

    Judges are asked *question* in few wide rounds, until predicted Kendall tau reaches *target*,
    the budget or *calls* are spent, or more teaches nothing; an *aim* takes the place of these
    three, and may want less or more than an order by one quality. Whatever happened, the ranking so
    far is returned; items that killed two hosts are left out of it. Items that are all alike are
    not asked about: their scores are equal. Cost: about 2 lists of 10 an item, or 20 pairs.
    """
    table = items if isinstance(items, pa.RecordBatch) else run.items(items)
    qualities = [by] if isinstance(by, str) else list(by)
    aim = aim or Aim(str(question), target, seed)
    ranking = ranking_of(table.num_rows, aim, prices_of(table, qualities[0]), calls=calls)
    async with run.sharing(table), run.tournament(ranking) as bracket:
        for number in count(1):
            nothing = run.halted or _are_alike(table)
            matches = await bracket.next_matches(0 if nothing else run.calls_left)
            if matches.num_rows == 0:
                break
            with run.phase(f"Round {number}"):
                replies = await run.map(run.judge, matches, by=qualities, items=table)
                if dead := run.dead_items(table):
                    await bracket.exclude(tuple(sorted(dead)))
                await bracket.record(outcomes_of(matches, replies))
                await run.publish(table, *await bracket.standing())
        texts = () if isinstance(items, pa.RecordBatch) else tuple(items)
        return Ranked(*await bracket.standing(), texts)


@overload
async def pick_winner(
    run: Run,
    prompt: str,
    approaches: Sequence[str],
    by: str,
    *,
    question: Question = Question("graded"),
    topics: Topics | None = None,
    **options: Unpack[AgentOptions],
) -> Winner[str]: ...
@overload
async def pick_winner(
    run: Run,
    prompt: str,
    approaches: Sequence[str],
    by: str,
    *,
    output: type[T],
    question: Question = Question("graded"),
    topics: Topics | None = None,
    **options: Unpack[AgentOptions],
) -> Winner[T]: ...
async def pick_winner(
    run: Run,
    prompt: str,
    approaches: Sequence[str],
    by: str,
    *,
    output: Any = None,
    question: Question = Question("graded"),
    topics: Topics | None = None,
    **options: Unpack[AgentOptions],
) -> Winner[Any]:
    """Have workers do *prompt*, each by another of *approaches*, and judges pick the best *by*.

    Attempts that fail are in the winner's `attempts.failed`; raises what the first one raised where
    none succeeds. Cost: an agent an approach, and n(n - 1)/2 small calls of judges, at most 8n.
    Lists (`Question("list", 10)`) make up to 8n larger calls: simulated, they find the best of
    eight attempts in 90% of cases, graded pairs in 73%; the probability says which it is.
    """
    if not approaches:
        raise UsageError("there is nothing to pick from without approaches")
    prompts = [ATTEMPT.format(prompt=prompt, approach=approach) for approach in approaches]
    attempts = await fan_out(run, prompts, output=output, topics=topics, **options)
    if not attempts:
        first = attempts.failed[0]
        raise first.error or RunFailedError(first.why)
    texts = [words_of(attempt) for attempt in attempts]
    ranked = await rank(
        run, texts, by, question=question, target=1.0, calls=MATCHES_EACH * len(texts)
    )
    best = ranked.order[0]
    approach = approaches[attempts.places[best]]
    run.log(f"winner of {len(texts)}: {approach} (best with {ranked.p_best:.0%})")
    return Winner(attempts[best], approach, ranked.p_best, attempts, tuple(ranked.order))


def prices_of(items: pa.RecordBatch, by: str) -> dict[str, float]:
    """Return what a call of each question costs on the mean of *items*: tokens in, and five times
    those out, which is how the models of our price list are priced."""
    sample = items.slice(0, _SAMPLED)
    tokens = TokenCount.of(sample.column("text").to_pylist(), sample.column("context").to_pylist())
    prices = {}
    for question in OFFERED:
        shown = np.arange(max(sample.num_rows, 1))[:, None].repeat(question.size, 1)
        read = tokens.prompts(question, by, shown[: sample.num_rows])
        said = most_answer_tokens(question)
        prices[str(question)] = float(np.mean(read)) + 5.0 * said if len(read) else 1.0
    return prices


def _are_alike(items: pa.RecordBatch) -> bool:
    """Whether nothing can tell *items* apart: one text, or one utility, is theirs alone."""
    texts, utilities = (items.column(name).unique() for name in ("text", "utility"))
    return len(texts) < 2 or (len(utilities) < 2 and utilities.null_count == 0)


def outcomes_of(matches: pa.RecordBatch, replies: pa.RecordBatch) -> pa.RecordBatch:
    """Return *matches* with their *replies* (row for row) as OUTCOMES: orders of items.

    A match that was never asked, because the run had ended, is no outcome, and left out.
    """
    shown = matches.column("shown")
    columns = {
        **{name: matches.column(name) for name in matches.schema.names},
        "status": replies.column("status").cast(pa.string()),
        "grade": replies.column("grade"),
        "order": _orders(shown, replies.column("order")),
    }
    rows = pa.record_batch([columns[field.name] for field in OUTCOMES], schema=OUTCOMES)
    statuses = columns["status"].to_pylist()
    return rows.filter(pa.array([status not in UNASKED for status in statuses]))


def _orders(shown: pa.Array, order: pa.Array) -> pa.Array:
    """Turn orders of places into orders of items, in one gather."""
    starts = shown.offsets.to_numpy()[:-1]
    sizes = np.diff(order.offsets.to_numpy())
    places = order.flatten().to_numpy()
    picked = pa.array(places + np.repeat(starts - starts[:1].sum(), sizes))
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    mask = order.is_null() if order.null_count else None
    return pa.ListArray.from_arrays(offsets, shown.flatten().take(picked), mask=mask)
