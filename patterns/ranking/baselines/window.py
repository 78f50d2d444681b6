"""Sliding windows: short lists are sorted from the back to the front, so that the best rise."""

from ....actors.questions import Question
from .script import Script, best_first, heights
from .scripted import ScriptedRanking

SIZE, STEP, PASSES = 20, 10, 10


class SlidingWindow(ScriptedRanking):
    """Windows of `SIZE` moved by `STEP` from the back to the front (RankGPT, Sun et al. 2023).

    Sequential: n / 10 - 1 lists of 20 a pass. A pass brings the best ten to the front, and moves
    others by little: the whole order takes n / 10 passes. It ends after *passes*, or when one
    changes nothing. A score is the place, from 1 to 0.
    """

    question = Question("list", SIZE)
    at_end = "data"

    def __init__(self, n: int, *, seed: int = 0, votes: int = 1, passes: int = PASSES) -> None:
        super().__init__(n, seed=seed, votes=votes)
        self._passes = passes

    def _script(self) -> Script[None]:
        order = self._shuffled()
        for _ in range(self._passes):
            before = list(order)
            for end in range(self._n, 0, -STEP):
                start = max(end - SIZE, 0)
                (values,) = yield [tuple(order[start:end])]
                order[start:end] = best_first(order[start:end], values)
                self._score[order] = heights(self._n)
                if start == 0:
                    break
            if order == before:
                return
