"""What Ray's errors mean to us."""

import re
from types import ModuleType
from typing import Final

from ...actors.errors import ActorCancelledError, ActorDiedError, CommediaError, RunFailedError

_RAISED: Final = re.compile(r"\w+(Error|Exception): ")


def meaning_of(error: Exception, exceptions: ModuleType, *, actor: str) -> Exception:
    """Return what *error*, of Ray's *exceptions* or not, means to who asks *actor*.

    That is the actor's own error, its death, or that it was no longer asked.
    """
    is_raised = isinstance(error, exceptions.RayTaskError)
    if is_raised:
        cause = getattr(error, "cause", None)
        if not isinstance(cause, Exception):
            return error
        if not isinstance(cause, CommediaError):  # a fault of ours: keep where it happened
            cause.add_note(str(error))
        return cause
    if isinstance(error, exceptions.TaskCancelledError):
        return ActorCancelledError("the question was taken back")
    if isinstance(error, exceptions.RayActorError | exceptions.ActorUnschedulableError):
        return ActorDiedError(actor)
    if isinstance(error, exceptions.RaySystemError):
        why = [line for line in str(error).splitlines() if _RAISED.match(line)]
        said = why[-1] if why else str(error).partition("\n")[0]
        return RunFailedError(f"what was sent to the {actor} cannot be read there: {said}")
    return error
