"""The Messages API as we speak it: a request's body, and a response read without trust.

Knows no SDK: `claude.py` sends these bodies, `serving.py` answers them.
"""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

from ..answers import Asked, Typed, answer_schema

Outcome = Literal[
    "ok",
    "refused",
    "truncated",
    "overflow",
    "malformed",
    "timeout",
    "dropped",
    "unreachable",
    "rate_limited",
    "overloaded",
    "server_error",
    "bad_request",
    "too_large",
    "auth",
    "quota",
    "not_found",
    "no_strict_form",
    "script_failed",
]
"""How an attempt ended. *unreachable*: nothing was sent; *dropped*: sent, and no reply came;
*malformed*: a reply that is no message; *no_strict_form*: output_config was refused."""

CALL_SPEC_HEADER: Final = "commedia-call-spec"
DECLARATION: Final = "commedia"
"""The key in a models list under which an endpoint declares itself simulated."""

REQUEST_OVERHEAD: Final = 512
"""Input tokens that a server may add to a request: its chat template, its words on the schema."""
THINKING_ROOM: Final = 4096
WHY_ROOM: Final = 160
"""Output tokens for a judge's reasons."""

_NOT_CHARGED: Final[frozenset[Outcome]] = frozenset(
    {
        "unreachable",
        "rate_limited",
        "overloaded",
        "bad_request",
        "too_large",
        "auth",
        "quota",
        "not_found",
        "no_strict_form",
        "script_failed",
    }
)
_LARGEST_COUNT: Final = 2**31 - 1
_PLAIN = "\n\nAnswer with one JSON object and nothing else. It must fit this JSON Schema:\n"
_REASK = (
    "That answer cannot be used: {why}. Answer the question again, with nothing but one JSON "
    "object that fits this JSON Schema:\n{schema}"
)
_REASK_TEXT = "That answer cannot be used: {why}. Answer the question again."


Turn = tuple[Literal["user", "assistant"], str]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as a server reports them; *tokens_in* excludes what was written to a cache or read."""

    tokens_in: int = 0
    tokens_out: int = 0
    thinking: int = 0
    cache_write: int = 0
    cache_read: int = 0

    @property
    def total(self) -> int:
        """All tokens that count against a budget."""
        return self.tokens_in + self.tokens_out + self.cache_write + self.cache_read

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.thinking + other.thinking,
            self.cache_write + other.cache_write,
            self.cache_read + other.cache_read,
        )


Axis = Literal["requests", "tokens", "tokens_in", "tokens_out"]
"""What a server limits by the minute."""


class Limit(NamedTuple):
    """How much a server allows a minute, and what of it is left."""

    a_minute: int
    remaining: int


RateLimits = Mapping[Axis, Limit]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one HTTP request brought; *reason* narrows the outcome in one closed word.

    *limits* are those that the response's headers tell; *said* is what a server that refused said
    itself, not to be trusted.
    """

    outcome: Outcome
    text: str = ""
    usage: Usage | None = None
    served_model: str | None = None
    request_id: str | None = None
    retry_after_s: float | None = None
    reason: str | None = None
    limits: RateLimits | None = None
    said: str = ""

    @property
    def is_charged(self) -> bool | None:
        """Whether the server charged for it; None where nobody knows."""
        if self.usage is not None:
            return True
        return False if self.outcome in _NOT_CHARGED else None


def played(outcome: str) -> Attempt:
    """Return the attempt that ends as *outcome* says; a word that is none is the script's fault."""
    for word in get_args(Outcome):
        if word == outcome:
            return Attempt(word)
    return Attempt("script_failed", reason="outcome")


class Client(Protocol):
    """Whatever sends one request at a time to a model and reports how it went."""

    def max_tokens(self, asked: Asked) -> int:
        """Return the output tokens that an answer to *asked* may need here."""
        ...

    async def attempt(self, request: "Request", *, max_tokens: int, timeout_s: float) -> Attempt:
        """Send *request* once; never raises for what a server or a network did."""
        ...

    async def declared(self) -> Mapping[str, Any] | None:
        """Return what a simulated endpoint says of itself; None from any other."""
        ...

    def is_strict(self) -> bool:
        """Whether the endpoint is still asked for strict structured output."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model, with the turns that went before in *turns*: (role, text)."""

    call_id: int
    question: Asked
    turns: tuple[Turn, ...]
    row: Mapping[str, Any]

    @property
    def spec(self) -> str | None:
        """The call spec as JSON: for endpoints that declare themselves simulated alone."""
        return self.row.get("spec")

    def reasked(self, answer: str, why: str) -> "Request":
        """Return the request that shows the model its *answer* and *why* it cannot be used."""
        schema = answer_schema(self.question)
        words = _REASK_TEXT if schema is None else _REASK
        more: tuple[Turn, ...] = (
            ("assistant", answer.strip() or "(nothing)"),
            ("user", words.format(why=why, schema=json.dumps(schema))),
        )
        return replace(self, turns=(*self.turns, *more))


def most_tokens_out(asked: Asked, *, thinks: bool = False) -> int:
    """Return the most tokens that an answer to *asked* may take, written with all its spaces."""
    if isinstance(asked, Typed):
        room = asked.room
    else:
        room = 40 + (6 * asked.size if asked.kind == "list" else 0) + WHY_ROOM * asked.why
    return room + THINKING_ROOM if thinks else room


def body_of(
    request: Request,
    *,
    model: str,
    max_tokens: int,
    strict: Mapping[str, Any] | None,
    begun: str = "",
) -> dict[str, Any]:
    """Return the body of `POST /v1/messages`; *strict* is the schema as the endpoint enforces it.

    Without, the prompt describes the schema, if the answer needs one; *begun* are the first words
    of the answer, which the model is to go on from.
    """
    schema = answer_schema(request.question)
    messages = [{"role": role, "content": text} for role, text in request.turns]
    if begun:
        messages.append({"role": "assistant", "content": begun})
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": max_tokens,
        "messages": messages,
    }
    config: dict[str, Any] = {}
    if request.row.get("effort"):
        config["effort"] = request.row["effort"]
    if strict is not None:
        config["format"] = {"type": "json_schema", "schema": dict(strict)}
    elif schema is not None:
        messages[0]["content"] += _PLAIN + json.dumps(schema)
    return {**body, "output_config": config} if config else body


def most_tokens_in(request: Request) -> int:
    """Return a strict upper bound of the request's input tokens, in whichever form it is sent.

    A token of a byte-level vocabulary is at least one byte; the schema is counted twice, because a
    server may also put it into its prompt.
    """
    text = sum(len(text.encode("utf-8", "replace")) for _, text in request.turns)
    schema = 3 * _schema_bytes(request.question)  # 3: made strict, it grows
    return text + 2 * schema + len(_PLAIN) + 32 * len(request.turns) + REQUEST_OVERHEAD


@functools.lru_cache(maxsize=256)
def _schema_bytes(asked: Asked) -> int:
    return len(json.dumps(answer_schema(asked)))


def read_message(data: bytes) -> Attempt:
    """Read the body of a 200 response: what the SDK lets through is checked here.

    A page of HTML, content that is a string, negative usage, an unknown stop reason: *malformed*,
    with the reason; the server has charged for it, and nobody knows how much.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return Attempt("malformed", reason="not_json")
    if not isinstance(body, dict) or body.get("type", "message") != "message":
        return Attempt("malformed", reason="not_a_message")
    usage = _usage(body.get("usage"))
    if usage is None:
        return Attempt("malformed", reason="usage")
    text = _text(body.get("content"))
    if text is None:
        return Attempt("malformed", reason="content")
    stop = body.get("stop_reason")
    outcome = _STOPS.get(stop) if isinstance(stop, str) else None
    if outcome is None:
        return Attempt("malformed", reason="stop_reason")
    return Attempt(outcome, text, usage, served_model=_name(body.get("model")))


_STOPS: Final[dict[str, Outcome]] = {
    "end_turn": "ok",
    "stop_sequence": "ok",
    "max_tokens": "truncated",
    "refusal": "refused",
    "model_context_window_exceeded": "overflow",
}


def read_error(status: int, message: str) -> tuple[Outcome, str | None]:
    """Return the outcome of a response with an error *status*, and a closed word for its cause."""
    if status in (400, 422) and re.search(r"output_(config|format)|json_schema", message):
        return "no_strict_form", None
    if status == 400 and re.search(r"context.{0,20}(size|window|length)", message, re.IGNORECASE):
        return "bad_request", "context_window"
    if status in _ERRORS:
        return _ERRORS[status]
    if status in (408, 409) or status >= 500:
        return "server_error", None
    return "bad_request", "redirect" if status < 400 else None


_ERRORS: Final[dict[int, tuple[Outcome, str | None]]] = {
    401: ("auth", None),
    402: ("quota", None),
    403: ("auth", None),
    404: ("not_found", None),
    413: ("too_large", None),
    429: ("rate_limited", None),
    503: ("overloaded", None),
    529: ("overloaded", None),
}


def read_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """Return the rate limits that a response's *headers* tell; what is no count is not told."""
    found: dict[Axis, Limit] = {}
    for axis, name in _AXES.items():
        parts = (f"anthropic-ratelimit-{name}-{part}" for part in ("limit", "remaining"))
        told = [headers.get(part) for part in parts]
        if all(part and part.isascii() and part.isdigit() and len(part) < 16 for part in told):
            a_minute, remaining = (int(part or 0) for part in told)
            if a_minute > 0:
                found[axis] = Limit(a_minute, remaining)
    return found or None


_AXES: Final[dict[Axis, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "tokens_in": "input-tokens",
    "tokens_out": "output-tokens",
}


def _usage(found: Any) -> Usage | None:  # Any: whatever a server sent
    if not isinstance(found, dict):
        return None
    details = found.get("output_tokens_details")
    counts: list[Any] = [
        found.get("input_tokens"),
        found.get("output_tokens"),
        (details.get("thinking_tokens") if isinstance(details, dict) else None) or 0,
        found.get("cache_creation_input_tokens") or 0,
        found.get("cache_read_input_tokens") or 0,
    ]
    if all(type(count) is int and 0 <= count <= _LARGEST_COUNT for count in counts):
        return Usage(*counts)
    return None


def _text(content: Any) -> str | None:  # Any: whatever a server sent
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return None
    parts = [block.get("text") for block in content if block.get("type") == "text"]
    if not all(isinstance(part, str) for part in parts):
        return None
    return "".join(parts).encode("utf-8", "replace").decode()  # no lone surrogate gets past here


def _name(model: Any) -> str | None:  # Any: whatever a server sent
    if not isinstance(model, str) or not model:
        return None
    return re.sub(r"[^\w.:/@+-]", "?", model[:100], flags=re.ASCII)
