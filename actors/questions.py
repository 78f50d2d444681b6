"""The four questions a judge can be asked, and how its answer is written down."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from .errors import UsageError

Kind = Literal["pair", "graded", "list", "score"]

_WHY = "+why"

HIGHEST_SCORE = 10
"""Scores go from 1 to this."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked: `pair` (which has more), `graded` (and how much), `list:K` (an order),
    or `score` (how much one item has, by itself).

    A pair's or graded answer is a *grade*, seen from the item shown first: 2 much more, 1 more,
    0 a tie, -1 less, -2 much less; `pair` uses -1, 0, 1 only. A list's answer is an *order*: the
    items best first, or a prefix of that order. A score is a grade from 1 to `HIGHEST_SCORE`. With
    *why* (`pair+why`) the judge says in a sentence why, which costs more than its verdict.
    """

    kind: Kind
    size: int = 2
    why: bool = False

    @classmethod
    def parse(cls, text: str) -> "Question":
        """Read `pair`, `graded`, `list:K` with K from 2 to 50, or `score`; raises UsageError."""
        if text.endswith(_WHY) and text.count(_WHY) == 1:
            return replace(cls.parse(text.removesuffix(_WHY)), why=True)
        if text == "pair":
            return cls("pair")
        if text == "graded":
            return cls("graded")
        if text == "score":
            return cls("score", 1)
        kind, _, size = text.partition(":")
        if kind == "list" and re.fullmatch("[0-9]{1,2}", size) and 2 <= int(size) <= 50:
            return cls("list", int(size))
        raise UsageError(f"question {text!r} is none of pair, graded, list:K (K from 2 to 50)")

    def of(self, size: int) -> "Question":
        """Return this question about *size* items."""
        return replace(self, size=size)

    def takes(self, size: int) -> bool:
        """Whether it can be asked about *size* items: a list may be shorter than it says."""
        return 2 <= size <= self.size if self.kind == "list" else size == self.size

    def __str__(self) -> str:
        plain = f"list:{self.size}" if self.kind == "list" else self.kind
        return plain + _WHY if self.why else plain
