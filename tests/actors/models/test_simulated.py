"""The simulated judge answers in the order of the requests, and each reply has its price."""

import asyncio
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from commedia.actors.answers import Preference, write_answer
from commedia.actors.messages import ModelSpec
from commedia.actors.models.prices import PRICED_AS, price_of
from commedia.actors.models.simulated import SimulatedJudge, most_answer_tokens
from commedia.actors.prompts import estimate_tokens
from commedia.actors.questions import Question
from commedia.actors.simulation.judge import Bench, JudgeProfile
from commedia.actors.simulation.keyed import text_keys
from commedia.actors.tables import (
    ANSWERS,
    CLOSED,
    INPUT,
    ITEMS,
    REPLIES,
    REQUESTS,
    UNTRUSTED,
    batch,
)

IDS = [f"#{i}" for i in range(30)]
UTILITY = np.random.default_rng(3).normal(size=30) * 2
SPEC = ModelSpec(name="sim:judge", seed=5, profile=JudgeProfile(tie=0.3))
TASKS = ["pair", "list:3", "graded", "pair", "list:4", "graded"]


def requests(rows: int = 60, *, tokens: int = 800, calls: int = 1) -> pa.RecordBatch:
    """Return *rows* requests of every kind, mixed; call ids go up by *calls*."""
    dice = np.random.default_rng(6)
    tasks = [TASKS[row % len(TASKS)] for row in range(rows)]
    columns = {
        "call_id": [1_000 + calls * row for row in range(rows)],
        "role": "judge",
        "model": "sim:judge",
        "items": [dice.permutation(30)[: Question.parse(task).size] for task in tasks],
        "context_tokens": tokens + np.arange(rows),
        "attempt": 0,
        "task": tasks,
        "by": ["worth" if row % 5 else "beauty" for row in range(rows)],
        "variant": "judge-1",
        "repeat": dice.integers(0, 3, rows),
    }
    return batch(REQUESTS, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)


def replies(asked: pa.RecordBatch) -> pa.RecordBatch:
    columns = {"id": IDS, "text": "a text", "utility": UTILITY}
    items = batch(ITEMS, columns, rows=30, integrity=UNTRUSTED, provenance=INPUT)

    async def run() -> list[pa.RecordBatch]:
        return [piece async for piece in SimulatedJudge(SPEC, items).answer(asked)]

    [piece] = asyncio.run(run())
    return piece


def verdict_of(row: dict[str, Any]) -> Preference:
    return Preference(row["grade"], None if row["order"] is None else tuple(row["order"]))


def test_every_reply_is_the_benchs_answer_to_its_request() -> None:
    """Whatever else is in the batch."""
    asked = requests()
    rows = list(zip(asked.to_pylist(), replies(asked).to_pylist(), strict=True))

    for request, reply in rows:
        bench = Bench(SPEC.profile, SPEC.seed, request["by"], UTILITY, text_keys(IDS))
        shown, question = np.array([request["items"]]), Question.parse(request["task"])
        answer = bench.answer(question, shown, variant="judge-1", repeat=request["repeat"])
        assert reply["call_id"] == request["call_id"]
        if question.kind == "list":
            assert (reply["grade"], reply["order"]) == (None, answer[0].tolist())
        else:
            assert (reply["grade"], reply["order"]) == (answer[0], None)


@pytest.mark.parametrize("calls", [1, -1])
def test_replies_come_in_the_order_of_the_requests(calls: int) -> None:
    """Also where call ids fall."""
    asked = requests(calls=calls)

    assert replies(asked).column("call_id").equals(asked.column("call_id"))


def test_a_part_of_a_batch_gets_the_same_answers() -> None:
    asked = requests()

    assert replies(asked.slice(17, 20)).to_pylist() == replies(asked).slice(17, 20).to_pylist()


def test_no_request_is_no_reply() -> None:
    assert replies(requests(0)).num_rows == 0


@pytest.mark.parametrize("tokens", [800, 99_970])
def test_every_reply_has_its_tokens_and_its_price(tokens: int) -> None:
    """The prompt as counted, the answer as it would be written, the price of a dear prompt too."""
    price = price_of(PRICED_AS)
    assert price is not None
    asked = requests(tokens=tokens)

    for request, reply in zip(asked.to_pylist(), replies(asked).to_pylist(), strict=True):
        question = Question.parse(request["task"])
        tokens_out = estimate_tokens(write_answer(question, verdict_of(reply)))
        assert reply["tokens_in"] == request["context_tokens"]
        assert reply["tokens_out"] == tokens_out <= most_answer_tokens(question)
        assert reply["cost_nanousd"] == price.cost(reply["tokens_in"], tokens_out)


def test_replies_are_closed_answers_of_the_profile() -> None:
    table = replies(requests())
    [row, *_] = table.to_pylist()

    assert table.schema.equals(REPLIES)
    assert (row["status"], row["attempts"], row["answer"]) == ("ok", 1, None)
    assert row["served_model"] == SPEC.profile.name
    assert set(table.column("_integrity").to_pylist()) == {CLOSED}
    assert set(table.column("_provenance").to_pylist()) == {ANSWERS}


def test_a_match_of_another_size_than_its_question_is_an_error() -> None:
    """Never an answer about items that were not shown together."""
    asked = requests(1)
    place = REQUESTS.get_field_index("items")
    three = pa.array([[1, 2, 3]], REQUESTS.field(place).type)

    with pytest.raises(ValueError, match="reshape"):
        replies(asked.set_column(place, REQUESTS.field(place), three))


@pytest.mark.parametrize(("task", "tokens"), [("pair", 6), ("graded", 8), ("list:10", 11)])
def test_an_answer_takes_at_most(task: str, tokens: int) -> None:
    assert most_answer_tokens(Question.parse(task)) == tokens
