"""Knockout: who loses is out; several tournaments side by side, each with a draw of its own."""

from collections.abc import Sequence

from .script import Script, Verdict, together
from .scripted import ScriptedRanking

REPEATS = 10
"""Tournaments: one alone says nothing of the half that loses its first match."""


class Knockout(ScriptedRanking):
    """Single elimination, *repeats* times; each match is decided by the majority of *votes*.

    n - 1 matches a tournament, log2 n rounds in all. A score is the number of wins: a good best,
    and many ties below. A tied match is won by lot.
    """

    at_end = "data"

    def __init__(self, n: int, *, seed: int = 0, votes: int = 1, repeats: int = REPEATS) -> None:
        super().__init__(n, seed=seed, votes=votes)
        self._repeats = repeats

    def _script(self) -> Script[list[None]]:
        return together([self._tournament() for _ in range(self._repeats)])

    def _tournament(self) -> Script[None]:
        alive = self._shuffled()
        while len(alive) > 1:
            pairs = list(zip(alive[::2], alive[1::2], strict=False))
            free = alive[2 * len(pairs) :]  # goes first next time, so that another is free
            verdicts = yield [(one, other) for one, other in pairs]
            winners = [self._winner(*each) for each in zip(pairs, verdicts, strict=True)]
            self._score[winners] += 1.0
            alive = free + winners

    def _winner(self, pair: Sequence[int], verdict: Verdict) -> int:
        """Return who goes on: of two of whom one has left the tournament, the other."""
        there = [item for item in pair if self._present[item]]
        if len(there) == 1:
            return there[0]
        return pair[0] if verdict[0] >= verdict[1] else pair[1]  # the draw was the lot
