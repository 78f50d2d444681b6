"""What the server says to a request, and the message that says it."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from starlette.exceptions import HTTPException

from ...errors import UsageError
from ...prompts import estimate_tokens
from ...simulation.costs import INVALID, REFUSED
from ..playing import NOTHING_KNOWN
from ..sampling import sample
from ..simulated_agents import Answered
from ..wire import CALL_SPEC_HEADER
from .request import Posted
from .tools import Tool
from .world import World

BROKEN: Final = "\n(a simulated answer that breaks its schema)"
"""What is put behind an answer that shall be invalid."""
THOUGHT: Final = "A simulated thought."


@dataclass(frozen=True, slots=True)
class Said:
    """An answer on its way out: *tokens* are all of its output, with those of thinking."""

    text: str
    tokens: int
    thinking: int = 0
    is_refusal: bool = False
    call: tuple[str, Mapping[str, Any]] | None = None
    """The tool that is called instead, and with what."""


class Answerer:
    """Answers requests as *world* would, and any that has no call spec by its hash."""

    def __init__(self, world: World) -> None:
        self._world = world

    def message(self, posted: Posted, spec: str | None) -> dict[str, Any]:
        """Return the message that answers, but for its id and what a cache saved.

        Raises HTTPException 400 where the call *spec* (base64 of JSON) cannot be used.
        """
        said = self._said(posted, spec)
        content, stop, tokens = _content(posted, said)
        usage: dict[str, Any] = {"input_tokens": posted.tokens, "output_tokens": tokens}
        if said.thinking:
            usage["output_tokens_details"] = {"thinking_tokens": min(said.thinking, tokens)}
        return {
            "id": "",
            "type": "message",
            "role": "assistant",
            "model": posted.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }

    def _said(self, posted: Posted, header: str | None) -> Said:
        key = _key(posted)
        tool = posted.tools.called(key)
        if header is None:
            return _keyed(posted, key, tool)
        schema = tool.schema if tool is not None and posted.tools.is_forced else posted.schema
        spec = _spec(header)
        try:
            if self._world.is_judged(spec):
                said = _plain(self._world.answer(spec))
            else:
                said = _of(self._world.played(spec, posted, schema))
        except UsageError as error:
            raise HTTPException(400, f"{CALL_SPEC_HEADER}: {error}") from None
        return said if tool is None or not posted.tools.is_forced else _called(said, tool)


def _content(posted: Posted, said: Said) -> tuple[list[dict[str, Any]], str, int]:
    """Return the blocks of the answer, why it stops, and the tokens that it takes."""
    if posted.max_tokens == 0:
        return [], "max_tokens", 0
    thought = [] if not (posted.thinks and said.thinking) else [_thought(posted)]
    if said.call is not None:
        block = _tool_use(posted, said.call)
        if said.tokens > posted.max_tokens:
            return [*thought, {**block, "input": {}}], "max_tokens", posted.max_tokens
        return [*thought, block], "tool_use", said.tokens
    text, tokens, stop = said.text, said.tokens, "refusal" if said.is_refusal else "end_turn"
    is_long = tokens > posted.max_tokens or estimate_tokens(text) > posted.max_tokens
    if is_long and not said.is_refusal:
        text = text.encode()[: 4 * posted.max_tokens].decode("utf-8", "ignore")
        tokens, stop = posted.max_tokens, "max_tokens"
    return [*thought, {"type": "text", "text": text}], stop, tokens


def _thought(posted: Posted) -> dict[str, Any]:
    signature = base64.b64encode(blake2b(posted.identity, digest_size=24).digest()).decode()
    return {"type": "thinking", "thinking": THOUGHT, "signature": signature}


def _tool_use(posted: Posted, call: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    name, given = call
    number = blake2b(posted.identity, digest_size=12).hexdigest()
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def _keyed(posted: Posted, key: np.uint64, tool: Tool | None) -> Said:
    thinking = estimate_tokens(THOUGHT) if posted.thinks else 0
    if tool is not None:
        given = tool.sampled(key)
        tokens = thinking + _call_tokens(tool.name, given)
        return Said("", tokens, thinking, call=(tool.name, given))
    text = "This is a simulated answer."
    if posted.schema is not None:
        text = json.dumps(sample(posted.schema, key))
    return Said(text, thinking + estimate_tokens(text), thinking)


def _called(said: Said, tool: Tool) -> Said:
    """Return *said* as the call of *tool* that it was made for; what is no object stays a text."""
    try:
        given = json.loads(said.text)
    except (ValueError, RecursionError):
        return said
    if said.is_refusal or not isinstance(given, dict):
        return said
    return Said("", said.tokens, said.thinking, call=(tool.name, given))


def _call_tokens(name: str, given: Any) -> int:  # Any: JSON
    return estimate_tokens(name) + estimate_tokens(json.dumps(given))


def _plain(text: str) -> Said:
    return Said(text, estimate_tokens(text))


def _of(found: Answered) -> Said:
    text = NOTHING_KNOWN if found.text is None else found.text
    if found.ending == REFUSED:
        return Said("", found.tokens_out, is_refusal=True)
    if found.ending == INVALID:
        text += BROKEN
    return Said(text, found.tokens_out, found.thinking)


def _key(posted: Posted) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(posted.identity, digest_size=8).digest(), "little"))


def _spec(header: str) -> Mapping[str, Any]:
    try:
        spec = json.loads(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise HTTPException(400, f"{CALL_SPEC_HEADER}: base64 of JSON is required") from None
    if not isinstance(spec, dict):
        raise HTTPException(400, f"{CALL_SPEC_HEADER}: a JSON object is required")
    return spec
