"""A bracket labels what it hands out, sees no text, and does one thing at a time."""

import asyncio
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from commedia.actors.actor import Actor, Asking, Envelope, Message, Ref
from commedia.actors.bracket import (
    AskStanding,
    Bracket,
    Exclude,
    Matches,
    NextMatches,
    Progress,
    Record,
    Recorded,
    Standing,
)
from commedia.actors.clock import ManualClock
from commedia.actors.questions import Question
from commedia.actors.tables import (
    CLOSED,
    INPUT,
    MATCHES,
    MATCHES_SENT,
    OUTCOMES,
    OUTCOMES_SENT,
    PROGRAM,
    STANDING,
    STANDING_SENT,
    TRUSTED,
    UNTRUSTED,
    batch,
    stamp,
)
from commedia.supervisor.judging import matches_of

ASKED = {"task": "pair", "judge": 0, "criterion": 0}


class Ledger:
    """A Ranking that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.threads: set[int] = set()

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        self.told.append(("limit", limit))
        shown = pa.array([[0, 1], [2, 0]], MATCHES.field("shown").type)
        return matches_of(shown, Question("pair"))

    def prepare(self) -> None:
        self.threads.add(threading.get_ident())

    def record(self, outcomes: pa.RecordBatch) -> None:
        assert outcomes.schema.equals(OUTCOMES)
        self.told.append(outcomes.to_pylist())

    def exclude(self, item: int) -> None:
        self.told.append(("exclude", item))

    def standing(self) -> pa.RecordBatch:
        self.told.append("standing")
        self.threads.add(threading.get_ident())
        return batch(
            STANDING,
            dict.fromkeys(STANDING.names[:-1], 1),
            rows=1,
            integrity=CLOSED,
            provenance=PROGRAM,
        )

    def progress(self) -> Progress:
        return Progress(len(self.told), 0, 0, 0.5, None, None)


class Nowhere:
    """A context whose owner asks nobody."""

    clock = ManualClock()

    def ask(self, ref: Ref, envelope: Envelope) -> Asking:
        raise AssertionError("a bracket asks nobody")

    def die(self) -> None:
        raise AssertionError("a bracket does not fall")


async def tell(bracket: Actor, body: Message, table: pa.RecordBatch | None = None) -> Envelope:
    [reply] = [reply async for reply in bracket.receive(Envelope(body, table))]
    return reply


def replies_of(ranking: Ledger, *told: tuple[Message, pa.RecordBatch | None]) -> list[Envelope]:
    async def run() -> list[Envelope]:
        bracket = pickle.loads(pickle.dumps(Bracket(ranking)))  # as it starts elsewhere
        bracket._ranking = ranking
        await bracket.on_start(Nowhere())
        replies = [await tell(bracket, *each) for each in told]
        await bracket.on_stop()
        return replies

    return asyncio.run(run())


def test_a_round_is_handed_out_as_the_programs_own() -> None:
    ranking = Ledger()
    [reply] = replies_of(ranking, (NextMatches(limit=7), None))

    assert isinstance(reply.body, Matches)
    assert reply.batch().schema.equals(MATCHES_SENT)
    assert reply.batch().to_pylist() == [
        {"shown": shown, **ASKED, "_integrity": TRUSTED, "_provenance": PROGRAM}
        for shown in ([0, 1], [2, 0])
    ]
    assert ranking.told == [("limit", 7)]


def test_outcomes_reach_the_ranking_without_their_labels() -> None:
    ranking = Ledger()
    columns = {"shown": [[0, 1]], **ASKED, "status": ["ok"], "grade": [-1]}
    sent = batch(OUTCOMES_SENT, columns, rows=1, integrity=CLOSED, provenance=PROGRAM)
    [reply] = replies_of(ranking, (Record(), sent))

    [[told]] = ranking.told
    assert told == {"shown": [0, 1], **ASKED, "status": "ok", "grade": -1, "order": None}
    assert reply.body == Recorded(progress=ranking.progress())


def test_a_bracket_never_holds_a_text() -> None:
    """Whatever else a table carries stays outside."""
    ranking = Ledger()
    columns = {"shown": [[0, 1]], **ASKED, "status": ["ok"]}
    sent = batch(OUTCOMES, columns, rows=1, integrity=CLOSED, provenance=PROGRAM)
    with_text = sent.append_column("text", pa.array(["a secret"]))
    replies_of(ranking, (Record(), stamp(with_text, integrity=UNTRUSTED, provenance=INPUT)))

    assert "secret" not in str(ranking.told)
    for schema in (MATCHES_SENT, OUTCOMES_SENT, STANDING_SENT):
        assert {"id", "text", "prompt", "answer"}.isdisjoint(schema.names)


def test_items_are_excluded_one_by_one() -> None:
    ranking = Ledger()
    [reply] = replies_of(ranking, (Exclude(items=(4, 2)), None))

    assert ranking.told == [("exclude", 4), ("exclude", 2)]
    assert reply.body == Recorded(progress=ranking.progress())


def test_the_standing_is_closed_for_it_comes_of_closed_answers() -> None:
    [reply] = replies_of(Ledger(), (AskStanding(), None))

    assert isinstance(reply.body, Standing)
    assert reply.body.progress.predicted_tau == 0.5
    assert reply.batch().schema.equals(STANDING_SENT)
    assert reply.batch().column("_integrity").to_pylist() == [CLOSED]


def test_a_strange_message_is_an_error_of_the_asker() -> None:
    with pytest.raises(TypeError, match="knows nothing of Message"):
        replies_of(Ledger(), (Message(), None))


class Slow(Ledger):
    """Takes as long over a round as *wait* says."""

    def __init__(self, begun: Callable[[], object], wait: Callable[[], object]) -> None:
        super().__init__()
        self._begun, self._wait = begun, wait

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        self.threads.add(threading.get_ident())
        self._begun()
        self._wait()
        return super().next_matches(limit)


def test_a_question_taken_back_is_finished_before_the_next() -> None:
    """Ctrl-C cancels a round in the making and asks for the standing: never both at once."""
    begun, go = threading.Event(), threading.Event()
    ranking = Slow(begun.set, go.wait)

    async def run() -> None:
        bracket = Bracket(ranking)
        await bracket.on_start(Nowhere())
        matches = asyncio.create_task(tell(bracket, NextMatches()))
        await asyncio.to_thread(begun.wait)
        matches.cancel()
        standing = asyncio.create_task(tell(bracket, AskStanding()))
        await asyncio.sleep(0)
        go.set()
        await standing
        await bracket.on_stop()

    asyncio.run(run())

    assert ranking.told == [("limit", None), "standing"]
    assert len(ranking.threads) == 1
