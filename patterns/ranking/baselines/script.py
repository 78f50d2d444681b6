"""Scripts: algorithms as their textbook has them, that ask as they go, alone or side by side."""

from collections.abc import Generator, Sequence
from typing import TypeVar

import numpy as np

from ..likelihood import Floats

T = TypeVar("T")

Shown = tuple[int, ...]
Verdict = tuple[float, ...]
"""What the answers give each item shown, in the order shown, more for the better, averaged over
votes. Of a pair 1, 0 or -1; of a list how many of the others are below; of one item its score (not
a number where nobody answered). Items left out of the tournament get infinity: they come first,
where they are in nobody's way."""

Script = Generator[list[Shown], list[Verdict], T]
"""Yields what to ask next, all at once; is told the verdicts, in that order; returns a T."""


def together(scripts: Sequence[Script[T]]) -> Script[list[T]]:
    """Play *scripts* side by side: a round holds what all of them ask; return what each returns."""
    results: dict[int, T] = {}
    asked: dict[int, list[Shown]] = {}
    told: dict[int, list[Verdict]] = {place: [] for place in range(len(scripts))}
    while told:
        for place, verdicts in told.items():
            script = scripts[place]
            try:
                asked[place] = script.send(verdicts) if place in asked else next(script)
            except StopIteration as end:
                results[place] = end.value
                asked.pop(place, None)
        if asked:
            answers = iter((yield [topic for topics in asked.values() for topic in topics]))
            told = {place: [next(answers) for _ in topics] for place, topics in asked.items()}
        else:
            told = {}
    return [results[place] for place in range(len(scripts))]


def beats(one: int, other: int) -> Script[bool]:
    """Ask whether *one* has more than *other*; return it."""
    ((mine, yours),) = yield [(one, other)]
    return mine > yours


def best_first(items: Sequence[int], values: Sequence[float]) -> list[int]:
    """Return *items* by their *values*, highest first; equal ones stay as they were."""
    return [items[place] for place in np.argsort(-np.asarray(values), kind="stable")]


def heights(count: int) -> Floats:
    """Return a score between 1 and 0 for each place of an order of *count* items, best first."""
    return 1.0 - (np.arange(count) + 0.5) / max(count, 1)
