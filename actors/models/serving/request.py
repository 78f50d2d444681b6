"""The body of a request to the Messages API, checked as the API checks it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from hashlib import blake2b
from typing import Any, Final

from starlette.exceptions import HTTPException

from ...prompts import estimate_tokens
from .prefixes import Mark, marks_of, tokens_of
from .tools import Tools, tools_of

_THINKING: Final = ("adaptive", "enabled", "between_tools", "disabled")
_LEAST_BUDGET: Final = 1024
_APART: Final = ("stream", "tools", "thinking", "tool_choice")
"""What the SDK puts elsewhere when it streams: it stands last in what a request is known by."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A request's body after its checks; *identity* are the bytes that it is known by.

    *tokens* are all of its input, *attempt* counts the answers that it already shows, and *marks*
    are the ends of its blocks, if it asks for any prefix to be cached.
    """

    model: str
    max_tokens: int
    tokens: int
    schema: Mapping[str, Any] | None
    _: KW_ONLY
    context_tokens: int
    attempt: int
    effort: str | None
    is_streamed: bool = False
    thinks: bool = False
    tools: Tools = field(default_factory=Tools)
    marks: Sequence[Mark] = ()
    identity: bytes = b""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a request and what they hold, if that is JSON; nothing is checked yet."""

    data: bytes
    held: Any = None  # Any: JSON
    is_json: bool = False

    @classmethod
    def parse(cls, data: bytes) -> "Body":
        """Read *data*, whatever it is."""
        try:
            return cls(data, json.loads(data), is_json=True)
        except (ValueError, RecursionError):
            return cls(data)

    @classmethod
    def of(cls, held: Mapping[str, Any]) -> "Body":
        """Return the body that the SDK would send for *held*."""
        return cls(_dumped(held), held, is_json=True)

    @property
    def identity(self) -> bytes:
        """The bytes, as if no stream had been asked for."""
        held = self.held
        if not isinstance(held, dict) or not any(name in held for name in _APART):
            return self.data
        plain = {name: value for name, value in held.items() if name not in _APART}
        return _dumped(plain | {name: held[name] for name in _APART[1:] if name in held})

    def digest(self, spec: str | None) -> str:
        """Return the hash by which a log names what was asked, however often."""
        return blake2b(f"{spec}".encode() + self.identity, digest_size=16).hexdigest()

    def checked(self, *, max_tokens: int | None = None) -> Posted:
        """Return what is asked; raises HTTPException 400, which says why it cannot be used."""
        if not self.is_json:
            raise HTTPException(400, "the body is not JSON")
        if not isinstance(self.held, dict):
            raise HTTPException(400, "the body is not a JSON object")
        return _checked(self.held, self.identity, max_tokens)


def _checked(body: Mapping[str, Any], identity: bytes, max_tokens: int | None) -> Posted:
    model, most = body.get("model"), body.get("max_tokens", max_tokens)
    if not isinstance(model, str) or not model:
        raise HTTPException(400, "model: a non-empty string is required")
    messages = _messages(body)
    tools = tools_of(body)
    marks = marks_of(body)
    is_warming = most == 0 and bool(marks)
    if type(most) is not int or (most < 1 and not is_warming):
        raise HTTPException(400, "max_tokens: an integer of at least 1 is required")
    config = body.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    return Posted(
        model,
        most,
        tokens_of(body),
        _schema(body),
        context_tokens=_content_tokens(messages[0]["content"], "messages.0.content"),
        attempt=sum(message["role"] == "assistant" for message in messages),
        effort=effort if isinstance(effort, str) else None,
        is_streamed=body.get("stream") is True,
        thinks=_thinks(body, most),
        tools=tools,
        marks=marks,
        identity=identity,
    )


def _dumped(held: Mapping[str, Any]) -> bytes:
    text = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise HTTPException(400, "messages: at least one message is required")
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant"):
            raise HTTPException(400, f"messages.{place}.role: user or assistant is required")
        _content_tokens(message.get("content"), f"messages.{place}.content")
    if body.get("system") is not None:
        _content_tokens(body["system"], "system")
    if body.get("stream") not in (None, True, False):
        raise HTTPException(400, "stream: true or false is required")
    return messages


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


def _thinks(body: Mapping[str, Any], max_tokens: int) -> bool:
    thinking = body.get("thinking")
    if thinking is None:
        return False
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in _THINKING:
        raise HTTPException(400, f"thinking.type: one of {', '.join(_THINKING)} is required")
    budget = thinking.get("budget_tokens")
    if kind == "enabled" and (type(budget) is not int or not _LEAST_BUDGET <= budget < max_tokens):
        why = f"an integer from {_LEAST_BUDGET} to below max_tokens is required"
        raise HTTPException(400, f"thinking.enabled.budget_tokens: {why}")
    return bool(kind != "disabled")
