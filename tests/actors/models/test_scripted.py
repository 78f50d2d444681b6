"""A scripted model answers by its function, whatever the function does."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from commedia.actors.answers import Preference
from commedia.actors.models.scripted import ScriptedModel
from commedia.actors.tables import INPUT, REPLIES, REQUESTS, UNTRUSTED, batch


def answers(script: Callable[[Mapping[str, Any]], Any], task: str = "pair") -> dict[str, Any]:
    async def run() -> list[dict[str, Any]]:
        return [row async for piece in model.answer(table) for row in piece.to_pylist()]

    model = ScriptedModel(script)
    columns = {
        "call_id": [4],
        "role": "judge",
        "model": "any",
        "prompt": ["Which?"],
        "attempt": 0,
        "task": task,
    }
    table = batch(REQUESTS, columns, rows=1, integrity=UNTRUSTED, provenance=INPUT)
    [reply] = asyncio.run(run())
    assert set(reply) == set(REPLIES.names)
    assert [row["prompt"] for row in model.requests] == ["Which?"]
    return reply


@pytest.mark.parametrize(
    "answer", [Preference(grade=-1), {"verdict": "second"}, '{"verdict": "second"}']
)
def test_a_verdict_a_dict_and_json_are_answers(answer: object) -> None:
    reply = answers(lambda row: answer)

    assert (reply["status"], reply["grade"], reply["call_id"]) == ("ok", -1, 4)
    assert (reply["tokens_in"], reply["tokens_out"]) == (2, 6)


def test_a_coroutine_is_waited_for() -> None:
    async def script(row: Mapping[str, Any]) -> Preference:
        return Preference(order=(1, 0))

    assert answers(script, "list:2")["order"] == [1, 0]


@pytest.mark.parametrize("answer", [Preference(grade=2), Preference(order=(0, 1))])
def test_a_preference_that_answers_another_question_is_a_failed_call(answer: object) -> None:
    reply = answers(lambda row: answer)

    assert (reply["status"], reply["grade"]) == ("failed", None)


@pytest.mark.parametrize("answer", [None, "first", {"verdict": 1}, object()])
def test_anything_else_is_an_invalid_answer(answer: object) -> None:
    reply = answers(lambda row: answer)

    assert (reply["status"], reply["grade"]) == ("invalid", None)


def test_an_exception_is_a_failed_call() -> None:
    def script(row: Mapping[str, Any]) -> Preference:
        raise ValueError("no")

    assert answers(script)["status"] == "failed"
