"""Buckets: scores put items into buckets, and merge sort sorts each."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ..likelihood import Floats
from .merge import merge_sort
from .script import Script, Verdict, heights, together
from .scripted import ScriptedRanking


class BucketSort(ScriptedRanking):
    """One score an item (1 to 10) chooses its bucket, then merge sort within, all buckets at once.

    Of everything asked, *votes* decide. n scores in one round, then n log2(n / 5) comparisons at
    most, in twice as many rounds as the fullest bucket has items. What scores got wrong stays
    wrong. A score is the bucket, plus the place in it from 1 to 0 (before the end in its own run).
    """

    def _script(self) -> Script[list[list[int]]]:
        verdicts = yield [(item,) for item in range(self._n)]
        level = _levels(verdicts)
        self._score[:] = level + 0.5
        order = np.array(self._shuffled())
        buckets = {each: order[level[order] == each].tolist() for each in np.unique(level).tolist()}
        sorts = [merge_sort(items, self._noting(each)) for each, items in buckets.items()]
        return (yield from together(sorts))

    def _guess(self, verdicts: list[Verdict]) -> None:
        if len(verdicts) == self._n and len(verdicts[0]) == 1:  # of the round of scores
            self._score[:] = _levels(verdicts) + 0.5

    def _noting(self, level: float) -> Callable[[list[int]], None]:
        return partial(self._place, level)

    def _place(self, level: float, run: list[int]) -> None:
        self._score[run] = level + heights(len(run))


def _levels(verdicts: list[Verdict]) -> Floats:
    """Return each item's bucket; those without a score are in the middle one."""
    score = np.array(verdicts)[:, 0]
    known = score[np.isfinite(score)]
    middle = float(np.median(known)) if len(known) else 0.0
    return np.asarray(np.rint(np.where(np.isfinite(score), score, middle)))
