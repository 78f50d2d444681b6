"""What a person who stopped a run is told while it has not ended: what it waits for."""

from collections.abc import Callable
from typing import Final

from ..actors.clock import Clock

_SOON_S: Final = 1.0
"""What has not ended so long after the last call came back is busy itself."""


async def keep_vigil(
    *,
    underway: Callable[[], int],
    warn: Callable[[str], None],
    clock: Clock,
    takes_back: bool,
    is_sort: bool,
) -> None:
    """Have *warn* told what a halted run waits for: its calls, then the workflow itself.

    *takes_back* says that the calls in flight were taken back as well, as by a second Ctrl-C.
    """
    own = "the ranking so far" if is_sort else "the workflow's own code, which does not listen"
    if takes_back:
        await clock.sleep(_SOON_S)
        return warn(f"waiting for {own}; one more Ctrl-C kills it")
    flying = underway()
    if flying:
        calls, them = ("1 call", "it") if flying == 1 else (f"{flying:,} calls", "them")
        warn(f"waiting for {calls} in flight; Ctrl-C again takes {them} back")
    while True:
        await clock.sleep(_SOON_S)
        if not underway():
            return warn(f"waiting for {own}; a third Ctrl-C kills it")
