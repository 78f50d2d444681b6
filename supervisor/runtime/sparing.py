"""A Ray that starts without what nobody here asks for."""

import contextlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

from .processes import unheard


@contextlib.contextmanager
def quickly(node: type, services: ModuleType, workers: int) -> Iterator[None]:
    """Have Ray start all *workers* at once, and nothing that nobody here asks for.

    That is its autoscaler, its log monitor and what is left of its dashboard: a second of CPU each,
    while Ray starts. No public setting spares them, or starts more workers at a time than there
    are cores. Where a Ray has other names for these in *node* and *services*, it starts as it
    likes.
    """

    def cores() -> int:
        return workers

    replaced: list[tuple[Any, str, Any]] = [
        (node, "start_monitor", unheard),
        (node, "start_log_monitor", unheard),
        (node, "start_api_server", unheard),
        (services, "multiprocessing", SimpleNamespace(cpu_count=cores)),
    ]
    with contextlib.ExitStack() as undo:
        for owner, name, stand_in in replaced:
            if hasattr(owner, name):
                undo.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, stand_in)
        yield
