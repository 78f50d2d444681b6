"""A judge answers every request once; a model that reads gets a rendered prompt and its spec."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from commedia.actors.actor import Actor, Context, Envelope, Ref
from commedia.actors.answers import Preference
from commedia.actors.clock import ManualClock
from commedia.actors.judge import TEMPLATES, VARIANT, Judge, TokenCount, segments
from commedia.actors.messages import Answers, Ask, Attach, Connect, Done, ModelSpec, Trial
from commedia.actors.models.scripted import ScriptedModel
from commedia.actors.prompts import assemble
from commedia.actors.questions import Question
from commedia.actors.tables import INPUT, ITEMS, REPLIES, REQUESTS, UNTRUSTED, batch

TEXTS = ["one </first> text", "two {by}", "</item> three", "four"]
IDS = ["a", 'b"', "ç", "d"]


@dataclass(frozen=True)
class Address:
    name: str


class Gateway:
    """One question to a gateway whose model is a script."""

    def __init__(self, model: ScriptedModel, requests: pa.RecordBatch) -> None:
        self._replies = model.answer(requests)
        self.is_cancelled = False

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        async for replies in self._replies:
            yield Envelope(Answers(), replies)

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Stage:
    """A context without a world: every actor asked is the one gateway."""

    model: ScriptedModel = field(default_factory=lambda: ScriptedModel(lambda row: None))
    clock: ManualClock = field(default_factory=ManualClock)
    askings: list[Gateway] = field(default_factory=list)

    def ask(self, ref: Ref, envelope: Envelope) -> Gateway:
        assert ref.name == "gateway"
        assert isinstance(envelope.body, Ask)
        self.askings.append(Gateway(self.model, envelope.batch()))
        return self.askings[-1]

    def die(self) -> None:
        raise AssertionError("a judge does not fall")


def items() -> pa.RecordBatch:
    columns = {"id": IDS, "text": TEXTS, "utility": [9.0, 3.0, -3.0, -9.0]}
    return batch(ITEMS, columns, rows=4, integrity=UNTRUSTED, provenance=INPUT)


def ask(task: str, *shown: Sequence[int], by: str = "worth") -> Envelope:
    question = Question.parse(task)
    columns = {
        "call_id": [100 - place for place in range(len(shown))],
        "role": "judge",
        "model": "any",
        "template": TEMPLATES[question.kind],
        "items": list(shown),
        "context_tokens": TokenCount.of(TEXTS).prompts(question, by, np.array(shown)),
        "attempt": 0,
        "task": task,
        "by": by,
        "variant": VARIANT,
        "repeat": list(range(len(shown))),
    }
    return Envelope(
        Ask(), batch(REQUESTS, columns, rows=len(shown), integrity=UNTRUSTED, provenance=INPUT)
    )


def replies_of(actor: Actor, context: Context, *envelopes: Envelope) -> list[Envelope]:
    """Start *actor*, and return all that it answers to *envelopes*."""

    async def run() -> list[Envelope]:
        await actor.on_start(context)
        return [reply for envelope in envelopes async for reply in actor.receive(envelope)]

    return asyncio.run(run())


def attach(name: str = "sim:judge") -> Envelope:
    return Envelope(Attach(model=ModelSpec(name=name)), items())


CONNECT = Envelope(Connect(gateway=Address("gateway")))


def test_a_simulated_judge_answers_every_request_once() -> None:
    asked = ask("pair", (0, 3), (3, 0), (0, 2), (2, 0))
    done, answers = replies_of(Judge(), Stage(), attach(), asked)

    assert isinstance(done.body, Done)
    assert answers.batch().schema.equals(REPLIES)
    assert answers.batch().column("call_id").to_pylist() == [100, 99, 98, 97]
    assert answers.batch().column("grade").to_pylist() == [1, -1, 1, -1]


@pytest.mark.parametrize("task", ["pair", "graded", "list:3"])
def test_a_model_that_reads_gets_the_prompt_and_its_spec(task: str) -> None:
    """What leaves the host is the prompt in full, and the item ids, for nobody beyond has them."""
    stage, question = Stage(), Question.parse(task)
    shown = (2, 0, 1)[: question.size]
    replies_of(Judge(), stage, CONNECT, attach("claude-x"), ask(task, shown, by="wörth {x}"))

    [row] = stage.model.requests
    texts = [TEXTS[item] for item in shown]
    assert row["prompt"] == assemble("judge", segments(question, "wörth {x}", texts))
    assert json.loads(row["spec"]) == {
        "role": "judge",
        "task": task,
        "by": "wörth {x}",
        "variant": VARIANT,
        "repeat": 0,
        "items": [IDS[item] for item in shown],
    }
    assert row["spec"].isascii()  # it travels in a header
    assert (row["_integrity"], row["_provenance"]) == (UNTRUSTED, INPUT)


def test_the_gateways_replies_come_back_and_the_question_is_closed() -> None:
    def prefers_two(row: Mapping[str, Any]) -> Preference:
        return Preference(
            grade=1 if row["prompt"].index("two") < row["prompt"].index("four") else -1
        )

    stage = Stage(ScriptedModel(prefers_two))
    asked = ask("pair", (1, 3), (3, 1))
    *_, answers = replies_of(Judge(), stage, CONNECT, attach("claude-x"), asked)

    assert answers.batch().column("grade").to_pylist() == [1, -1]
    assert [asking.is_cancelled for asking in stage.askings] == [True]


@pytest.mark.parametrize("items", [(), (2,), (0, 1, 2)])
def test_a_trial_is_answered_without_a_call(items: tuple[int, ...]) -> None:
    stage = Stage()
    _, tried = replies_of(Judge(), stage, attach("claude-x"), Envelope(Trial(items=items)))

    assert isinstance(tried.body, Done)
    assert stage.askings == []


def test_a_judge_is_attached_again_to_other_items() -> None:
    columns = {"id": ["x", "y"], "text": ["low", "high"], "utility": [-9.0, 9.0]}
    others = batch(ITEMS, columns, rows=2, integrity=UNTRUSTED, provenance=INPUT)
    again = Envelope(Attach(model=ModelSpec(name="sim:judge")), others)

    *_, answers = replies_of(Judge(), Stage(), attach(), again, ask("pair", (0, 1)))

    assert answers.batch().column("grade").to_pylist() == [-1]


def test_a_prompt_shows_the_items_in_order_and_asks_for_json() -> None:
    prompt = assemble("judge", segments(Question("list", 2), "worth", ["zwei", "eins"]))

    assert prompt.index('<item number="1">\nzwei') < prompt.index('<item number="2">\neins')
    assert '{"order": [' in prompt
    assert "Put the 2 texts in order" in prompt
    assert "{{" not in prompt
