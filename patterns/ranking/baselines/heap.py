"""Heapsort: the best of the rest stands on top of a heap, one comparison after the other."""

from .script import Script, beats
from .scripted import ScriptedRanking


class HeapSort(ScriptedRanking):
    """Heapsort (Williams 1964); each comparison is decided by the majority of *votes*.

    Sequential: a round holds one comparison; about 2 n log2 n - 5.3 n of them. A score is the
    place, from 1 to 0, of items that have left the heap; 0 for the others.
    """

    def _script(self) -> Script[None]:
        heap = self._shuffled()
        for root in reversed(range(len(heap) // 2)):
            yield from _sift(heap, root)
        for place in range(self._n):
            self._score[heap[0]] = 1.0 - (place + 0.5) / self._n
            last = heap.pop()
            if heap:
                heap[0] = last
                yield from _sift(heap, 0)


def _sift(heap: list[int], root: int) -> Script[None]:
    """Let the item at *root* sink until none of its children is better."""
    while True:
        best = root
        for child in (2 * root + 1, 2 * root + 2):
            if child < len(heap) and (yield from beats(heap[child], heap[best])):
                best = child
        if best == root:
            return
        heap[root], heap[best] = heap[best], heap[root]
        root = best
