"""Classical rankings in the interface of ours: to be measured beside, and for who wants them."""

from .bucket import BucketSort
from .heap import HeapSort
from .knockout import Knockout
from .merge import MergeSort
from .pointwise import Pointwise
from .quick import QuickSort
from .random_pairs import RandomPairs
from .registry import METHODS, Method
from .scripted import ScriptedRanking
from .swiss import FittedSwiss, Swiss
from .window import SlidingWindow

__all__ = [
    "METHODS",
    "BucketSort",
    "FittedSwiss",
    "HeapSort",
    "Knockout",
    "MergeSort",
    "Method",
    "Pointwise",
    "QuickSort",
    "RandomPairs",
    "ScriptedRanking",
    "SlidingWindow",
    "Swiss",
]
