"""The server speaks the Messages API's shapes, and plays the world it was given."""

import asyncio
import base64
import io
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from commedia.actors.answers import Preference, answer_schema, write_answer
from commedia.actors.clock import ManualClock
from commedia.actors.messages import ModelSpec
from commedia.actors.models.serving.app import serve_app
from commedia.actors.models.serving.latency import Latency
from commedia.actors.models.serving.reading import MAX_BODY_BYTES
from commedia.actors.models.serving.timing import ServedTime
from commedia.actors.models.serving.world import World
from commedia.actors.models.simulated_agents import SimulatedAgents
from commedia.actors.questions import Question
from commedia.actors.simulation.judge import Bench, JudgeProfile
from commedia.actors.simulation.keyed import text_keys
from commedia.actors.simulation.profile import IDEAL, SONNET, AgentProfile
from commedia.actors.simulation.world import Thing
from commedia.actors.simulation.world import World as Things
from commedia.actors.tables import INPUT, REQUESTS, UNTRUSTED, batch
from commedia.actors.verifier import SCHEMA as VERDICT

UTILITY = {"a": 2.0, "b": -1.0, "c": 0.5}
BODY: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Which is worse?"}],
}
SPEC = {
    "role": "judge",
    "task": "pair",
    "by": "harm",
    "variant": "",
    "repeat": 0,
    "items": ["a", "b"],
}


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def server(log: io.StringIO) -> TestClient:
    return TestClient(serve_app(World(JudgeProfile(), 5, UTILITY), log=log))


def header(spec: object) -> dict[str, str]:
    return {"commedia-call-spec": base64.b64encode(json.dumps(spec).encode()).decode()}


def schema_of(task: str) -> dict[str, Any]:
    schema = answer_schema(Question.parse(task))
    return {**BODY, "output_config": {"format": {"type": "json_schema", "schema": schema}}}


def test_a_message_has_the_apis_shape(server: TestClient) -> None:
    response = server.post("/v1/messages", json=BODY)
    body = response.json()

    assert response.status_code == 200
    assert response.headers["request-id"].startswith("req_")
    assert body["type"] == "message" and body["role"] == "assistant"
    assert body["model"] == "claude-haiku-5-5" and body["stop_reason"] == "end_turn"
    assert body["usage"] == {"input_tokens": 4, "output_tokens": 7}


def test_with_a_call_spec_it_answers_as_the_direct_judge(server: TestClient) -> None:
    bench = Bench(
        JudgeProfile(), 5, "harm", np.array(list(UTILITY.values())), text_keys(list(UTILITY))
    )
    ids = list(UTILITY)
    for task, items in (("pair", "ab"), ("graded", "ca"), ("list:3", "bca"), ("list:10", "cb")):
        question = Question.parse(task)
        shown = np.array([[ids.index(item) for item in items]])
        found = bench.answer(question, shown)[0].tolist()
        verdict = (
            Preference(order=tuple(found)) if isinstance(found, list) else Preference(grade=found)
        )
        spec = {**SPEC, "task": task, "items": list(items)}
        body = server.post("/v1/messages", json=schema_of(task), headers=header(spec)).json()

        assert body["content"] == [{"type": "text", "text": write_answer(question, verdict)}]


def test_without_one_the_body_alone_decides(server: TestClient) -> None:
    first = server.post("/v1/messages", json=schema_of("list:5")).json()["content"]
    again = server.post("/v1/messages", json=schema_of("list:5")).json()["content"]
    other = {**schema_of("list:5"), "max_tokens": 65}

    assert first == again
    assert server.post("/v1/messages", json=other).json()["content"] != first
    assert sorted(json.loads(first[0]["text"])["order"]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("nonsense", "not JSON"),
        ([1], "not a JSON object"),
        ({**BODY, "model": ""}, "model"),
        ({**BODY, "max_tokens": 0}, "max_tokens"),
        ({**BODY, "max_tokens": True}, "max_tokens"),
        ({**BODY, "messages": []}, "messages"),
        ({**BODY, "messages": ["hi"]}, "messages.0.role"),
        ({**BODY, "messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
        ({**BODY, "messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
        ({**BODY, "stream": 1.5}, "stream"),
        ({**BODY, "output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ],
)
def test_a_body_it_cannot_use_is_refused_with_the_reason(
    server: TestClient, body: object, says: str
) -> None:
    data = body if isinstance(body, str) else json.dumps(body)
    response = server.post("/v1/messages", content=data)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert says in response.json()["error"]["message"]
    assert response.json()["request_id"] == response.headers["request-id"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ([], "a JSON object"),
        ({**SPEC, "items": ["a", "zz\x1b"]}, "not part of this world"),
        ({**SPEC, "items": ["a"]}, "names 1 items"),
        ({**SPEC, "items": ["a", ["b"]]}, "not part of this world"),
        ({**SPEC, "task": "essay"}, "none of pair, graded"),
        ({**SPEC, "repeat": -1}, "repeat"),
        ({**SPEC, "repeat": "0"}, "no repeat"),
        ({"task": "pair"}, "no by"),
    ],
)
def test_a_call_spec_it_cannot_use_is_refused(server: TestClient, spec: object, says: str) -> None:
    response = server.post("/v1/messages", json=BODY, headers=header(spec))

    assert response.status_code == 400
    assert says in response.json()["error"]["message"]


def test_a_header_that_is_no_base64_is_refused(server: TestClient) -> None:
    response = server.post("/v1/messages", json=BODY, headers={"commedia-call-spec": "%%%"})

    assert response.status_code == 400


def test_an_answer_stops_at_max_tokens(server: TestClient) -> None:
    body = server.post("/v1/messages", json={**BODY, "max_tokens": 2}).json()

    assert body["stop_reason"] == "max_tokens"
    assert body["usage"]["output_tokens"] == 2


def test_it_declares_itself_in_its_models_list(server: TestClient) -> None:
    listed = server.get("/v1/models").json()

    assert listed["commedia"]["simulated"] is True
    assert listed["commedia"]["profile"]["accuracy"] == 0.85
    assert listed["commedia"]["persistent_share"] == 0.5
    assert listed["data"][0]["id"] == "sim:judge"


def test_other_paths_and_methods_have_the_apis_shape(server: TestClient) -> None:
    assert server.get("/nowhere").json()["error"]["type"] == "not_found_error"
    assert server.get("/v1/messages").status_code == 405
    assert server.get("/v1/messages").json()["type"] == "error"


def test_a_body_too_large_is_refused(server: TestClient) -> None:
    response = server.post("/v1/messages", content=b" " * (MAX_BODY_BYTES + 1))

    assert response.status_code == 413
    assert response.json()["error"]["type"] == "request_too_large"


def test_tokens_can_be_counted_for_free(server: TestClient, log: io.StringIO) -> None:
    body = {key: BODY[key] for key in ("model", "messages")}

    assert server.post("/v1/messages/count_tokens", json=body).json() == {"input_tokens": 4}
    assert log.getvalue() == ""


def test_the_log_has_a_line_a_request(server: TestClient, log: io.StringIO) -> None:
    answered = server.post("/v1/messages", json=BODY)
    refused = server.post("/v1/messages", content=b"x")
    server.get("/v1/models")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    kept = [{name: line[name] for name in ("id", "status", "usage")} for line in lines]

    assert len({line["digest"] for line in lines}) == 2
    assert [line["charged"] for line in lines] == [True, False]
    assert kept == [
        {
            "id": answered.headers["request-id"],
            "status": 200,
            "usage": {"input_tokens": 4, "output_tokens": 7},
        },
        {"id": refused.headers["request-id"], "status": 400, "usage": None},
    ]


THINGS = Things([Thing(f"t{n}", truth="ab"[n % 2], utility=n) for n in range(30)])
LABEL: dict[str, Any] = {
    "type": "object",
    "properties": {"label": {"enum": ["a", "b"]}, "why": {"type": "string"}},
    "required": ["label", "why"],
    "additionalProperties": False,
}
PROMPT = "Which is it? " * 40


def agent_spec(n: int, **changes: Any) -> dict[str, Any]:
    usual = {"role": "worker", "task": "classify", "about": [f"t{n}"], "variant": "", "repeat": 0}
    return {**usual, **changes}


def agents_client(agents: AgentProfile = SONNET, *, latency_s: float = 0.0) -> TestClient:
    world = World(JudgeProfile(), 5, {}, things=THINGS, agents=agents)
    return TestClient(serve_app(world, latency=Latency(latency_s)))


def played(
    client: TestClient, spec: Any, schema: dict[str, Any] | None, *turns: str, model: str = "m"
) -> dict[str, Any]:
    """Return the message that answers *spec*; *turns* are what came after the prompt."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": t} for n, t in enumerate((PROMPT, *turns))]
    body: dict[str, Any] = {"model": model, "max_tokens": 4096, "messages": messages}
    if schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    found: dict[str, Any] = client.post("/v1/messages", json=body, headers=header(spec)).json()
    return found


def directly(
    specs: list[dict[str, Any]], schema: dict[str, Any] | None, agents: AgentProfile
) -> list[dict[str, Any]]:
    columns = {
        "call_id": list(range(len(specs))),
        "role": "worker",
        "model": "m",
        "prompt": PROMPT,
        "output_schema": None if schema is None else json.dumps(schema, indent=1),
        "max_tokens": 4096,
        "attempt": 0,
        "spec": [json.dumps(spec) for spec in specs],
    }
    asked = batch(REQUESTS, columns, rows=len(specs), integrity=UNTRUSTED, provenance=INPUT)
    model = SimulatedAgents(ModelSpec(name=agents.name, seed=5, agents=agents), THINGS)

    async def run() -> list[dict[str, Any]]:
        return [row async for piece in model.answer(asked) for row in piece.to_pylist()]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("role", "task", "schema"),
    [
        ("worker", "classify", LABEL),
        ("worker", "answer", None),
        ("worker", "anything", LABEL),
        ("reader", "read", LABEL),
        ("verifier", "verify", VERDICT),
    ],
)
def test_agents_answer_as_they_do_directly(
    role: str, task: str, schema: dict[str, Any] | None
) -> None:
    agents = replace(SONNET, transient=0.0, refusal=0.1, schema_failure=0.05)
    specs = [agent_spec(n, role=role, task=task, claim="a") for n in range(30)]
    client = agents_client(agents)
    stops = {"end_turn": "ok", "refusal": "refused"}
    for spec, row in zip(specs, directly(specs, schema, agents), strict=True):
        body = played(client, spec, schema)
        if row["status"] == "invalid":
            with pytest.raises(ValueError, match="Extra data"):
                json.loads(body["content"][0]["text"])
            continue

        assert stops[body["stop_reason"]] == row["status"]
        assert body["content"][0]["text"] == (row["answer"] or "")
        assert body["usage"]["output_tokens"] == row["tokens_out"]


def test_a_broken_answer_may_be_mended_when_it_is_asked_again() -> None:
    agents = replace(IDEAL, schema_failure=0.5, schema_persistent=0.0)
    client, specs = agents_client(agents), [agent_spec(n) for n in range(12)]
    first = [played(client, spec, LABEL)["content"][0]["text"] for spec in specs]
    again = [played(client, s, LABEL, "{", "again")["content"][0]["text"] for s in specs]
    broken = [n for n, text in enumerate(first) if "breaks its schema" in text]

    assert 0 < len(broken) < 12
    assert any("breaks its schema" not in again[n] for n in broken)


def test_a_request_may_name_its_simulated_model() -> None:
    client = agents_client()
    texts = {
        name: [played(client, agent_spec(n), LABEL, model=name)["content"] for n in range(30)]
        for name in ("sim:ideal", "sim:sonnet", "claude-opus-5-5")
    }

    assert texts["sim:ideal"] != texts["sim:sonnet"] == texts["claude-opus-5-5"]


def test_without_utilities_agents_judge() -> None:
    client = agents_client()
    spec = {**SPEC, "task": "list:3", "items": ["t1", "t29", "unknown"]}
    schema = answer_schema(Question("list", 3))
    text = played(client, spec, schema)["content"][0]["text"]

    assert sorted(json.loads(text)["order"]) == [1, 2, 3]
    assert json.loads(text)["order"][0] == 2


@pytest.mark.parametrize(
    ("spec", "schema", "says"),
    [
        (agent_spec(1, repeat="0"), LABEL, "repeat"),
        (agent_spec(1, about="t1"), LABEL, "about"),
        (agent_spec(1, count=10**9), LABEL, "count"),
        ({**SPEC, "task": "essay"}, LABEL, "no question 'essay'"),
        (agent_spec(1), {"type": 3}, "no JSON Schema"),
    ],
)
def test_an_agents_call_that_it_cannot_use_is_refused(
    spec: Any, schema: dict[str, Any], says: str
) -> None:
    error = played(agents_client(), spec, schema)["error"]

    assert error["type"] == "invalid_request_error" and says in error["message"]


def test_each_answer_takes_the_latency_that_was_asked_for() -> None:
    start = time.monotonic()
    played(agents_client(latency_s=0.15), agent_spec(1), LABEL)

    assert time.monotonic() - start >= 0.15


def test_a_forced_tool_is_called_with_what_the_agent_or_the_judge_answers() -> None:
    """How a client without strict output gets a typed answer, from agents and judges alike."""
    client = agents_client(IDEAL)
    judge = {**SPEC, "task": "list:3", "items": ["t1", "t29", "t3"]}
    for spec, schema in ((agent_spec(4), LABEL), (judge, answer_schema(Question("list", 3)))):
        plain = played(client, spec, schema)
        body = {
            "model": "m",
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": PROMPT}],
            "tools": [{"name": "answer", "input_schema": schema}],
            "tool_choice": {"type": "tool", "name": "answer"},
        }
        found = client.post("/v1/messages", json=body, headers=header(spec)).json()

        assert found["stop_reason"] == "tool_use"
        assert found["content"][0]["input"] == json.loads(plain["content"][0]["text"])


def test_an_answer_takes_its_time_on_the_servers_clock() -> None:
    """What waits is the clock that the server was given, sped up as it says."""
    clock = ManualClock()
    time_ = ServedTime(clock, scale=10.0)
    client = TestClient(serve_app(World(JudgeProfile(), 5, {}), latency=Latency(20.0), time=time_))
    client.post("/v1/messages", json=BODY)

    assert clock.now() == pytest.approx(2.0)
    assert time_.now() == pytest.approx(20.0)


def test_the_log_is_written_before_the_answer_is_due() -> None:
    """A client that dies while it waits has been charged all the same."""

    class Slow(ManualClock):
        async def sleep(self, seconds: float) -> None:
            written.append(log.getvalue().count("\n"))
            await super().sleep(seconds)

    log, written = io.StringIO(), list[int]()
    time_ = ServedTime(Slow())
    app = serve_app(World(JudgeProfile(), 5, {}), log=log, latency=Latency(9.0), time=time_)
    TestClient(app).post("/v1/messages", json=BODY)

    assert written == [1]
