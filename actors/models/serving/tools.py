"""The tools of a request, and which of them an answer calls."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from starlette.exceptions import HTTPException

from ...simulation.keyed import mix, text_key, uniform
from ..filling import dump, form_of
from ..sampling import sample

CHOICES: Final = ("auto", "any", "tool", "none")
_CALLS: Final = 0.5
"""How often a model that may call a tool does so."""
_WHETHER: Final = text_key("whether a tool is called")
_WHICH: Final = text_key("which tool is called")
_INPUT: Final = text_key("with what a tool is called")


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of the client: what it takes."""

    name: str
    schema: Mapping[str, Any]

    def sampled(self, key: np.uint64) -> Any:  # Any: JSON
        """Return an input that fits the tool, chosen by *key*."""
        drawn = np.uint64(mix(key, _INPUT))
        form = form_of(dump(self.schema))
        found = None if form is None else form.sampled(drawn)
        return sample(self.schema, drawn) if found is None else json.loads(found)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a request may call; *choice* says whether it must, *named* which one.

    Tools that a server runs itself (those with a type) are never called.
    """

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    named: str | None = None
    is_answered: bool = False
    """Whether the last message brings a tool's result."""

    @property
    def is_forced(self) -> bool:
        """Whether the answer must call a tool."""
        return bool(self.tools) and self.choice in ("any", "tool")

    def called(self, key: np.uint64) -> Tool | None:
        """Return the tool that the answer calls, as *key* says; None for a text."""
        if not self.tools or self.choice == "none":
            return None
        if self.choice == "tool":
            return next(tool for tool in self.tools if tool.name == self.named)
        if self.choice == "auto" and (self.is_answered or _share(key, _WHETHER) >= _CALLS):
            return None
        return self.tools[int(_share(key, _WHICH) * len(self.tools))]


def tools_of(body: Mapping[str, Any]) -> Tools:
    """Return the tools of *body*; raises HTTPException 400, which says what is wrong with them."""
    given = body.get("tools")
    if given is not None and not isinstance(given, list):
        raise HTTPException(400, "tools: a list is required")
    read = [_tool(tool, f"tools.{place}") for place, tool in enumerate(given or ())]
    tools = tuple(tool for tool in read if tool is not None)
    if len({tool.name for tool in tools}) < len(tools):
        raise HTTPException(400, "tools: their names must be unique")
    chosen = body.get("tool_choice")
    if chosen is None:
        return Tools(tools, is_answered=_is_answered(body))
    kind = chosen.get("type") if isinstance(chosen, dict) else None
    if kind not in CHOICES:
        raise HTTPException(400, f"tool_choice.type: one of {', '.join(CHOICES)} is required")
    if kind != "none" and not given:
        raise HTTPException(400, "tool_choice: there are no tools to choose from")
    named = chosen.get("name") if kind == "tool" else None
    if kind == "tool" and named not in [tool.name for tool in tools]:
        raise HTTPException(400, f"tool_choice: no tool has the name {str(named)[:100]!r}")
    return Tools(tools, kind, named, is_answered=_is_answered(body))


def _tool(tool: Any, where: str) -> Tool | None:  # Any: whatever a client sent
    name = tool.get("name") if isinstance(tool, dict) else None
    if not isinstance(name, str) or not name:
        raise HTTPException(400, f"{where}.name: a non-empty string is required")
    if tool.get("type", "custom") != "custom":
        return None
    schema = tool.get("input_schema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise HTTPException(400, f"{where}.input_schema: a schema of an object is required")
    if form_of(dump(schema)) is None:
        raise HTTPException(400, f"{where}.input_schema: this is no JSON Schema")
    return Tool(name, schema)


def _is_answered(body: Mapping[str, Any]) -> bool:
    messages = body.get("messages")
    last = messages[-1].get("content") if messages else None
    blocks = last if isinstance(last, list) else []
    return any(block.get("type") == "tool_result" for block in blocks)


def _share(key: np.uint64, what: np.uint64) -> float:
    return float(uniform(mix(key, what)))
