"""An ASGI app behind a real socket on this machine, served from a thread: for tests, notebooks."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from .serving.connections import Connection


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *host* and *port* (0 takes any free one); raises OSError.

    It names its protocol: asyncio sets TCP_NODELAY on the connections of such a socket alone, and
    without that every reply to a reused connection is 40 ms late.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def served(app: Any) -> uvicorn.Config:  # Any: an ASGI app
    """Return how *app* is served: quietly, on connections that it can close.

    It ends a second after it is told to, whoever still waits for an answer.
    """
    return uvicorn.Config(
        app,
        http=Connection,
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )


@contextmanager
def loopback(app: Any) -> Iterator[str]:  # Any: an ASGI app
    """Serve *app* while the context is open; yields its address."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(served(app))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
