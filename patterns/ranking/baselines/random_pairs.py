"""Random pairs: all are chosen beforehand, and a posterior makes the best of them."""

import numpy as np

from .fitted import FittedPairs
from .script import Script

CALLS_EACH = 33.0
"""Pairs an item for tau .90 of a judge who is right on 85% of random pairs (measured)."""


class RandomPairs(FittedPairs):
    """*calls_each* pairs an item, all different, chosen by chance: one round."""

    def __init__(
        self, n: int, *, seed: int = 0, votes: int = 1, calls_each: float = CALLS_EACH
    ) -> None:
        super().__init__(n, seed=seed, votes=votes)
        self._calls_each = calls_each

    def _script(self) -> Script[None]:
        every = self._n * (self._n - 1) // 2
        count = min(every, round(self._calls_each * self._n))
        code = self._rng.choice(every, count, replace=False)
        high = np.floor((1.0 + np.sqrt(1.0 + 8.0 * code)) / 2.0).astype(np.int64)
        low = code - high * (high - 1) // 2  # pairs below a diagonal, row by row
        yield [(one, other) for one, other in zip(low.tolist(), high.tolist(), strict=True)]
