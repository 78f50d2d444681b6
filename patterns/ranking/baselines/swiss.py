"""Swiss tournaments: in each round everybody meets a neighbour in the table, for the first time."""

import numpy as np

from ..likelihood import Floats, Ints
from ..schedule import Ledger, match_pairs, match_strangers
from .fitted import FittedPairs
from .script import Script, Shown
from .scripted import ScriptedRanking

ROUNDS = 37
"""Rounds for tau .90 of a judge who is right on 85% of random pairs, where a posterior is fitted
to the results (measured); Elo ratings do not get there."""

K = 24.0
FIRST = 12
"""In so many rounds the factor of the Elo ratings falls from four times `K` to `K`."""


class Swiss(ScriptedRanking):
    """Swiss rounds by Elo ratings (Elo 1978); each match is decided by the majority of *votes*.

    Up to n/2 matches a round, no pair twice; it ends after *rounds*, or when all have met. A score
    is the Elo rating, 1500 in the mean.
    """

    at_end = "data"

    def __init__(self, n: int, *, seed: int = 0, votes: int = 1, rounds: int = ROUNDS) -> None:
        super().__init__(n, seed=seed, votes=votes)
        self._rounds = rounds
        self._score[:] = 1500.0

    def _script(self) -> Script[None]:
        ledger = Ledger(self._n)
        for number in range(self._rounds):
            factor = K * max(1.0, 4.0 - 3.0 * number / FIRST)
            pairs = _drawn(self._score, np.flatnonzero(self._present), ledger, self._rng)
            if not pairs:
                return
            verdicts = yield pairs
            for (one, other), (mine, yours) in zip(pairs, verdicts, strict=True):
                if self._present[one] and self._present[other]:
                    points = 0.5 + 0.5 * float(np.sign(mine - yours))
                    change = factor * (points - self._chance(one, other))
                    self._score[one] += change
                    self._score[other] -= change

    def _chance(self, one: int, other: int) -> float:
        """Return the chance of *one* to win that their ratings promise."""
        return float(1.0 / (1.0 + 10.0 ** ((self._score[other] - self._score[one]) / 400.0)))


class FittedSwiss(FittedPairs):
    """Swiss rounds by the mean of a Bradley-Terry posterior, fitted after each to all results.

    Up to n/2 matches a round, no pair twice; it ends after *rounds*, or when all have met. It
    takes for granted that there is an order, and predicts no tau.
    """

    wins_tell = False  # everybody meets equals, and wins one half

    def __init__(self, n: int, *, seed: int = 0, votes: int = 1, rounds: int = ROUNDS) -> None:
        super().__init__(n, seed=seed, votes=votes)
        self._rounds = rounds

    def _script(self) -> Script[None]:
        ledger = Ledger(self._n)
        for _ in range(self._rounds):
            self._settle()
            pairs = _drawn(self._score, np.flatnonzero(self._present), ledger, self._rng)
            if not pairs:
                return
            yield pairs


def _drawn(score: Floats, items: Ints, ledger: Ledger, rng: np.random.Generator) -> list[Shown]:
    """Pair *items*: neighbours by *score* who have not met; where those all have, any who have not.

    Equal scores are in an order by chance.
    """
    by_chance = rng.permutation(items)
    order = by_chance[np.argsort(-score[by_chance], kind="stable")]
    rows = match_pairs([order], ledger, len(order) // 2, rng)
    if not len(rows):
        rows = match_strangers(order, ledger, len(order) // 2, rng)
    return [(one, other) for one, other in rows.tolist()]
