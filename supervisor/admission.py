"""The admission desk: whether a request may leave now. Pure: facts and time in, decision out."""

from dataclasses import dataclass, field

from .budget import Amount, Ledger
from .limits import Need, Throttle
from .retry import UNUSABLE, Breaker


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request may leave; its bound is set aside under *reservation*."""

    reservation: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again in *seconds*, or as soon as something has settled."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The request will not leave."""

    status: str
    reason: str


@dataclass(slots=True)
class Window:
    """How many calls may be in flight: at most *most*, fewer where replies are slow.

    It starts small, grows by one with every quick reply, and is halved when replies take most of
    their deadline or the server says that it is overloaded; then it learns from as many replies as
    it is wide before it is halved again.
    """

    most: int
    width: int = 8
    deaf: int = 0

    def __post_init__(self) -> None:
        self.width = min(self.width, self.most)

    def note(self, *, took: float, is_pushed_back: bool) -> None:
        """Take in one attempt: the share of its deadline that it *took*, and how it went."""
        self.deaf = max(self.deaf - 1, 0)
        if is_pushed_back or took > 0.5:
            if not self.deaf:
                self.width = max(self.width // 2, 1)
                self.deaf = self.width
        elif took < 0.25:
            self.width = min(self.width + 1, self.most)


@dataclass(slots=True)
class Desk:
    """Admits requests within the budget, behind the breaker, as fast as the server allows.

    Near the cap a request waits for what is in flight; one that could not fit even then is
    refused. A settlement above its reserve closes the desk: bounds that do not hold protect nobody.
    """

    ledger: Ledger
    breaker: Breaker = field(default_factory=Breaker)
    is_draining: bool = False

    def admit(
        self, bound: Amount, need: Need, throttle: Throttle, *, now: float
    ) -> Admitted | Wait | Refused:
        """Decide on a request that takes at most *bound*, and probably *need* of *throttle*."""
        if self.breaker.is_open:
            status = "skipped" if self.breaker.cause == UNUSABLE else "failed"
            return Refused(status, str(self.breaker.cause))
        if self.is_draining:
            return Refused("cancelled", "stopped")
        if self.ledger.overruns:
            return Refused("over_budget", "overrun")
        if not self.ledger.could_fit(bound):
            return Refused("over_budget", "budget")
        if wait := throttle.wait_s(need, now=now):
            return Wait(wait)
        reservation = self.ledger.reserve(bound)
        if reservation is None:
            return Wait()
        throttle.sent(need)
        return Admitted(reservation)

    @property
    def is_closed(self) -> bool:
        """Whether nothing will be admitted any more, whatever its size."""
        return self.breaker.is_open or self.is_draining
