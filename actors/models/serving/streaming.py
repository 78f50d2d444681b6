"""A message as the events of a stream, in the API's shapes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

PIECES: Final = 40
"""A block comes in so many deltas at most."""
_LEAST: Final = 8
"""A delta has so many characters at least."""

Event = Mapping[str, Any]  # Any: JSON


def events_of(message: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the events that say *message*; all of them but the first are its decoding."""
    usage = message["usage"]
    begun = {**usage, "output_tokens": 1 if usage["output_tokens"] else 0}
    begun.pop("output_tokens_details", None)
    yield {
        "type": "message_start",
        "message": {**message, "content": [], "stop_reason": None, "usage": begun},
    }
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    counted = {name: value for name, value in usage.items() if name != "cache_creation"}
    yield {"type": "message_delta", "delta": stop, "usage": counted}
    yield {"type": "message_stop"}


def framed(event: Event) -> bytes:
    """Return *event* as a server-sent event."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _empty(block: Mapping[str, Any]) -> dict[str, Any]:
    blank = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {name: blank.get(name, value) for name, value in block.items()}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        for piece in _pieces(block["text"]):
            yield {"type": "text_delta", "text": piece}
    elif block["type"] == "thinking":
        for piece in _pieces(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        yield {"type": "input_json_delta", "partial_json": ""}
        for piece in _pieces(json.dumps(block["input"])):
            yield {"type": "input_json_delta", "partial_json": piece}


def _pieces(text: str) -> Iterator[str]:
    size = max(_LEAST, -(-len(text) // PIECES))
    for start in range(0, len(text), size):
        yield text[start : start + size]
