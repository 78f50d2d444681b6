"""Quicksort: every block is parted around one of its items, all blocks of a level at once."""

from collections.abc import Iterator

import numpy as np

from .script import Script, Verdict
from .scripted import ScriptedRanking


class QuickSort(ScriptedRanking):
    """Quicksort (Hoare 1961); each comparison is decided by the majority of *votes*.

    A round holds the partitions of a whole level: about 1.39 n log2 n comparisons in 2 log2 n
    rounds. Items tied with a pivot stay beside it. A score is the place, from 1 to 0; before the
    end the middle of the item's block.
    """

    def _script(self) -> Script[None]:
        blocks = [self._shuffled()]  # so that the first of any block is a pivot by chance
        while any(len(block) > 1 for block in blocks):
            verdicts = iter((yield [(item, block[0]) for block in blocks for item in block[1:]]))
            blocks = [part for block in blocks for part in _parted(block, verdicts) if part]
            self._place(blocks)

    def _place(self, blocks: list[list[int]]) -> None:
        """Give all items of a block the score of its middle."""
        sizes = np.array([len(block) for block in blocks])
        middles = np.cumsum(sizes) - sizes / 2.0
        for block, middle in zip(blocks, middles.tolist(), strict=True):
            self._score[block] = 1.0 - middle / self._n


def _parted(block: list[int], verdicts: Iterator[Verdict]) -> list[list[int]]:
    """Part *block* around its first item: better, the item and its equals, worse."""
    pivot, *rest = block
    better: list[int] = []
    equal: list[int] = []
    worse: list[int] = []
    for item in rest:
        mine, pivots = next(verdicts)
        (better if mine > pivots else worse if mine < pivots else equal).append(item)
    return [better, [pivot], *([item] for item in equal), worse]
