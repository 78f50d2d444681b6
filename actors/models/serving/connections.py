"""The open connections of a server, so that it can close one without a word."""

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_Ends = tuple[Any, Any]
"""The address of the client, and ours; Any: what a socket calls itself depends on its family."""

_OPEN: Final[MutableMapping[_Ends, asyncio.WriteTransport]] = {}


class Connection(H11Protocol):
    """A connection that `hang_up` can find: the `http` of a uvicorn configuration."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note that it is open."""
        super().connection_made(transport)
        self._ends = _ends(transport)
        _OPEN[self._ends] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is closed."""
        _OPEN.pop(self._ends, None)
        super().connection_lost(exc)


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection of the request in *scope*, with what was sent so far."""
    transport = _OPEN.get((scope.get("client"), scope.get("server")))
    if transport is None:
        raise ConnectionAbortedError("this server cannot close its connections")
    transport.close()
    await until_gone(receive)


async def until_gone(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _ends(transport: asyncio.Transport) -> _Ends:
    client, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    return _address(client), _address(server)


def _address(found: Any) -> Any:  # Any: as above
    return (str(found[0]), int(found[1])) if isinstance(found, tuple | list) else None
