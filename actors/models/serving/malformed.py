"""Answers with status 200 that are no messages: what servers and proxies have been seen to send."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_HTML: Final = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"
_DEPTH: Final = 100_000

Message = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Broken:
    """A body that is no message, and what it says it is."""

    data: bytes
    media_type: str = "application/json"


def broken(message: Message, shape: str) -> Broken:
    """Return *message* broken into *shape*, one of SHAPES."""
    if shape == "html":
        return Broken(_HTML, "text/html; charset=utf-8")
    return Broken(_SHAPES[shape](message))


def _with(**changes: Any) -> Callable[[Message], bytes]:
    return lambda message: json.dumps({**message, **changes}).encode()


def _without(name: str) -> Callable[[Message], bytes]:
    return lambda message: json.dumps({k: v for k, v in message.items() if k != name}).encode()


def _usage(**changes: Any) -> Callable[[Message], bytes]:
    return lambda message: json.dumps(
        {**message, "usage": {**message["usage"], **changes}}
    ).encode()


def _text(text: Any) -> Callable[[Message], bytes]:
    return _with(content=[{"type": "text", "text": text}])


def _plain(data: bytes) -> Callable[[Message], bytes]:
    return lambda message: data


_SHAPES: Final[Mapping[str, Callable[[Message], bytes]]] = {
    "not_json": _plain(b"upstream connect error or disconnect/reset before headers"),
    "html": _plain(_HTML),
    "empty": _plain(b""),
    "null": _plain(b"null"),
    "array": lambda message: json.dumps([message]).encode(),
    "deep": _plain(b"[" * _DEPTH),
    "not_utf8": _plain(b'{"type": "message", "content": "\xff\xfe"}'),
    "truncated_json": lambda message: json.dumps(message).encode()[:-20],
    "wrong_type": _with(type="banana"),
    "error_with_200": _with(type="error", error={"type": "api_error", "message": "internal"}),
    "content_string": _with(content="just a text"),
    "content_null": _with(content=None),
    "content_missing": _without("content"),
    "content_of_strings": _with(content=["just a text"]),
    "text_number": _text(5),
    "lone_surrogate": _text("\ud800 half a character"),
    "stop_unknown": _with(stop_reason="tired"),
    "stop_number": _with(stop_reason=7),
    "usage_missing": _without("usage"),
    "usage_null": _with(usage=None),
    "usage_negative": _usage(input_tokens=-5, output_tokens=-1),
    "usage_strings": _usage(input_tokens="12", output_tokens="3"),
    "usage_huge": _usage(input_tokens=10**30, output_tokens=10**30),
    "usage_nan": _usage(output_tokens=float("nan")),
    "usage_fraction": _usage(output_tokens=1.5),
}

SHAPES: Final = tuple(_SHAPES)
"""Every way in which an answer can be malformed."""
