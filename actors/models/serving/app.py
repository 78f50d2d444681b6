"""The endpoints of the Messages API, as an ASGI app over simulated agents.

It declares itself simulated in its models list. Our own client then sends the call spec in a
header, and gets what the direct simulated judge or agent would answer; any other request gets an
answer that fits its schema or its tools, keyed by the hash of its body.
"""

from dataclasses import asdict
from functools import partial
from typing import Any, Final, TextIO

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..wire import CALL_SPEC_HEADER, DECLARATION
from .answering import Answerer
from .batch_server import BatchServer
from .batches import Batches
from .courses import course_of
from .desk import Desk
from .errors import error_body, error_response, request_id
from .faults import Faults, Strike
from .latency import Latency
from .ledger import Entry, Ledger
from .limits import Limiter, Limits
from .reading import MAX_BODY_BYTES, read_body
from .refusing import struck_response
from .request import Body, Posted
from .sending import Course, Sent
from .timing import ServedTime
from .world import World

BATCH_S: Final = 2.0
"""How long a batch takes, unless something else is said."""


def serve_app(
    world: World,
    *,
    log: TextIO | None = None,
    latency: Latency = Latency(),
    limits: Limits = Limits(),
    faults: Faults = Faults(),
    batch_s: float = BATCH_S,
    time: ServedTime | None = None,
) -> Starlette:
    """Return the ASGI app; *log* takes one JSON line a message request, as `Ledger` writes it."""
    time = time or ServedTime()
    desk = Desk(Answerer(world), time, Ledger(log, time), latency, Limiter(limits), faults)
    server = _Server(world, desk)
    routes = [
        Route("/v1/messages", server.messages, methods=["POST"]),
        Route("/v1/messages/count_tokens", server.count_tokens, methods=["POST"]),
        Route("/v1/models", server.models, methods=["GET"]),
        *BatchServer(desk, Batches(batch_s)).routes(),
    ]
    handlers: Any = {HTTPException: server.refuse, Exception: server.refuse}  # starlette's type
    return Starlette(routes=routes, exception_handlers=handlers)


class _Server:
    """The endpoints of messages and models."""

    def __init__(self, world: World, desk: Desk) -> None:
        self._world, self._desk = world, desk

    async def messages(self, request: HttpRequest) -> Response:
        """Answer `POST /v1/messages`."""
        entry = request.state.entry = Entry(request_id())
        body = Body.parse(await read_body(request, MAX_BODY_BYTES))
        spec = request.headers.get(CALL_SPEC_HEADER)
        entry.digest = body.digest(spec)
        posted = body.checked()
        entry.model = posted.model
        strike = self._desk.strike(entry, on="messages")
        if strike is not None and not strike.is_charged:
            return struck_response(self._desk, entry, strike, on="messages")
        message, pace = self._desk.accept(entry, posted, spec)
        self._desk.let_in(entry, on="messages")
        if strike is not None and strike.status is not None:
            course = self._failed(entry, strike, pace.total_s)
        else:
            course = course_of(message, pace, is_streamed=posted.is_streamed, strike=strike)
        entry.status = course.status if course.has_headers else None
        self._desk.ledger.write(entry)
        return self._sent(course, entry, posted)

    async def count_tokens(self, request: HttpRequest) -> Response:
        """Answer `POST /v1/messages/count_tokens`."""
        body = Body.parse(await read_body(request, MAX_BODY_BYTES))
        posted = body.checked(max_tokens=2**31)
        entry = Entry(request_id(), digest=body.digest(None))
        strike = self._desk.strike(entry, on="count_tokens")
        if strike is not None:
            return struck_response(self._desk, entry, strike, on="count_tokens")
        self._desk.let_in(entry, on="count_tokens")
        return JSONResponse({"input_tokens": posted.tokens}, headers={"request-id": entry.id})

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
        headers = {"request-id": request_id()}
        return JSONResponse({**body, DECLARATION: declaration}, headers=headers)

    async def refuse(self, request: HttpRequest, error: Exception) -> Response:
        """Return *error* in the API's shape; what is not the client's fault says no more."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        said = str(error.detail) if isinstance(error, HTTPException) else "internal error"
        entry = getattr(request.state, "entry", None)
        if entry is not None:
            entry.status, entry.fault = status, None
            self._desk.ledger.write(entry)
        headers = error.headers if isinstance(error, HTTPException) else None
        return error_response(status, said, request_id() if entry is None else entry.id, headers)

    def _failed(self, entry: Entry, strike: Strike, after_s: float) -> Course:
        """Return the course of an error after the request was accepted."""
        body = JSONResponse(error_body(strike.status or 500, strike.rule.message, entry.id)).body
        chunks = [(0.0, bytes(body))]
        return Course(after_s, chunks, status=strike.status or 500, size=len(body))

    def _sent(self, course: Course, entry: Entry, posted: Posted) -> Response:
        finish = partial(self._desk.produced, posted, entry.usage or {})
        headers = {"request-id": entry.id}
        return Sent(course, self._desk.time, headers=headers, on_start=finish)
