"""The address of a Ray cluster that runs already: is it one, and does anything answer there?"""

import re
import socket
from typing import Final

from ...actors.errors import UsageError

PATIENCE_S: Final = 5.0
"""How long an address may take to answer: Ray itself would try for a minute."""

_ADDRESS: Final = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")


def check_address(address: str) -> str:
    """Return *address*, which is HOST:PORT; raises UsageError otherwise."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None or not 0 < int(found["port"]) < 65536:
        raise UsageError(
            f"address {address!r} is no HOST:PORT of a Ray cluster, such as 10.0.0.1:6379"
        )
    return address.strip()


def unjoined(address: str, error: Exception) -> str:
    """Return in one sentence why the cluster at *address* could not be joined."""
    why = str(error).strip().partition("\n")[0].rstrip(".")
    return (
        f"the Ray at {address} cannot be joined ({why}); it must run the version of Ray that is "
        "here, and its token, if it has one, is looked for where RAY_AUTH_TOKEN_PATH says"
    )


def check_answers(address: str, *, patience_s: float = PATIENCE_S) -> None:
    """Raise UsageError where nothing answers at *address*."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=patience_s).close()
    except OSError as error:
        why = error.strerror or "no answer"
        raise UsageError(
            f"nothing answers at {address} ({why.lower()}); is it the address of a Ray cluster's "
            "head node, as `ray start --head` tells it?"
        ) from error
