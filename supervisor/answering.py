"""From a reply to the value that the workflow asked for, by asking again if need be."""

from dataclasses import replace
from typing import Any, Final

from ..actors.errors import AgentError, InvalidAnswerError
from ..actors.output import Output
from .agents import raise_for
from .backstage import Backstage
from .outbox import Call

MAX_REASKS: Final = 4
AGAIN: Final = """

Your last answer was:
{answer}
It cannot be used: {why}. Answer again.
"""


async def answered(stage: Backstage, call: Call, wanted: Output[Any] | None) -> Any:
    """Return the answer to *call* as the type that is *wanted*, or as text.

    What JSON Schema cannot say (a field's own validator) is checked here: an answer that fails is
    asked again with the reason, four times at most, each at a place of its own. Raises AgentError
    where there is no answer.
    """
    first, spec = call, call.spec
    for again in range(1, MAX_REASKS + 2):
        reply = await stage.ask(call)
        raise_for(reply, call)
        assert reply.answer is not None
        if wanted is None:
            return reply.answer
        try:
            return wanted.read(reply.answer)
        except InvalidAnswerError as error:
            more = AGAIN.format(answer=reply.answer, why=error.why)
        call = replace(first, path=f"{first.path}~{again}", prompt=first.prompt + more, spec=spec)
    stage.outbox.lost["invalid"] += 1
    raise AgentError(first.path, "invalid", "type")
