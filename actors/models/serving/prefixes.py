"""How many tokens a request has, and where its prefixes end that a cache may hold."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from starlette.exceptions import HTTPException

from ...prompts import estimate_tokens

MOST_BREAKPOINTS: Final = 4
TTLS: Final = {"5m": 300.0, "1h": 3600.0}
"""How long a prefix is kept after its last use, in seconds."""
IMAGE_TOKENS: Final = 1600

Block = tuple[Any, Any]
"""What a block holds, and its cache_control; Any: whatever a client sent."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The end of a block: the hash and the *tokens* of all up to it.

    With *ttl_s* it is a breakpoint: the prefix shall be kept for that long.
    """

    prefix: bytes
    tokens: int
    ttl_s: float | None


def tokens_of(body: Mapping[str, Any]) -> int:
    """Return the input tokens of *body*: four bytes each, block by block."""
    return sum(_tokens(held) for held, _ in _blocks(body))


def marks_of(body: Mapping[str, Any]) -> tuple[Mark, ...]:
    """Return the ends of all blocks of *body*; none if it has no breakpoint."""
    blocks = list(_blocks(body))
    whole = body.get("cache_control")
    if whole is not None and blocks:
        blocks[-1] = (blocks[-1][0], whole)
    asked = [control for _, control in blocks if control is not None]
    if not asked:
        return ()
    if len(asked) > MOST_BREAKPOINTS:
        raise HTTPException(400, f"cache_control: at most {MOST_BREAKPOINTS} blocks may have it")
    return tuple(_marks(str(body.get("model")), blocks))


def _marks(model: str, blocks: list[Block]) -> Iterator[Mark]:
    prefix, tokens = blake2b(model.encode("utf-8", "replace"), digest_size=16).digest(), 0
    for held, control in blocks:
        text = json.dumps(held, sort_keys=True)
        prefix = blake2b(prefix + text.encode(), digest_size=16).digest()
        tokens += _tokens(held)
        yield Mark(prefix, tokens, None if control is None else _ttl(control))


def _ttl(control: Any) -> float:  # Any: whatever a client sent
    kind = control.get("type") if isinstance(control, dict) else None
    ttl = control.get("ttl", "5m") if isinstance(control, dict) else None
    if kind != "ephemeral" or ttl not in TTLS:
        raise HTTPException(400, "cache_control: ephemeral, with a ttl of 5m or 1h, is required")
    return TTLS[ttl]


def _blocks(body: Mapping[str, Any]) -> Iterator[Block]:
    """Yield the blocks in the order of the cache: tools, system, messages."""
    for tool in body.get("tools") or ():
        yield _apart({"tool": tool}, tool)
    yield from _content("system", body.get("system"))
    for message in body["messages"]:
        yield from _content(message["role"], message["content"])


def _content(role: str, content: Any) -> Iterator[Block]:  # Any: whatever a client sent
    if isinstance(content, str):
        yield {"role": role, "text": content}, None
    elif isinstance(content, list):
        for block in content:
            yield _apart({"role": role, **block}, block)


def _apart(held: dict[str, Any], block: Mapping[str, Any]) -> Block:
    held.pop("cache_control", None)
    if "tool" in held:
        held["tool"] = {name: part for name, part in block.items() if name != "cache_control"}
    return held, block.get("cache_control")


def _tokens(held: Mapping[str, Any]) -> int:
    if "tool" in held:
        return estimate_tokens(json.dumps(held["tool"]))
    if held.get("type") in ("image", "document"):
        return IMAGE_TOKENS
    if "text" in held or held.get("type") == "text":
        return estimate_tokens(str(held.get("text", "")))
    rest = {name: part for name, part in held.items() if name not in ("role", "type")}
    return estimate_tokens(json.dumps(rest)) if rest else 0
