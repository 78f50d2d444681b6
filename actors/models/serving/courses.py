"""How the response to an accepted request goes: as it should, or as a fault has it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from .faults import Strike
from .latency import Pace
from .malformed import broken
from .sending import Chunk, Course
from .streaming import events_of, framed

_STREAM: Final = "text/event-stream; charset=utf-8"
_PIECE: Final = 2**20

Message = Mapping[str, Any]  # Any: JSON


def course_of(message: Message, pace: Pace, *, is_streamed: bool, strike: Strike | None) -> Course:
    """Return the course of the response that brings *message* at *pace*."""
    good = _streamed(message, pace) if is_streamed else _whole(message, pace)
    if strike is None:
        return good
    if strike.kind == "drop_after":
        return Course(before_s=pace.total_s, has_headers=False, hangs_up=True)
    if strike.kind == "hang":
        return Course(has_headers=False, hangs=True)
    if strike.kind == "drop_midway":
        return replace(good, chunks=_half(list(good.chunks)), hangs_up=True)
    if strike.kind == "trickle":
        data = b"".join(data for _, data in good.chunks)
        return replace(good, chunks=_trickled(data, strike.rule.interval_s), is_long=True)
    if strike.kind == "giant":
        giant = _giant_stream if is_streamed else _giant
        return replace(good, chunks=giant(message, strike.rule.bytes), size=None, is_long=True)
    found = broken(message, strike.shape or "not_json")
    if is_streamed:
        framed_data = b"event: message_start\ndata: " + found.data + b"\n\n"
        return replace(good, chunks=[(0.0, framed_data)])
    body = [(0.0, found.data)]
    return replace(good, chunks=body, size=len(found.data), media_type=found.media_type)


def _whole(message: Message, pace: Pace) -> Course:
    data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return Course(before_s=pace.total_s, chunks=[(0.0, data)], size=len(data))


def _streamed(message: Message, pace: Pace) -> Course:
    events = [framed(event) for event in events_of(message)]
    wait_s = pace.decode_s / max(len(events) - 1, 1)
    chunks = [(wait_s if place else 0.0, data) for place, data in enumerate(events)]
    return Course(before_s=pace.ttft_s, chunks=chunks, media_type=_STREAM, is_long=True)


def _half(chunks: list[Chunk]) -> list[Chunk]:
    if len(chunks) > 1:
        return chunks[: len(chunks) // 2]
    return [(wait_s, data[: len(data) // 2]) for wait_s, data in chunks]


def _trickled(data: bytes, interval_s: float) -> Iterator[Chunk]:
    for place in range(len(data)):
        yield interval_s, data[place : place + 1]


def _giant(message: Message, size: int) -> Iterator[Chunk]:
    """Yield *message* with a text of *size* bytes behind its own."""
    empty = {**message, "content": [*message["content"], {"type": "text", "text": "<>"}]}
    head, _, tail = json.dumps(empty).rpartition("<>")
    yield 0.0, head.encode()
    for start in range(0, size, _PIECE):
        yield 0.0, b"x" * min(_PIECE, size - start)
    yield 0.0, tail.encode()


def _giant_stream(message: Message, size: int) -> Iterator[Chunk]:
    """Yield the events of *message*, with *size* bytes more in its last block."""
    events = list(events_of({**message, "content": [{"type": "text", "text": ""}]}))
    ends = next(n for n, event in enumerate(events) if event["type"] == "content_block_stop")
    for event in events[:ends]:
        yield 0.0, framed(event)
    for start in range(0, size, _PIECE):
        delta = {"type": "text_delta", "text": "x" * min(_PIECE, size - start)}
        yield 0.0, framed({"type": "content_block_delta", "index": 0, "delta": delta})
    for event in events[ends:]:
        yield 0.0, framed(event)
