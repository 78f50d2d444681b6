"""Simulated agents answer by what is true and by their profile, whatever their batch."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from commedia.actors.answers import Typed, parse_answer
from commedia.actors.messages import ModelSpec
from commedia.actors.models.prices import price_of
from commedia.actors.models.simulated_agents import SimulatedAgents
from commedia.actors.prompts import estimate_tokens
from commedia.actors.questions import Question
from commedia.actors.simulation.generation import MADE_UP
from commedia.actors.simulation.judge import Bench, JudgeProfile
from commedia.actors.simulation.keyed import text_keys
from commedia.actors.simulation.profile import IDEAL, OPUS, SONNET, AgentProfile
from commedia.actors.simulation.world import Thing, World
from commedia.actors.tables import ANSWERS, CLOSED, INPUT, REPLIES, REQUESTS, UNTRUSTED, batch
from commedia.actors.verifier import SCHEMA as VERDICT

LABELS = ["bug", "wish", "question", "spam"]
LABEL = {
    "type": "object",
    "properties": {"why": {"type": "string"}, "label": {"enum": LABELS}},
    "required": ["why", "label"],
    "additionalProperties": False,
}
LIST = {"type": "array", "items": {"type": "string"}}
WORLD = World(
    [
        *(Thing(f"t{n}", truth=LABELS[n % 4], utility=n / 10) for n in range(400)),
        *(Thing(f"f{n}", text=f"site {n} is open", pool="audit") for n in range(40)),
        Thing("trap", text="site 99 is open", pool="audit", holds=False),
        *(Thing(f"i{n}", text=f"idea {n}", pool="names") for n in range(90)),
        Thing("c1", text="water is wet", holds=True),
        Thing("c2", text="water is dry", holds=False),
        Thing("clean"),
    ]
)
PROFILE = replace(SONNET, name="sim:test", transient=0.05, refusal=0.05, schema_failure=0.05)

Row = Mapping[str, Any]


def spec(task: str, *about: str, role: str = "worker", **more: Any) -> str:
    return json.dumps({"role": role, "task": task, "about": about, "variant": "v", **more})


def requests(*rows: Row) -> pa.RecordBatch:
    """Return a request for each of *rows*, which say what is not as usual."""
    usual = {"role": "worker", "model": "sim:test", "attempt": 0, "prompt": "What is it?"}
    rows = tuple({**usual, **row} for row in rows)
    columns: dict[str, Any] = {
        name: [row.get(name) for row in rows] for name in REQUESTS.names[:-2]
    }
    columns["call_id"] = [1_000 + place for place in range(len(rows))]
    schemas = columns["output_schema"]
    columns["output_schema"] = [s if s is None else json.dumps(s) for s in schemas]
    return batch(REQUESTS, columns, rows=len(rows), integrity=UNTRUSTED, provenance=INPUT)


def ask(
    asked: pa.RecordBatch, agents: AgentProfile = PROFILE, world: World = WORLD
) -> pa.RecordBatch:
    model = SimulatedAgents(ModelSpec(name=agents.name, seed=5, agents=agents), world)

    async def run() -> list[pa.RecordBatch]:
        return [piece async for piece in model.answer(asked)]

    [found] = asyncio.run(run())
    return found


def answers(*rows: Row, agents: AgentProfile = IDEAL, world: World = WORLD) -> list[Any]:
    """Return what is answered, read from JSON where there is a schema."""
    found = ask(requests(*rows), agents, world).column("answer").to_pylist()
    pairs = zip(found, rows, strict=True)
    return [json.loads(t) if t and row.get("output_schema") else t for t, row in pairs]


def label(n: int, **more: Any) -> Row:
    return {"spec": spec("classify", f"t{n}", **more), "output_schema": LABEL}


def verify(claim: str, *about: str, **more: Any) -> Row:
    text = spec("verify", *about, role="verifier", claim=claim, **more)
    return {"role": "verifier", "spec": text, "output_schema": VERDICT}


def mixed() -> list[Row]:
    """Return requests of all kinds, for several models."""
    judge = {"by": "worth", "variant": "j", "repeat": 0, "items": ["t1", "t2"]}
    kinds: list[Row] = [
        *(label(n) for n in range(30)),
        *({"prompt": f"prompt {n}", "output_schema": LABEL} for n in range(10)),
        *({"prompt": f"prompt {n}", "effort": "high"} for n in range(10)),
        *({"spec": spec("find", "audit", repeat=n), "output_schema": LIST} for n in range(10)),
        *({"spec": spec("generate", "names", count=n)} for n in range(10)),
        *({"spec": spec("synthesize", *(f"f{k}" for k in range(n)))} for n in range(10)),
        *(verify("water is wet", repeat=n) for n in range(10)),
        *(verify(f"claim {n}", "unknown") for n in range(10)),
        {"role": "judge", "spec": spec("pair", role="judge", **judge)},
        {"role": "judge", "spec": spec("list:3", role="judge", **judge)},
        {"role": "reader", "spec": spec("read", "t1", role="reader"), "output_schema": LABEL},
        {"spec": "nonsense"},
        {"output_schema": {"type": 3}},
    ]
    models = ("sim:test", "sim:haiku", "sim:other", "claude-opus-5-5")
    return [{**row, "model": models[n % 4]} for n, row in enumerate(kinds)]


def test_neither_order_nor_batch_changes_an_answer() -> None:
    asked = requests(*mixed())
    whole = ask(asked).to_pylist()
    order = np.random.default_rng(1).permutation(len(whole))

    assert ask(asked.take(pa.array(order))).to_pylist() == [whole[n] for n in order]
    assert ask(asked.slice(7, 60)).to_pylist() == whole[7:67]
    assert [ask(asked.slice(n, 1)).to_pylist()[0] for n in range(0, 90, 9)] == whole[0:90:9]
    assert ask(asked.slice(0, 0)).num_rows == 0


def test_replies_say_that_they_are_simulated_and_what_they_took() -> None:
    asked = requests(*mixed())
    table = ask(asked)

    assert table.schema.equals(REPLIES)
    assert set(table.column("_integrity").to_pylist()) == {CLOSED}
    assert set(table.column("_provenance").to_pylist()) == {ANSWERS}
    assert table.column("call_id").equals(asked.column("call_id"))
    for request, row in zip(asked.to_pylist(), table.to_pylist(), strict=True):
        assert row["served_model"].startswith("sim:")
        assert min(row["ttft_us"], row["decode_us"], row["attempts"]) >= 1
        assert row["tokens_out"] >= row["tokens_thinking"] >= 0
        if row["status"] == "ok":
            assert row["tokens_in"] == estimate_tokens(request["prompt"])
            assert row["tokens_out"] >= estimate_tokens(row["answer"] or "")
        else:
            assert row["reason"] and row["answer"] is None
        if row["status"] == "failed":
            assert (row["tokens_in"], row["tokens_out"], row["cost_nanousd"]) == (0, 0, 0)


def test_answers_are_canonical_and_fit_their_schemas() -> None:
    asked = requests(*mixed())
    for request, row in zip(asked.to_pylist(), ask(asked).to_pylist(), strict=True):
        if row["status"] == "ok" and request["role"] != "judge":
            typed = Typed(request["output_schema"])
            assert parse_answer(typed, row["answer"]) == row["answer"]


def test_an_ideal_agent_says_what_is_true() -> None:
    found = [answer["label"] for answer in answers(*(label(n) for n in range(40)))]

    assert found == [LABELS[n % 4] for n in range(40)]


def test_a_real_one_is_right_as_often_as_its_profile_says() -> None:
    agents = replace(SONNET, transient=0.0, refusal=0.0, schema_failure=0.0)
    rows = [label(n, repeat=r) for n in range(400) for r in range(3)]
    right = [a["label"] == LABELS[k // 3 % 4] for k, a in enumerate(answers(*rows, agents=agents))]

    assert np.mean(right) == pytest.approx(0.85, abs=4 * (0.85 * 0.15 / 400) ** 0.5)


def test_one_family_agrees_in_its_errors_and_two_do_not() -> None:
    rows = [label(n) for n in range(400)]
    clear = {"transient": 0.0, "refusal": 0.0, "schema_failure": 0.0, "acc0": 0.6}
    models = [("sim:one", "claude"), ("sim:two", "claude"), ("sim:three", "other")]
    ours, sibling, other = (
        [
            found["label"]
            for found in answers(*rows, agents=replace(SONNET, name=name, family=family, **clear))  # type: ignore[arg-type]
        ]
        for name, family in models
    )
    wrong = [n for n in range(400) if ours[n] != LABELS[n % 4]]
    agreed = [np.mean([votes[n] == ours[n] for n in wrong]) for votes in (sibling, other)]

    assert agreed[0] > agreed[1] + 0.15


def test_wrong_answers_of_the_world_are_given_the_first_one_most() -> None:
    world = World([Thing(f"t{n}", truth=1, wrong=(2, 3, 4)) for n in range(600)])
    number = {"type": "integer"}
    rows = [{"spec": spec("answer", f"t{n}"), "output_schema": number} for n in range(600)]
    said = answers(*rows, agents=replace(IDEAL, acc0=0.0), world=world)
    shares = [said.count(value) / 600 for value in (2, 3, 4)]

    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.07)


@pytest.mark.parametrize(
    ("claim", "about", "verdict"),
    [
        ("water is wet", (), "upheld"),
        ("water is dry", (), "refuted"),
        ('{"claim": "water is dry", "why": "x"}', (), "refuted"),
        ("c1", (), "upheld"),
        ("site 3 is open", (), "upheld"),
        ("site 99 is open", ("t1",), "refuted"),
        ("wish", ("t1",), "upheld"),
        ('"wish"', ("t1",), "upheld"),
        ('{"label": "wish"}', ("t1",), "upheld"),
        ('{"label": "bug"}', ("t1",), "refuted"),
        (f"{MADE_UP}0a", ("t1",), "refuted"),
    ],
)
def test_an_ideal_verifier_knows_what_holds(
    claim: str, about: tuple[str, ...], verdict: str
) -> None:
    [found] = answers(verify(claim, *about))

    assert found["verdict"] == verdict
    assert Draft202012Validator(VERDICT).is_valid(found)


def test_verifiers_agree_about_a_claim_that_no_world_knows() -> None:
    rows = [verify(f"claim {n}", repeat=r) for n in range(60) for r in range(2)]
    verdicts = [found["verdict"] for found in answers(*rows)]

    assert verdicts[::2] == verdicts[1::2]
    assert 15 < verdicts.count("upheld") / 2 < 45


def test_a_verdict_can_be_a_boolean() -> None:
    schema = {
        "type": "object",
        "properties": {"why": {"type": "string"}, "holds": {"type": "boolean"}},
        "required": ["why", "holds"],
    }
    rows = [{**verify(claim), "output_schema": schema} for claim in ("c1", "c2")]

    assert [found["holds"] for found in answers(*rows)] == [True, False]


def test_an_ideal_search_finds_all_that_holds_and_no_more() -> None:
    find = {"spec": spec("find", "audit"), "output_schema": LIST}
    some = {"spec": spec("find", "audit", count=7), "output_schema": LIST}
    nothing = {"spec": spec("find", "clean"), "output_schema": LIST}
    found, few, none = answers(find, some, nothing)

    assert sorted(found) == sorted(f"site {n} is open" for n in range(40))
    assert few == found[:7] and none == []


def test_more_passes_find_more() -> None:
    agents = replace(PROFILE, transient=0.0, refusal=0.0, schema_failure=0.0)
    rows = [{"spec": spec("find", "audit", repeat=n), "output_schema": LIST} for n in range(6)]
    found = [{*answer} for answer in answers(*rows, agents=agents)]
    so_far = [len(set[str]().union(*found[: n + 1])) for n in range(6)]

    assert so_far[0] < so_far[2] < so_far[5] < 41


def test_ideas_come_from_the_pool_and_repeat() -> None:
    rows = [{"spec": spec("generate", "names", repeat=n), "output_schema": LIST} for n in range(60)]
    agents = replace(SONNET, transient=0.0, refusal=0.0, schema_failure=0.0)
    found = [idea for answer in answers(*rows, agents=agents) for idea in answer]

    assert len(found) == 300 and set(found) <= {f"idea {n}" for n in range(90)}
    assert len(set(found)) < 75
    assert len({idea for answer in answers(*rows[:18]) for idea in answer}) == 90, "ideal"


def test_a_synthesis_keeps_most_things_in_their_order() -> None:
    row = {"spec": spec("synthesize", *(f"f{n}" for n in range(40)), "and this")}
    [text] = answers(row)
    [lossy] = answers(row, agents=replace(IDEAL, n50=40.0))

    assert text.splitlines() == [*(f"- site {n} is open" for n in range(40)), "- and this"]
    assert 8 < len(lossy.splitlines()) < 33


def test_several_things_are_answered_in_one_list() -> None:
    schema = {"type": "array", "items": {"enum": LABELS}}
    row = {"spec": spec("answer", "t0", "t1", "t2"), "output_schema": schema}

    assert answers(row) == [LABELS[:3]]
    assert answers({"spec": row["spec"]}) == ["t0: bug\nt1: wish\nt2: question"]


def test_without_a_world_work_is_rehearsed_all_the_same() -> None:
    table = ask(requests(*mixed()), world=World())
    statuses = table.column("status").to_pylist()

    assert statuses.count("ok") > 80
    assert min(table.column("ttft_us").to_pylist()) > 0


def test_a_call_has_its_model_and_each_model_its_price() -> None:
    rows = [{**label(1), "model": name} for name in ("sim:haiku", "sim:opus", "unknown")]
    agents = replace(SONNET, name="sim:mine")
    found = ask(requests(*rows), agents).to_pylist()

    assert [row["served_model"] for row in found] == ["sim:haiku", "sim:opus", "sim:mine"]
    for row, name in zip(found, ("haiku", "opus", "sonnet"), strict=True):
        price = price_of(f"claude-{name}-5-5")
        assert price and row["cost_nanousd"] == price.cost(row["tokens_in"], row["tokens_out"])


def test_a_profile_under_a_known_name_goes_first() -> None:
    rows = [{**label(n), "model": "sim:opus"} for n in range(40)]
    agents = replace(IDEAL, name="sim:opus")

    assert [a["label"] for a in answers(*rows, agents=agents)] == [LABELS[n % 4] for n in range(40)]
    assert OPUS.acc0 < 1


def test_each_failure_has_its_status_and_reason() -> None:
    always = {
        "transient": ("failed", "server_error"),
        "refusal": ("refused", "refusal"),
        "schema_failure": ("invalid", "schema"),
    }
    for name, ending in always.items():
        [row] = ask(requests(label(1)), replace(IDEAL, **{name: 1.0})).to_pylist()  # type: ignore[arg-type]
        assert (row["status"], row["reason"]) == ending

    short = {**label(1), "max_tokens": 3}
    blind = {"output_schema": {"type": "string", "pattern": "^[0-9]$"}}
    rows = ask(requests(short, blind, {"output_schema": {"type": 3}}, {"spec": "[]"}), IDEAL)
    assert list(zip(*(rows.column(n).to_pylist() for n in ("status", "reason")), strict=True)) == [
        ("truncated", "max_tokens"),
        ("invalid", "unsampled"),
        ("failed", "bad_request"),
        ("failed", "call_spec"),
    ]


def test_another_attempt_has_other_luck_with_the_same_answer() -> None:
    agents = replace(IDEAL, transient=0.5)
    rows = [label(n) for n in range(60)]
    first, again = (
        ask(requests(*({**row, "attempt": attempt} for row in rows)), agents).to_pylist()
        for attempt in (0, 1)
    )
    pairs = list(zip(first, again, strict=True))
    answered = [(a["answer"], b["answer"]) for a, b in pairs if a["answer"] and b["answer"]]

    assert answered and all(one == other for one, other in answered)
    assert any(a["status"] == "failed" and b["status"] == "ok" for a, b in pairs)


def test_a_judge_is_the_one_of_the_bench() -> None:
    ids, profile = ["t1", "t30", "t7"], JudgeProfile(name="sim:strict", bias=0.1)
    values = np.array([0.1, 3.0, 0.7])
    shared = {"by": "worth", "variant": "j", "repeat": 3}
    rows = [
        {"role": "judge", "spec": spec(task, role="judge", items=ids[:size], **shared)}
        for task, size in (("graded", 2), ("list:3", 3), ("pair", 3))
    ]
    model = SimulatedAgents(ModelSpec(name="sim:sonnet", seed=5, profile=profile), WORLD)

    async def run() -> list[dict[str, Any]]:
        return [row async for piece in model.answer(requests(*rows)) for row in piece.to_pylist()]

    graded, listed, broken = asyncio.run(run())
    bench = Bench(profile, 5, "worth", values, text_keys(ids))
    pair, three = np.array([[0, 1]]), np.array([[0, 1, 2]])
    grades = bench.answer(Question("graded"), pair, variant="j", repeat=3)
    orders = bench.answer(Question("list", 3), three, variant="j", repeat=3)

    assert graded["grade"] == grades[0] and listed["order"] == orders[0].tolist()
    assert (broken["status"], broken["reason"]) == ("failed", "call_spec")
    assert graded["served_model"] == "sim:strict" and graded["ttft_us"] > 1


def test_a_judge_has_an_order_for_what_it_does_not_know() -> None:
    items = [f"text number {n}" for n in range(12)]
    row = {"role": "judge", "spec": spec("list:12", role="judge", by="worth", items=items)}
    other = {"role": "judge", "spec": spec("list:12", role="judge", by="beauty", items=items)}
    orders = ask(requests(row, other)).column("order").to_pylist()

    assert sorted(orders[0]) == list(range(12))
    assert orders[0] != orders[1]
