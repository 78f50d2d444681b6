"""The real SDK against servers that misbehave, on a socket of this machine."""

import asyncio
import base64
import contextlib
import json
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from api import message_body
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from commedia.actors.errors import RunFailedError
from commedia.actors.models import claude
from commedia.actors.models.claude import ClaudeClient
from commedia.actors.models.loopback import loopback
from commedia.actors.models.wire import Attempt, Request
from commedia.actors.questions import Question

T = TypeVar("T")
PAIR = Question("pair")
KEY = "sk-test-77aa01"
SPEC = '{"role": "judge", "items": ["a", "b"]}'


def said(text: str = '{"verdict": "first"}', **changes: Any) -> Response:
    return JSONResponse(message_body(text, **changes), headers={"request-id": "req_9"})


def refused(status: int, message: str = "no", **headers: str) -> Response:
    error = {"type": "error", "error": {"type": "some_error", "message": message}}
    return JSONResponse(error, status, headers={k.replace("_", "-"): v for k, v in headers.items()})


@dataclass
class Endpoint:
    """A server that plays *answers* in turn, the last one for ever; remembers what it was sent."""

    answers: list[Response]
    models: Response = field(default_factory=lambda: refused(404))
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    listed: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/messages", self._message, methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
            ]
        )

    async def _message(self, request: HttpRequest) -> Response:
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def _models(self, request: HttpRequest) -> Response:
        self.listed += 1
        return self.models


def attempts(endpoint: Endpoint, count: int = 1, **row: Any) -> list[Attempt]:
    async def work(client: ClaudeClient) -> list[Attempt]:
        request = Request(3, PAIR, (("user", "Which is worse?"),), row)
        return [
            await client.attempt(request, max_tokens=client.max_tokens(PAIR), timeout_s=20)
            for _ in range(count)
        ]

    return served(endpoint, work)


def served(endpoint: Endpoint, work: Callable[[ClaudeClient], Awaitable[T]]) -> T:
    async def run(url: str) -> T:
        client = ClaudeClient("claude-haiku-5-5", base_url=url, key=KEY, in_flight=4)
        try:
            return await work(client)
        finally:
            await client.close()

    with loopback(endpoint.app()) as url:
        return asyncio.run(run(url))


def test_one_attempt_is_one_request_with_the_strict_form() -> None:
    endpoint = Endpoint([said()])
    [attempt] = attempts(endpoint)
    body = json.loads(endpoint.bodies[0])

    assert attempt.outcome == "ok" and attempt.text == '{"verdict": "first"}'
    assert attempt.served_model == "served" and attempt.request_id == "req_9"
    assert (body["model"], body["max_tokens"]) == ("claude-haiku-5-5", 40)
    assert body["output_config"]["format"]["schema"]["required"] == ["verdict"]
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"
    assert len(endpoint.bodies) == 1


async def reached(client: ClaudeClient) -> None:
    await client.reach()


def test_an_endpoint_is_reached_whatever_it_says_of_its_models() -> None:
    for models in (refused(404), refused(500), HTMLResponse("hello"), refused(401)):
        served(Endpoint([said()], models=models), reached)


def why_not_reached(url: str) -> str:
    async def run() -> str:
        client = ClaudeClient("claude-haiku-5-5", base_url=url, key=KEY, in_flight=4)
        try:
            with pytest.raises(RunFailedError) as caught:
                await client.reach()
        finally:
            await client.close()
        return str(caught.value)

    return asyncio.run(run())


def test_an_address_without_a_server_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert why_not_reached(f"http://127.0.0.1:{port}").startswith(
        f"cannot reach http://127.0.0.1:{port}: nothing answers there"
    )


def test_a_server_without_tls_is_told_from_none() -> None:
    with loopback(Endpoint([said()]).app()) as url:
        why = why_not_reached(url.replace("http:", "https:"))

    assert "no valid TLS" in why and KEY not in why


def test_an_address_that_swallows_connections_is_not_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claude, "_LIST_CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as held:
        for _ in range(4):  # what fills its queue; the next are left waiting
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        port = full.getsockname()[1]

        assert "nothing answers there" in why_not_reached(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("answer", "outcome", "wait"),
    [
        (refused(429, retry_after="7"), "rate_limited", 7.0),
        (refused(429, retry_after_ms="250"), "rate_limited", 0.25),
        (refused(429, retry_after="soon"), "rate_limited", None),
        (refused(529), "overloaded", None),
        (refused(503, retry_after="2"), "overloaded", 2.0),
        (refused(500), "server_error", None),
        (refused(401), "auth", None),
        (refused(404), "not_found", None),
        (refused(400), "bad_request", None),
        (refused(400, "output_config: unknown field"), "no_strict_form", None),
        (HTMLResponse("<h1>Welcome to our wifi</h1>"), "malformed", None),
        (HTMLResponse("<h1>Bad gateway</h1>", 502), "server_error", None),
        (said(usage={"input_tokens": -1, "output_tokens": 5}), "malformed", None),
        (said(content="first"), "malformed", None),
        (said(stop_reason="refusal"), "refused", None),
        (said("Well, th", stop_reason="max_tokens"), "truncated", None),
    ],
)
def test_a_fault_is_an_outcome_and_sends_no_second_request(
    answer: Response, outcome: str, wait: float | None
) -> None:
    endpoint = Endpoint([answer])
    [attempt] = attempts(endpoint)

    assert (attempt.outcome, attempt.retry_after_s) == (outcome, wait)
    assert len(endpoint.bodies) == 1


def test_a_redirect_does_not_carry_the_key_away() -> None:
    thief = Endpoint([said()])
    with loopback(thief.app()) as elsewhere:
        endpoint = Endpoint([RedirectResponse(f"{elsewhere}/v1/messages", 307)])
        [attempt] = attempts(endpoint)

    assert (attempt.outcome, attempt.reason) == ("bad_request", "redirect")
    assert thief.bodies == []


def test_nobody_there_means_nothing_was_sent() -> None:
    async def run() -> Attempt:
        client = ClaudeClient("m", base_url="http://127.0.0.1:9", key=KEY, in_flight=1)
        request = Request(3, PAIR, (("user", "Which?"),), {})
        attempt = await client.attempt(request, max_tokens=64, timeout_s=20)
        await client.close()
        return attempt

    attempt = asyncio.run(run())

    assert attempt.outcome == "unreachable" and attempt.is_charged is False


def test_a_connection_that_drops_after_sending_is_of_unknown_charge() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert raw_server(hang_up).outcome == "dropped"
    assert Attempt("dropped").is_charged is None


def test_the_deadline_is_a_wall_whatever_trickles_in() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    began = time.monotonic()
    attempt = raw_server(drip, timeout_s=0.3)

    assert attempt.outcome == "timeout" and attempt.is_charged is None
    assert time.monotonic() - began < 5


def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    timeout_s: float = 20,
) -> Attempt:
    async def run() -> Attempt:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = ClaudeClient("m", base_url=f"http://127.0.0.1:{port}", key=KEY, in_flight=1)
        request = Request(3, PAIR, (("user", "Which?"),), {})
        attempt = await client.attempt(request, max_tokens=64, timeout_s=timeout_s)
        await client.close()
        server.close()
        return attempt

    return asyncio.run(run())


def test_an_endpoint_that_cannot_do_the_strict_form_is_asked_plainly() -> None:
    endpoint = Endpoint([refused(400, "output_config: extra"), said("I think"), said("Hm"), said()])
    found = attempts(endpoint, 4)
    bodies = [json.loads(body) for body in endpoint.bodies]

    assert ["output_config" in body for body in bodies] == [True, True, True, False]
    assert "JSON Schema" in bodies[3]["messages"][0]["content"]
    assert found[3].outcome == "ok"


def test_a_model_that_thinks_gets_room_to() -> None:
    cut = said("", stop_reason="max_tokens", usage={"input_tokens": 9, "output_tokens": 64})
    endpoint = Endpoint([cut, said()])
    found = attempts(endpoint, 2)
    rooms = [json.loads(body)["max_tokens"] for body in endpoint.bodies]

    assert (found[0].reason, found[1].outcome) == ("thinking", "ok")
    assert rooms[0] == 40 and rooms[1] > 4000


def test_only_a_declared_simulation_is_told_the_call_spec() -> None:
    declared = JSONResponse({"data": [], "commedia": {"simulated": True}})
    told, untold = Endpoint([said()], models=declared), Endpoint([said()])
    attempts(told, 2, spec=SPEC)
    attempts(untold, 2, spec=SPEC)

    assert base64.b64decode(told.headers[0]["commedia-call-spec"]).decode() == SPEC
    assert "commedia-call-spec" not in untold.headers[0]
    assert told.bodies == untold.bodies
    assert told.listed == untold.listed == 1


@pytest.mark.parametrize(
    "models",
    [
        HTMLResponse("hello"),
        JSONResponse([]),
        JSONResponse({"commedia": True}),
        JSONResponse({"commedia": {"simulated": "yes"}}),
    ],
)
def test_a_declaration_is_one_form_only(models: Response) -> None:
    async def work(client: ClaudeClient) -> object:
        return await client.declared()

    assert served(Endpoint([said()], models=models), work) is None


def test_the_key_is_in_no_repr_and_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    async def work(client: ClaudeClient) -> None:
        shown.append(repr(client) + str(client) + repr(vars(client)))
        request = Request(3, PAIR, (("user", "Which?"),), {})
        for _ in range(2):
            shown.append(repr(await client.attempt(request, max_tokens=64, timeout_s=20)))

    served(Endpoint([refused(401), said()]), work)

    assert KEY not in "".join(shown)
    assert KEY not in caplog.text
