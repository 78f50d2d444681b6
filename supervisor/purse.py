"""How many of a stage's calls a run can still afford. Pure: amounts and the time come in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..actors.simulation.keyed import Ints
from .budget import NOTHING, Amount, Budget


@dataclass(slots=True)
class Purse:
    """What a run has spent of *budget*; calls are admitted in the order of their rows, so that the
    same budget buys the same calls on any number of hosts."""

    budget: Budget
    tokens: int = 0
    nanousd: int = 0
    agents: int = 0
    held: Amount = NOTHING
    """Upper bounds of the calls that are under way; their number is not in it."""
    underway: Callable[[], int] = lambda: 0
    """Tells how many calls have no reply yet."""

    def affords(self, tokens: Ints, nanousd: Ints) -> int:
        """Return how many of the calls with these upper bounds fit, counted from the first."""
        fits, held = [len(tokens)], self.held
        if self.budget.agents is not None:
            fits.append(max(self.budget.agents - self.agents - self.underway(), 0))
        if self.budget.tokens is not None:
            fits.append(_within(tokens, self.budget.tokens - self.tokens - held.tokens))
        if self.budget.nanousd is not None:
            fits.append(_within(nanousd, self.budget.nanousd - self.nanousd - held.nanousd))
        return min(fits)

    def calls_left(self) -> int | None:
        """Return how many calls the cap on agents leaves; None where there is none."""
        if self.budget.agents is None:
            return None
        return max(self.budget.agents - self.agents - self.underway(), 0)

    @contextmanager
    def holding(self, bound: Amount) -> Iterator[None]:
        """Set *bound* aside until the block ends: what it really took is spent as it comes in."""
        self.held += bound
        try:
            yield
        finally:
            self.held -= bound

    def spend(self, *, tokens: int, nanousd: int, agents: int) -> None:
        """Count what calls came to."""
        self.tokens += tokens
        self.nanousd += nanousd
        self.agents += agents


def _within(amounts: Ints, cap: int) -> int:
    return int(np.searchsorted(np.cumsum(amounts), cap, side="right"))
