"""What is true in a simulated world: things with their truths, and utilities made from a truth."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..tables import INPUT, UNTRUSTED, batch, labelled
from .keyed import Floats, Keys, text_keys

_CELLS = 4096

WORLD: Final = labelled(
    pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("text", pa.large_string(), nullable=False),
            pa.field("truth", pa.string()),
            pa.field("wrong", pa.string(), nullable=False),
            pa.field("difficulty", pa.float64(), nullable=False),
            pa.field("utility", pa.float64()),
            pa.field("holds", pa.bool_()),
            pa.field("pool", pa.string()),
            pa.field("detectability", pa.float64(), nullable=False),
            pa.field("weight", pa.float64(), nullable=False),
        ]
    )
)
"""A world on its way to a host: a row a thing; *truth* is JSON, *wrong* a JSON array."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something of which the world knows the truth; *text* is how it reads, by default its id.

    *truth* is the right answer about it (None: there is none), *wrong* the plausible wrong ones,
    the one that most make first. *difficulty* is in standard deviations (0: reference), *utility*
    in logits. *holds* says whether *text* is true as a claim. In *pool* it is a finding or an idea:
    *detectability* is the chance that one pass of the reference model reports it (if it does not
    hold: falls for it), *weight* its share among the ideas.
    """

    id: str
    text: str = ""
    truth: Any = None  # Any: JSON
    wrong: tuple[Any, ...] = ()
    difficulty: float = 0.0
    utility: float | None = None
    holds: bool | None = None
    pool: str | None = None
    detectability: float = 0.5
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text or self.id)
        if not 0.0 <= self.detectability <= 1.0:
            raise ValueError(f"{self.id}: detectability {self.detectability} is no chance")
        if not 0.0 < self.weight < np.inf:
            raise ValueError(f"{self.id}: weight {self.weight} is not positive")

    @property
    def is_true(self) -> bool | None:
        """Whether its text is a true claim: what a pool holds is, unless it says otherwise."""
        return True if self.holds is None and self.pool is not None else self.holds


@dataclass(frozen=True)
class World:
    """Things, in an order that means nothing, found by id and else by text."""

    things: tuple[Thing, ...] = ()
    _rows: dict[str, int] = field(init=False, repr=False, compare=False)

    def __init__(self, things: Iterable[Thing] = ()) -> None:
        """Raises ValueError where two things have one id."""
        object.__setattr__(self, "things", tuple(things))
        rows: dict[str, int] = {}
        for row, thing in enumerate(self.things):
            if rows.setdefault(thing.id, row) != row:
                raise ValueError(f"two things of the world have the id {thing.id!r}")
        for row, thing in enumerate(self.things):
            rows.setdefault(thing.text, row)
        object.__setattr__(self, "_rows", rows)

    @classmethod
    def of_batch(cls, rows: pa.RecordBatch) -> "World":
        """Read the world that `batch` laid out."""
        things = rows.select(WORLD.names[:-2]).to_pylist()
        for thing in things:
            thing["truth"] = None if thing["truth"] is None else json.loads(thing["truth"])
            thing["wrong"] = tuple(json.loads(thing["wrong"]))
        return cls(Thing(**thing) for thing in things)

    def batch(self) -> pa.RecordBatch:
        """Lay the world out as rows of WORLD."""
        columns: dict[str, Any] = {  # Any: whatever Arrow reads
            name: [getattr(thing, name) for thing in self.things] for name in WORLD.names[:-2]
        }
        truths = columns["truth"]
        columns["truth"] = [None if truth is None else json.dumps(truth) for truth in truths]
        columns["wrong"] = [json.dumps(wrong) for wrong in columns["wrong"]]
        rows = len(self.things)
        return batch(WORLD, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)

    def row(self, name: str) -> int | None:
        """Return the place of the thing with the id or text *name*; None if there is none."""
        return self._rows.get(name)

    def find(self, name: str) -> Thing | None:
        """Return the thing with the id or text *name*; None if there is none."""
        row = self._rows.get(name)
        return None if row is None else self.things[row]

    def pool(self, names: Iterable[str]) -> list[int]:
        """Return the places of what is in the pools *names*."""
        return [row for name in dict.fromkeys(names) for row in self._pools.get(name, ())]

    @cached_property
    def keys(self) -> Keys:
        """The key of each thing: by its id, so that its row means nothing."""
        return text_keys([thing.id for thing in self.things])

    @cached_property
    def difficulty(self) -> Floats:
        """The difficulty of each thing."""
        return np.array([thing.difficulty for thing in self.things], np.float64)

    @cached_property
    def _pools(self) -> dict[str, list[int]]:
        pools: dict[str, list[int]] = {}
        for row, thing in enumerate(self.things):
            if thing.pool is not None:
                pools.setdefault(thing.pool, []).append(row)
        return pools


def utilities(truth: Floats, accuracy: float) -> Floats:
    """Return utilities in logits for *truth* (higher = more), one an item.

    They are the normal scores of the truth's mid-ranks, Phi^-1((r - 1/2) / n), times the scale at
    which a judge with logistic noise and no bias is right on *accuracy* of the random pairs with
    unequal truth. All zero where all truths are equal.
    """
    if not 0.5 < accuracy < 1.0:
        raise ValueError(f"accuracy {accuracy} is not between 0.5 and 1")
    _, place, counts = np.unique(truth, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return np.zeros(len(truth))
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    quantile = NormalDist().inv_cdf
    levels = np.array([quantile(share) for share in (mid_ranks - 0.5) / len(truth)])
    scale = _scale(levels, counts.astype(float), accuracy)
    return np.asarray(scale * levels[place], np.float64)


def _scale(levels: Floats, counts: Floats, accuracy: float) -> float:
    step = (levels[-1] - levels[0]) / (_CELLS - 1)
    mass = np.bincount(((levels - levels[0]) / step).round().astype(int), counts)
    pairs = np.correlate(mass, mass, "full")[_CELLS - 1 :]  # by distance in cells: whole numbers
    pairs[0] = (pairs[0] - (counts**2).sum()) / 2  # unequal truths in the same cell
    gaps = np.arange(_CELLS) * step
    gaps[0] = step / 3  # what two random points of a cell are apart
    weights = pairs / pairs.sum()
    low, high = 0.0, 1e9
    while high - low > 1e-9 * (1.0 + high):  # accuracy grows with the scale
        middle = (low + high) / 2
        is_low = (weights / (1.0 + np.exp(-middle * gaps))).sum() < accuracy
        low, high = (middle, high) if is_low else (low, middle)
    return (low + high) / 2
