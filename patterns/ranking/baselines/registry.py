"""The baselines by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ....actors.bracket import Ranking
from ....actors.questions import Question
from .bucket import BucketSort
from .heap import HeapSort
from .knockout import Knockout
from .merge import MergeSort
from .pointwise import Pointwise
from .quick import QuickSort
from .random_pairs import RandomPairs
from .scripted import ScriptedRanking
from .swiss import FittedSwiss, Swiss
from .window import SlidingWindow


@dataclass(frozen=True, slots=True)
class Method:
    """A way to rank: what it asks, how to make one of (n, seed, votes), and how many votes."""

    name: str
    question: Question
    make: Callable[[int, int, int], Ranking]
    votes: int
    summary: str


def _method(name: str, kind: type[ScriptedRanking], summary: str, votes: int = 1) -> Method:
    def make(n: int, seed: int, votes: int) -> Ranking:
        return kind(n, seed=seed, votes=votes)

    return Method(name, kind.question, make, votes, summary)


METHODS: Final[dict[str, Method]] = {
    method.name: method
    for method in (
        _method("merge", MergeSort, "merge sort, all merges under way at once"),
        _method("quick", QuickSort, "quicksort, all partitions of a level at once"),
        _method("heap", HeapSort, "heapsort, one comparison after the other"),
        _method("knockout", Knockout, "ten knockout tournaments, order by wins"),
        _method("swiss", Swiss, "Swiss rounds by Elo ratings"),
        _method("swiss-bt", FittedSwiss, "Swiss rounds by a fitted Bradley-Terry posterior"),
        _method("window", SlidingWindow, "windows of 20 from the back to the front, ten passes"),
        _method("pointwise", Pointwise, "a score for each item by itself"),
        _method("bucket", BucketSort, "scores choose buckets, merge sort sorts each"),
        _method("random", RandomPairs, "random pairs and a fitted Bradley-Terry posterior"),
    )
}
"""Every baseline, by the name that a person types."""
