"""Orders to a run from any process that sees its folder: stop, skip an agent, an answer."""

import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from ..actors.clock import Clock

CONTROL: Final = "control"
_LOOK_S: Final = 0.3


def give_order(folder: Path, order: dict[str, Any]) -> None:
    """Leave *order* for whoever runs the run in *folder*."""
    place = folder / CONTROL
    place.mkdir(mode=0o700, exist_ok=True)
    name = f"{time.time_ns():020d}-{secrets.token_hex(3)}"
    beside = place / f".{name}"
    beside.write_text(json.dumps(order))
    beside.rename(place / f"{name}.json")


async def follow_orders(
    folder: Path, clock: Clock, obey: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Have each order *obey*ed soon after it came; for ever."""
    while True:
        for order in take_orders(folder):
            await obey(order)
        await clock.sleep(_LOOK_S)


def forget_orders(folder: Path) -> None:
    """Drop the orders that were meant for an earlier life of the run."""
    for _ in take_orders(folder):
        continue


def take_orders(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the orders that came since they were last taken, the oldest first; each comes once."""
    place = folder / CONTROL
    if not place.is_dir():
        return
    for file in sorted(place.glob("*.json")):
        try:
            order = json.loads(file.read_text())
        except (OSError, ValueError):
            order = None
        file.unlink(missing_ok=True)
        if isinstance(order, dict):
            yield order
