"""The call spec: what a request says of itself to a simulated model, and the key made of it."""

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import UsageError
from .keyed import Keys, mix, text_key

MOST_COUNT: Final = 100_000

Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]


class CallSpec(BaseModel):
    """What a call is about; real models are never shown it.

    *about* are ids of things of the world, *items* those that a judge is shown. *own* marks a
    verifier that looks at its own model's work, *author* is the model that wrote the *claim*.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    role: str = "worker"
    task: str = ""
    about: tuple[str, ...] = ()
    variant: str = ""
    repeat: Annotated[int, Field(ge=0, lt=2**63)] = 0
    own: bool = False
    author: str | None = None
    claim: str | None = None
    count: Count | None = None
    by: str | None = None
    items: tuple[str, ...] = ()


def read_call(text: str) -> CallSpec:
    """Read a call spec from JSON; raises UsageError, which names the part that is wrong."""
    try:
        return CallSpec.model_validate_json(text)
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False, include_input=False)
        where = ".".join(str(part) for part in first["loc"][:1]) or "it"
        raise UsageError(f"the call spec cannot be used: {where}: {first['msg']}") from None


def call_keys(calls: Sequence[CallSpec], *, seed: int, model: str) -> Keys:
    """Return the key of each call of *model*: never its path, its batch or its place in it.

    Made of seed, model, role, task, `by`, variant, what it is about, in order, and repeat.
    """
    heads: dict[tuple[str, str, str | None, str], np.uint64] = {}
    firsts, abouts = [], []
    for call in calls:
        head = (call.role, call.task, call.by, call.variant)
        if head not in heads:
            heads[head] = text_key("agent", seed, model, *head)
        firsts.append(heads[head])
        claim = () if call.claim is None else (call.claim,)
        abouts.append(text_key(len(call.about), *call.about, *claim, *call.items))
    repeats = np.array([call.repeat for call in calls], np.uint64)
    return mix(np.array(firsts, np.uint64), np.array(abouts, np.uint64), repeats)
