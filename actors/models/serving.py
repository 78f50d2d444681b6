"""A Messages API server over simulated agents: what any client can be pointed at, for free.

It declares itself simulated in its models list. Our own client then sends the call spec in a
header, and gets what the direct simulated judge or agent would answer; any other request gets an
answer that fits its schema, keyed by the hash of its body.
"""

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from hashlib import blake2b
from typing import Any, Final, TextIO

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..answers import Preference, write_answer
from ..errors import UsageError
from ..messages import ModelSpec
from ..prompts import estimate_tokens
from ..questions import Question
from ..simulation.calls import read_call
from ..simulation.costs import INVALID, REFUSED
from ..simulation.judge import Bench, JudgeProfile
from ..simulation.keyed import Floats, text_keys
from ..simulation.profile import SONNET, AgentProfile
from ..simulation.world import World as Things
from .filling import dump
from .playing import NOTHING_KNOWN
from .sampling import sample
from .simulated_agents import NO_SCHEMA, UNREADABLE, Answered, Asked, SimulatedAgents, kind_of_call
from .wire import CALL_SPEC_HEADER, DECLARATION

MAX_BODY_BYTES: Final = 32 * 2**20

_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    500: "api_error",
}


BROKEN: Final = "\n(a simulated answer that breaks its schema)"
"""What is put behind an answer that shall be invalid."""


class World:
    """Whom a server plays: a judge that knows the *utility* of each item, by id, and *agents*.

    What agents know are *things*; without utilities they play the judge as well.
    """

    def __init__(
        self,
        profile: JudgeProfile,
        seed: int,
        utility: Mapping[str, float],
        *,
        things: Things = Things(),
        agents: AgentProfile = SONNET,
    ) -> None:
        self.profile, self.seed, self.agents = profile, seed, agents
        spec = ModelSpec(name=agents.name, seed=seed, profile=profile, agents=agents)
        self._agents = SimulatedAgents(spec, things, fails=False)
        self._rows = {name: row for row, name in enumerate(utility)}
        self._utility: Floats = np.array(list(utility.values()), np.float64)
        self._keys = text_keys(list(utility))

    def is_judged(self, spec: Mapping[str, Any]) -> bool:
        """Whether a call *spec* is a question to the judge that knows utilities."""
        return bool(self._rows) and spec.get("role", "judge") == "judge"

    def played(self, spec: Mapping[str, Any], asked: "_Asked") -> Answered:
        """Return an agent's answer to a call *spec*; raises UsageError, which says why."""
        call = read_call(json.dumps(spec))
        schema = None if asked.schema is None else dump(asked.schema)
        found = self._agents.answer_one(
            Asked(
                call.role,
                asked.model,
                schema,
                call,
                tokens_in=asked.context_tokens,
                effort=asked.effort,
                attempt=asked.attempt,
                room=asked.max_tokens,
                kind=kind_of_call(call.role, call),
            )
        )
        if found.ending == UNREADABLE:
            raise UsageError(f"the call spec is no question {call.task!r} about its items")
        if found.ending == NO_SCHEMA:
            raise UsageError("the schema of the answer is no JSON Schema")
        return found

    def answer(self, spec: Mapping[str, Any]) -> str:
        """Return the judge's answer to a call *spec* as JSON; raises UsageError, which says why."""
        by, variant = _part(spec, "by", str), _part(spec, "variant", str)
        repeat = _part(spec, "repeat", int)
        if not 0 <= repeat < 2**63:
            raise UsageError("the call spec's repeat is not a count")
        question = Question.parse(_part(spec, "task", str))
        names = _part(spec, "items", list)
        if not question.takes(len(names)):
            raise UsageError(f"a call spec of {question} names {len(names)} items")
        unknown = [name for name in names if not isinstance(name, str) or name not in self._rows]
        if unknown:
            raise UsageError(f"item {str(unknown[0])[:100]!r} is not part of this world")
        shown = np.array([[self._rows[name] for name in names]], np.int64)
        bench = Bench(self.profile, self.seed, by, self._utility, self._keys)
        found = bench.answer(question, shown, variant=variant, repeat=repeat)[0]
        why = "simulated: no reason" if question.why else None
        if question.kind == "list":
            return write_answer(question, Preference(order=tuple(found.tolist()), why=why))
        return write_answer(question, Preference(grade=int(found), why=why))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request's body after its checks."""

    model: str
    max_tokens: int
    tokens: int
    schema: Mapping[str, Any] | None
    _: KW_ONLY
    context_tokens: int
    attempt: int
    effort: str | None


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer on its way out."""

    text: str
    tokens: int
    thinking: int = 0
    is_refusal: bool = False


def serve_app(world: World, *, log: TextIO | None = None, latency_s: float = 0.0) -> Starlette:
    """Return the ASGI app; each message takes *latency_s*.

    *log* takes one JSON line a message request: id, status, usage, and a hash of what was asked.
    """
    server = _Server(world, log, latency_s)
    routes = [
        Route("/v1/messages", server.messages, methods=["POST"]),
        Route("/v1/messages/count_tokens", server.count_tokens, methods=["POST"]),
        Route("/v1/models", server.models, methods=["GET"]),
    ]
    handlers: Any = {HTTPException: server.refuse, Exception: server.refuse}  # starlette's type
    return Starlette(routes=routes, exception_handlers=handlers)


class _Server:
    """The endpoints, in the API's shapes."""

    def __init__(self, world: World, log: TextIO | None, latency_s: float) -> None:
        self._world, self._log, self._latency_s = world, log, latency_s

    async def messages(self, request: HttpRequest) -> Response:
        """Answer `POST /v1/messages`."""
        request.state.is_logged = True
        data = await _body(request)
        spec = request.headers.get(CALL_SPEC_HEADER)
        request.state.digest = blake2b(f"{spec}".encode() + data, digest_size=16).hexdigest()
        asked = _checked(data)
        said = self._said(spec, asked, data)
        text, tokens_out, stop = said.text, said.tokens, "end_turn"
        if said.is_refusal:
            stop = "refusal"
        elif tokens_out > asked.max_tokens or estimate_tokens(text) > asked.max_tokens:
            text = text.encode()[: 4 * asked.max_tokens].decode("utf-8", "ignore")
            tokens_out, stop = asked.max_tokens, "max_tokens"
        usage: dict[str, Any] = {"input_tokens": asked.tokens, "output_tokens": tokens_out}
        if said.thinking:
            usage["output_tokens_details"] = {"thinking_tokens": said.thinking}
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        request_id = _request_id()
        self._note(request, request_id, 200, usage)
        body = {
            "id": request_id.replace("req_", "msg_"),
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }
        return JSONResponse(body, headers={"request-id": request_id})

    async def count_tokens(self, request: HttpRequest) -> Response:
        """Answer `POST /v1/messages/count_tokens`."""
        asked = _checked(await _body(request), max_tokens=1)
        return JSONResponse({"input_tokens": asked.tokens}, headers={"request-id": _request_id()})

    async def models(self, request: HttpRequest) -> Response:
        """Answer `GET /v1/models`, with the declaration that this endpoint is simulated."""
        name = self._world.profile.name
        listed = {
            "type": "model",
            "id": name,
            "display_name": f"{name} (simulated)",
            "created_at": "1970-01-01T00:00:00Z",
            "lifecycle": "active",
        }
        declaration = {
            "simulated": True,
            "agents": self._world.agents.name,
            "persistent_share": self._world.profile.persistent_share,
            "profile": asdict(self._world.profile),
            "seed": self._world.seed,
        }
        body = {"data": [listed], "has_more": False, "first_id": name, "last_id": name}
        return JSONResponse(
            {**body, DECLARATION: declaration}, headers={"request-id": _request_id()}
        )

    async def refuse(self, request: HttpRequest, error: Exception) -> Response:
        """Return *error* in the API's shape; what is not the client's fault says no more."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        said = str(error.detail) if isinstance(error, HTTPException) else "internal error"
        request_id = _request_id()
        if getattr(request.state, "is_logged", False):
            self._note(request, request_id, status, None)
        kind = _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        body = {"type": "error", "error": {"type": kind, "message": said}, "request_id": request_id}
        return JSONResponse(body, status, headers={"request-id": request_id})

    def _said(self, header: str | None, asked: _Asked, data: bytes) -> _Said:
        if header is None:
            return _plain(_keyed(asked, data))
        spec = _spec(header)
        try:
            if self._world.is_judged(spec):
                return _plain(self._world.answer(spec))
            return _of(self._world.played(spec, asked))
        except UsageError as error:
            raise HTTPException(400, f"{CALL_SPEC_HEADER}: {error}") from None

    def _note(
        self, request: HttpRequest, request_id: str, status: int, usage: Mapping[str, int] | None
    ) -> None:
        if self._log is not None:
            digest = getattr(request.state, "digest", None)
            line = {"id": request_id, "status": status, "usage": usage, "digest": digest}
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()


def _plain(text: str) -> _Said:
    return _Said(text, estimate_tokens(text))


def _of(found: Answered) -> _Said:
    text = NOTHING_KNOWN if found.text is None else found.text
    if found.ending == REFUSED:
        return _Said("", found.tokens_out, is_refusal=True)
    if found.ending == INVALID:
        text += BROKEN
    return _Said(text, found.tokens_out, found.thinking)


def _request_id() -> str:
    return f"req_{secrets.token_hex(12)}"


async def _body(request: HttpRequest) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(data)


def _checked(data: bytes, *, max_tokens: int | None = None) -> _Asked:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    model, most = body.get("model"), body.get("max_tokens", max_tokens)
    if not isinstance(model, str) or not model:
        raise HTTPException(400, "model: a non-empty string is required")
    if type(most) is not int or most < 1:
        raise HTTPException(400, "max_tokens: an integer of at least 1 is required")
    if body.get("stream"):
        raise HTTPException(400, "stream: this server does not stream")
    tokens = _tokens(body)
    messages, config = body["messages"], body.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    return _Asked(
        model,
        most,
        tokens,
        _schema(body),
        context_tokens=_content_tokens(messages[0]["content"], "messages.0.content"),
        attempt=sum(message["role"] == "assistant" for message in messages),
        effort=effort if isinstance(effort, str) else None,
    )


def _tokens(body: Mapping[str, Any]) -> int:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise HTTPException(400, "messages: at least one message is required")
    total = 0
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant"):
            raise HTTPException(400, f"messages.{place}.role: user or assistant is required")
        total += _content_tokens(message.get("content"), f"messages.{place}.content")
    if body.get("system") is not None:
        total += _content_tokens(body["system"], "system")
    return total


def _content_tokens(content: Any, where: str) -> int:  # Any: whatever a client sent
    if isinstance(content, str) and content:
        return estimate_tokens(content)
    if isinstance(content, list) and content and all(isinstance(b, dict) for b in content):
        return sum(estimate_tokens(str(block.get("text", ""))) for block in content)
    raise HTTPException(400, f"{where}: a non-empty text or a list of blocks is required")


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    if form is None:
        return None
    schema = form.get("schema") if isinstance(form, dict) else None
    if not isinstance(schema, dict) or form.get("type") != "json_schema":
        raise HTTPException(400, "output_config.format: json_schema with a schema is required")
    return schema


def _spec(header: str) -> Mapping[str, Any]:
    try:
        spec = json.loads(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise HTTPException(400, f"{CALL_SPEC_HEADER}: base64 of JSON is required") from None
    if not isinstance(spec, dict):
        raise HTTPException(400, f"{CALL_SPEC_HEADER}: a JSON object is required")
    return spec


def _keyed(asked: _Asked, data: bytes) -> str:
    if asked.schema is None:
        return "This is a simulated answer."
    key = np.uint64(int.from_bytes(blake2b(data, digest_size=8).digest(), "little"))
    return json.dumps(sample(asked.schema, key))


def _part(spec: Mapping[str, Any], name: str, kind: type) -> Any:  # Any: of type *kind*
    value = spec.get(name)
    if type(value) is not kind:
        raise UsageError(f"the call spec has no {name} of type {kind.__name__}")
    return value
