"""Merge sort: sorted runs are merged two by two, all merges that are under way at once."""

from collections.abc import Callable, Sequence

from .script import Script, beats, heights, together
from .scripted import ScriptedRanking


class MergeSort(ScriptedRanking):
    """Merge sort (von Neumann 1945); each comparison is decided by the majority of *votes*.

    A round holds one comparison of every merge under way: about n log2 n - 1.25 n comparisons in
    2n rounds. A score is the place, from 1 to 0; before the end that in the item's own run.
    """

    def _script(self) -> Script[list[int]]:
        return merge_sort(self._shuffled(), self._place)

    def _place(self, run: Sequence[int]) -> None:
        self._score[run] = heights(len(run))


def merge_sort(items: list[int], note: Callable[[list[int]], None]) -> Script[list[int]]:
    """Sort *items*, best first; *note* is told each run when it is sorted."""
    if len(items) < 2:
        return items
    half = len(items) // 2
    left, right = yield from together(
        [merge_sort(items[:half], note), merge_sort(items[half:], note)]
    )
    merged = yield from _merge(left, right)
    note(merged)
    return merged


def _merge(left: list[int], right: list[int]) -> Script[list[int]]:
    """Merge two sorted runs; of two that are tied the left one goes first."""
    merged: list[int] = []
    one = other = 0
    while one < len(left) and other < len(right):
        if (yield from beats(right[other], left[one])):
            merged.append(right[other])
            other += 1
        else:
            merged.append(left[one])
            one += 1
    return merged + left[one:] + right[other:]
