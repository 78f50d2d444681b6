"""From a reply to the value that the workflow asked for, by asking again if need be."""

import itertools
from dataclasses import replace
from typing import Any, Final

from ..actors.errors import AgentError, InvalidAnswerError
from ..actors.output import Output
from .agents import raise_for
from .backstage import Backstage
from .outbox import Call

AGAIN: Final = """

Your last answer was:
{answer}
It cannot be used: {why}. Answer again.
"""


async def told(stage: Backstage, call: Call, *, or_none: bool = False) -> str | None:
    """Return the answer to *call* as text.

    Where there is none it is None with *or_none*, and raises AgentError without.
    """
    reply = await stage.ask(call)
    if or_none and reply.status != "ok":
        return None
    raise_for(reply, call)
    return reply.answer


async def typed(
    stage: Backstage, call: Call, wanted: Output[Any], *, or_none: bool = False
) -> Any:  # Any: the type that is wanted, or None
    """Return the answer to *call* as the type that is *wanted*; as `told` else.

    What JSON Schema cannot say (a field's own validator) is checked here: an answer that fails is
    asked again with the reason, four times at most (a model that never mends one is not asked
    again), each at a place of its own.
    """
    first, spec = call, call.spec
    call.is_anew = stage.was_refused(first.path)
    for again in itertools.count():
        reply = await stage.ask(call)
        if or_none and reply.status != "ok":
            return None
        raise_for(reply, call)
        assert reply.answer is not None
        try:
            value = wanted.read(reply.answer)
        except InvalidAnswerError as error:
            more = AGAIN.format(answer=reply.answer, why=error.why)
        else:
            stage.fits(first, ok=True, after=again)
            return value
        if not stage.asks_again(again):
            break
        path = f"{first.path}~{again + 1}"
        call = replace(first, path=path, prompt=first.prompt + more, spec=spec)
    stage.outbox.lost["invalid"] += 1
    stage.fits(first, ok=False)
    if or_none:
        return None
    raise AgentError(first.path, "invalid", "type")
