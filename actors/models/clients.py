"""The client of a model, whatever it is; of a panel, one that holds each judge's own."""

from collections.abc import Mapping
from typing import Any

from ..answers import Asked
from ..messages import ModelSpec
from .claude import ClaudeClient
from .recorded import RecordedClient
from .scripted import ScriptedClient
from .wire import Attempt, Client, Request


def is_keyless(spec: ModelSpec) -> bool:
    """Whether all of *spec* answers without a key: then nobody need wait for one."""
    return all(judge.script is not None or judge.is_recorded for judge in spec.judges)


def open_client(spec: ModelSpec, key: str | None) -> Client:
    """Return the client that asks *spec*, and its panel if it has one."""
    if not spec.panel:
        return _client(spec, key)
    return PanelClient({judge.name: _client(judge, key) for judge in spec.judges})


async def reach(client: Client) -> None:
    """Raise RunFailedError where *client*, or one of its panel, has nobody to ask."""
    members = client.members.values() if isinstance(client, PanelClient) else [client]
    for member in members:
        if isinstance(member, ClaudeClient):
            await member.reach()


class PanelClient:
    """Asks each request's own judge, by the name of its model."""

    def __init__(self, members: Mapping[str, Client]) -> None:
        self.members = members
        self._first = next(iter(members.values()))

    def max_tokens(self, asked: Asked) -> int:
        """Return the room for an answer of whichever judge needs most."""
        return max(member.max_tokens(asked) for member in self.members.values())

    def is_strict(self) -> bool:
        """Whether every judge is still asked for strict structured output."""
        return all(member.is_strict() for member in self.members.values())

    async def attempt(self, request: Request, *, max_tokens: int, timeout_s: float) -> Attempt:
        """Send *request* once, to the judge that it names."""
        member = self.members.get(request.row["model"], self._first)
        return await member.attempt(request, max_tokens=max_tokens, timeout_s=timeout_s)

    async def declared(self) -> Mapping[str, Any] | None:
        """Return what the first judge says of itself that is simulated; None where none is."""
        said = [await member.declared() for member in self.members.values()]
        return next((each for each in said if each is not None), None)

    async def close(self) -> None:
        """Let go of all connections."""
        for member in self.members.values():
            await member.close()


def _client(spec: ModelSpec, key: str | None) -> Client:
    if spec.script is not None:
        return ScriptedClient(spec.script)
    if spec.is_recorded:
        return RecordedClient(spec.name)
    return ClaudeClient(spec.name, base_url=spec.base_url, key=key, in_flight=spec.in_flight)
