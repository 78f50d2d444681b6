"""A hand: calls functions of the workflow's own, away from the supervisor."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from .actor import Actor, Envelope
from .errors import EscapedError
from .messages import Did, Do, Done, Trial


class Hand(Actor):
    """Calls one function after the other in a thread; what a function raises reaches its asker."""

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Call a function (Do), or show that it lives (Trial)."""
        match envelope.body:
            case Do(function=function, arguments=arguments):
                yield Envelope(Did(value=await asyncio.to_thread(_called, function, arguments)))
            case Trial():
                yield Envelope(Done())
            case body:
                raise TypeError(f"a hand takes no {type(body).__name__}")


def _called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    try:
        return function(**arguments)
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise EscapedError(f"{type(error).__name__}: {error}") from None
