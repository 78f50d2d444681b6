"""The wall time that an evaluation takes beside its judges: while commands and checks run."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from .supervisor.budget import Budget

CLOCK_FILE: Final = "clock"
OVER_BUDGET: Final = "over budget"
"""Why there is no output, or no check of it, when the budget's time had run out."""

_NOTED_S: Final = 1.0


class EvalClock:
    """Counts seconds in all lives of an evaluation, kept in its *folder*; *budget* may cap them."""

    def __init__(
        self, folder: Path, budget: Budget, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._file, self._budget, self._now = folder / CLOCK_FILE, budget, now
        self._took_s = _noted(self._file)
        self._since: float | None = None

    @property
    def took_s(self) -> float:
        """Seconds taken so far."""
        return self._took_s + (0.0 if self._since is None else self._now() - self._since)

    @property
    def left_s(self) -> float:
        """Seconds that the budget leaves; without a cap there is no end of them."""
        cap = self._budget.wall_s
        return math.inf if cap is None else max(cap - self.took_s, 0.0)

    @property
    def is_over(self) -> bool:
        """Whether the budget's time has run out."""
        return not self.left_s

    @property
    def budget_left(self) -> Budget:
        """The budget, less the time taken: what the judges have, whose time is counted elsewhere.

        In whole seconds, as budgets are, rather too few than too many.
        """
        cap = self._budget.wall_s
        return (
            self._budget if cap is None else replace(self._budget, wall_s=math.floor(self.left_s))
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Count the time inside; it is noted as it goes, for a life may be killed."""
        self._since = self._now()
        noting = asyncio.create_task(self._note_at_times())
        try:
            yield
        finally:
            noting.cancel()
            self._took_s, self._since = self.took_s, None
            self._note()

    async def _note_at_times(self) -> None:
        while True:
            self._note()
            await asyncio.sleep(_NOTED_S)

    def _note(self) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{self.took_s:.3f}\n")
        beside.replace(self._file)


def _noted(file: Path) -> float:
    try:
        return max(float(file.read_text()), 0.0)
    except (OSError, ValueError):
        return 0.0
