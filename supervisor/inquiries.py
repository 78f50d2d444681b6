"""What a workflow asks its user: who waits for an answer, and what nobody is here to answer."""

import asyncio
from collections.abc import Callable

from ..actors.actor import Message
from .desk import Inquiry
from .orders import Inquired


class Inquiries:
    """The questions of one run; *note* has the driver ask them, if it *can_ask* anybody."""

    def __init__(self, note: Callable[[Message], None], *, can_ask: bool) -> None:
        self._note, self._can_ask = note, can_ask
        self._waiting: dict[str, asyncio.Future[str | None]] = {}
        self._asked: dict[str, Inquiry] = {}
        self.unanswered: Inquiry | None = None
        """The first question that the run must wait for."""

    async def ask(self, inquiry: Inquiry) -> str | None:
        """Return the user's answer, or the default; None where the run must wait for one.

        What is none of a question's options is no answer to it.
        """
        if not self._can_ask:
            if inquiry.default is None:
                self.unanswered = self.unanswered or inquiry
            return inquiry.default
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting[inquiry.path], self._asked[inquiry.path] = answer, inquiry
        self._note(Inquired(inquiry=inquiry))
        given = await answer
        if given is None or (inquiry.options and given not in inquiry.options):
            if inquiry.default is None:
                self.unanswered = self.unanswered or inquiry
            return inquiry.default
        return given

    def answer(self, path: str, answer: str | None) -> None:
        """Take the user's *answer* to the question at *path*."""
        waiting = self._waiting.pop(path, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def answer_next(self, answer: str) -> None:
        """Take *answer* for the question that has waited longest, if it is one of its options."""
        for path in self._waiting:
            options = self._asked[path].options
            if not options or answer in options:
                return self.answer(path, answer)
