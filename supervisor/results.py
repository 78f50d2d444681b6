"""What many branches came to: the successes in order, and beside them who failed, and why."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Failure:
    """One branch without a result: its place among its siblings from 0, and why it has none."""

    place: int
    why: str
    error: Exception | None = None


class Results(Sequence[T], Generic[T]):
    """The successes, in order. `failed` says who is missing; `places` where each stood, from 0."""

    def __init__(
        self,
        values: Iterable[T],
        failed: Iterable[Failure] = (),
        places: Iterable[int] | None = None,
    ) -> None:
        self._values = tuple(values)
        self.failed = tuple(failed)
        self.places = tuple(range(len(self._values)) if places is None else places)

    @classmethod
    def of(cls, outcomes: "Iterable[T | Failure]") -> "Results[T]":
        """Part *outcomes*, one a branch, into successes and failures."""
        kept = [(n, each) for n, each in enumerate(outcomes) if not isinstance(each, Failure)]
        failed = [each for each in outcomes if isinstance(each, Failure)]
        return cls((value for _, value in kept), failed, (place for place, _ in kept))

    def where(self, keep: Sequence[object]) -> "Results[T]":
        """Return the successes whose entry in *keep* is true; the failures stay beside."""
        kept = [n for n, wanted in enumerate(keep) if wanted]
        return Results((self[n] for n in kept), self.failed, (self.places[n] for n in kept))

    def map(self, change: Callable[[T], U]) -> "Results[U]":
        """Return *change* of each success; places and failures stay."""
        return Results((change(value) for value in self), self.failed, self.places)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "Results[T]": ...
    def __getitem__(self, index: int | slice) -> "T | Results[T]":
        if isinstance(index, slice):
            return Results(self._values[index], self.failed, self.places[index])
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Results):
            return self._values == other._values and self.failed == other.failed
        return isinstance(other, Sequence) and list(self._values) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as any sequence of values that may change

    def __repr__(self) -> str:
        missing = f", {len(self.failed)} failed" if self.failed else ""
        return f"Results({list(self._values)!r}{missing})"
