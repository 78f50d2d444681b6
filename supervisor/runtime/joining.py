"""The address of a Ray cluster that runs already: is it one, and why can it not be joined?"""

import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ...actors.errors import UsageError

PATIENCE_S: Final = 5.0
"""How long an address may take to answer: Ray itself would try for a minute."""

_MOST_HEARD: Final = 100_000
_TOKEN: Final = (
    "a cluster's token is looked for in RAY_AUTH_TOKEN, then in the file that RAY_AUTH_TOKEN_PATH "
    "names, then in ~/.ray/auth_token"
)
_ADDRESS: Final = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")


def check_address(address: str) -> str:
    """Return *address*, which is HOST:PORT; raises UsageError otherwise."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None or not 0 < int(found["port"]) < 65536:
        raise UsageError(
            f"address {address!r} is no HOST:PORT of a Ray cluster, such as 10.0.0.1:6379"
        )
    return address.strip()


@contextmanager
def overheard() -> Iterator[Callable[[], bytes]]:
    """Yield what returns all that is written to standard error meanwhile, in place of showing it:
    Ray's core writes there by itself."""
    with tempfile.TemporaryFile() as heard:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(heard.fileno(), 2)
        try:
            yield lambda: os.pread(heard.fileno(), _MOST_HEARD, 0)
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def unjoined(address: str, error: Exception, heard: bytes = b"") -> str:
    """Return in one sentence why the cluster at *address* could not be joined; Ray itself was
    *heard* to say more than its *error* does."""
    if b"Unauthenticated" in heard:
        return f"the Ray at {address} refused the token; {_TOKEN}"
    if "authentication token" in str(error):
        return f"the Ray at {address} asks for a token, and there is none; {_TOKEN}"
    why = str(error).strip().partition("\n")[0].rstrip(".")
    return (
        f"the Ray at {address} cannot be joined ({why}); it must run the version of Ray that is "
        f"here; {_TOKEN}"
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
