"""When a loop is over: rules as pure values that decide from the facts of its rounds alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .capture import Estimate, chao2

F = TypeVar("F")


@dataclass(frozen=True)
class Trail(Generic[F]):
    """What a stop rule is told: *fresh* holds how many findings each round added.

    *sightings* says of each of *findings* how many rounds reported it, *failures* how many rounds
    had no result. *spent* is the largest share of a cap of the budget that is gone.
    """

    findings: tuple[F, ...] = ()
    sightings: tuple[int, ...] = ()
    fresh: tuple[int, ...] = ()
    failures: int = 0
    spent: float = 0.0

    @property
    def rounds(self) -> int:
        """Rounds that had a result."""
        return len(self.fresh)

    @property
    def left(self) -> Estimate:
        """How many findings no round has reported, estimated from how often the others were."""
        return chao2(self.sightings, self.rounds)


class StopRule(Protocol):
    """Decides from the facts alone whether a loop is over."""

    def why(self, trail: Trail[Any]) -> str | None:
        """Return why the loop is over, or None while it is not."""
        ...


@dataclass(frozen=True, slots=True)
class NoneNew:
    """Enough once *rounds* in a row added nothing: as good as any rule on unknown ground.

    It makes about as many rounds on hard ground as on easy, so it finds less there.
    """

    rounds: int = 2

    def why(self, trail: Trail[Any]) -> str | None:
        """Return why the loop is over, or None while it is not."""
        last = trail.fresh[-self.rounds :]
        return f"nothing new in {self.rounds} rounds" if last == (0,) * self.rounds else None


@dataclass(frozen=True, slots=True)
class NoneLeft:
    """Enough once fewer than *unseen* findings seem left (Chao2), or *coverage* is reached.

    Coverage spends more on hard ground and less on easy than silence does. Not before *least*
    rounds: from two, nothing can be said. The step must be free to report again what an earlier
    round reported; findings made up, each seen once, keep it going, so let them be confirmed.
    """

    unseen: float = 0.5
    coverage: float | None = None
    least: int = 3

    def why(self, trail: Trail[Any]) -> str | None:
        """Return why the loop is over, or None while it is not."""
        left = trail.left
        if trail.rounds < self.least:
            return None
        if left.unseen < self.unseen:
            return f"{left.unseen:.1f} findings seem left"
        if self.coverage is not None and left.coverage >= self.coverage:
            return f"{left.coverage:.0%} of what a round reports is known"
        return None


@dataclass(frozen=True)
class Goal(Generic[F]):
    """Enough once *condition* holds of the findings so far."""

    condition: Callable[[Sequence[F]], bool]

    def why(self, trail: Trail[F]) -> str | None:
        """Return why the loop is over, or None while it is not."""
        return "the goal is reached" if self.condition(trail.findings) else None


@dataclass(frozen=True, slots=True)
class Spent:
    """Enough once a *share* of the run's budget (of any of its caps) is spent."""

    share: float = 0.8

    def why(self, trail: Trail[Any]) -> str | None:
        """Return why the loop is over, or None while it is not."""
        return f"{trail.spent:.0%} of the budget is spent" if trail.spent >= self.share else None


@dataclass(frozen=True, slots=True)
class Rounds:
    """Enough after *most* rounds."""

    most: int

    def why(self, trail: Trail[Any]) -> str | None:
        """Return why the loop is over, or None while it is not."""
        done = trail.rounds + trail.failures
        return f"{done} rounds are done" if done >= self.most else None


@dataclass(frozen=True, slots=True)
class All:
    """Enough once each of *rules* says so at the same time."""

    rules: tuple[StopRule, ...]

    def why(self, trail: Trail[Any]) -> str | None:
        """Return why the loop is over, or None while it is not."""
        whys = [rule.why(trail) for rule in self.rules]
        return ", and ".join(why for why in whys if why) if all(whys) else None
