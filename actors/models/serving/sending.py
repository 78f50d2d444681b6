"""Responses that take their time, and those that go wrong on their way."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .connections import hang_up, until_gone
from .timing import ServedTime

Chunk = tuple[float, bytes]
"""What is sent next, and the seconds to wait before it."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a response goes: after *before_s* its headers, then *chunks*; *size* if it is known.

    With *hangs_up* the connection is closed after all of that; a course without *has_headers*
    sends nothing. With *hangs* nothing more comes, until the client leaves. A *long* one ends
    when the client leaves.
    """

    before_s: float = 0.0
    chunks: Iterable[Chunk] = ()
    status: int = 200
    size: int | None = None
    media_type: str = "application/json"
    has_headers: bool = True
    hangs_up: bool = False
    hangs: bool = False
    is_long: bool = False


class Sent(Response):
    """Sends a *course* on the server's *time*; *on_start* returns the last of its headers."""

    def __init__(
        self,
        course: Course,
        time: ServedTime,
        *,
        headers: Mapping[str, str],
        on_start: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        super().__init__(None, course.status, headers, course.media_type)
        self._course, self._time, self._on_start = course, time, on_start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if self._course.is_long or self._course.hangs:
            await self._watch(receive, send)
        else:
            await self._send(send)
        if self._course.hangs_up:
            await hang_up(scope, receive)

    async def _watch(self, receive: Receive, send: Send) -> None:
        """Send it, until the client leaves."""
        gone = asyncio.ensure_future(until_gone(receive))
        sending = asyncio.ensure_future(self._send(send))
        try:
            await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()  # whatever went wrong is not kept quiet
        finally:
            for task in (gone, sending):
                task.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        course = self._course
        await self._time.sleep(course.before_s)
        more = self._on_start()
        if course.has_headers:
            self.headers.update(more)
            del self.headers["content-length"]
            if course.size is not None:
                self.headers["content-length"] = str(course.size)
            head = {"status": course.status, "headers": self.raw_headers}
            await send({"type": "http.response.start", **head})
        sent, is_whole = 0, False
        for wait_s, data in course.chunks:
            await self._time.sleep(wait_s)
            sent += len(data)
            is_whole = sent == course.size and not course.hangs_up
            await send({"type": "http.response.body", "body": data, "more_body": not is_whole})
        if course.hangs:
            await asyncio.Event().wait()
        if course.has_headers and not (course.hangs_up or is_whole):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
