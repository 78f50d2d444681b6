"""What a run may spend: its caps, and the ledger that no call can pass.

Pure: amounts are integers, so sums are exact; nothing here knows the time or a model.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Final

from ..actors.errors import BudgetSyntaxError

_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Z]+)")
_UNITS: Final = {
    "usd": ("nanousd", 10**9),
    "tokens": ("tokens", 1),
    "token": ("tokens", 1),
    "k": ("tokens", 10**3),
    "agents": ("agents", 1),
    "agent": ("agents", 1),
    "s": ("wall_s", 1),
    "min": ("wall_s", 60),
    "h": ("wall_s", 3600),
}
_LARGEST: Final = 10**18


@dataclass(frozen=True, slots=True)
class Budget:
    """The caps of a run; None where there is none. Tokens are input, output and cache together.

    *wall_s* counts the seconds of all lives of the run, and not those between them.
    """

    nanousd: int | None = None
    tokens: int | None = None
    agents: int | None = None
    wall_s: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read caps such as `2usd 300agents`; raises BudgetSyntaxError."""
        return cls.parse_all([text])

    @classmethod
    def parse_all(cls, texts: Iterable[str]) -> "Budget":
        """Read the caps of a repeated option, each unit once; no text at all means no cap."""
        caps: dict[str, int] = {}
        for text in texts:
            if not text.split():
                raise BudgetSyntaxError(text, "it is empty")
            for term in text.split():
                unit, amount = _read(term)
                if unit in caps:
                    raise BudgetSyntaxError(term, f"{_SAID[unit]} are capped twice")
                caps[unit] = amount
        return cls(**caps)

    @property
    def is_unlimited(self) -> bool:
        """Whether nothing is capped."""
        return self == Budget()

    def __str__(self) -> str:
        terms = []
        if self.nanousd is not None:
            dollars = f"{Decimal(self.nanousd) / 10**9:f}"
            terms.append(f"{dollars.rstrip('0').rstrip('.') if '.' in dollars else dollars}usd")
        if self.tokens is not None:
            terms.append(f"{self.tokens}tokens")
        if self.agents is not None:
            terms.append(f"{self.agents}agents")
        if self.wall_s is not None:
            terms.append(f"{self.wall_s}s")
        return " ".join(terms) or "no budget"


_SAID: Final = {"nanousd": "dollars", "tokens": "tokens", "agents": "agents", "wall_s": "seconds"}


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call costs, or may cost at most."""

    tokens: int = 0
    nanousd: int = 0
    agents: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.tokens + other.tokens, self.nanousd + other.nanousd, self.agents + other.agents
        )

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(
            self.tokens - other.tokens, self.nanousd - other.nanousd, self.agents - other.agents
        )

    def exceeds(self, other: "Amount") -> bool:
        """Whether any unit of this is above the same unit of *other*."""
        return (
            self.tokens > other.tokens or self.nanousd > other.nanousd or self.agents > other.agents
        )


NOTHING: Final = Amount()


class Ledger:
    """Spent and reserved amounts: `spent + reserved <= cap` in every unit, at every instant.

    Only a settlement above its own reserve can break that; it is then counted in *overruns*, and
    nothing more is admitted.
    """

    def __init__(self, budget: Budget, spent: Amount = NOTHING) -> None:
        self._cap = Amount(
            *(_LARGEST if cap is None else cap for cap in (getattr(budget, u) for u in UNITS))
        )
        self._held: dict[int, Amount] = {}
        self._next = 0
        self._left = self._free = self._cap - spent
        self.overruns = 0

    @property
    def spent(self) -> Amount:
        """What calls came to."""
        return self._cap - self._left

    @property
    def reserved(self) -> Amount:
        """What is set aside for calls under way."""
        return self._left - self._free

    def reserve(self, bound: Amount) -> int | None:
        """Set *bound* aside and return the reservation; None where it does not fit now."""
        if bound.exceeds(self._free):
            return None
        self._next += 1
        self._held[self._next] = bound
        self._free -= bound
        return self._next

    def could_fit(self, bound: Amount) -> bool:
        """Whether *bound* would fit if all that is reserved were released."""
        return not bound.exceeds(self._left)

    def settle(self, reservation: int, actual: Amount) -> None:
        """Turn a reservation into what was really spent."""
        bound = self._held.pop(reservation)
        self._free += bound - actual
        self._left -= actual
        if actual.exceeds(bound):
            self.overruns += 1

    def settle_in_full(self, reservation: int) -> Amount:
        """Count the whole reservation as spent, and return it: what happened is unknown."""
        bound = self._held[reservation]
        self.settle(reservation, bound)
        return bound

    def release(self, reservation: int) -> None:
        """Give a reservation back: nothing was spent."""
        self.settle(reservation, Amount())


UNITS: Final = tuple(field.name for field in fields(Amount))


def _read(term: str) -> tuple[str, int]:
    matched = _TERM.fullmatch(term)
    if matched is None:
        raise BudgetSyntaxError(term, "it is not a number with a unit, without a space between")
    number, unit = matched.groups()
    if unit == "m":
        raise BudgetSyntaxError(
            term, f"m is ambiguous: write {number}M for tokens or {number}min for minutes"
        )
    name, scale = ("tokens", 10**6) if unit == "M" else _UNITS.get(unit.lower(), ("", 0))
    if not name:
        raise BudgetSyntaxError(term, f"there is no unit {unit!r}")
    if len(number) > 30:
        raise BudgetSyntaxError(term, "it is too large")
    amount = Decimal(number) * scale
    if amount != int(amount):
        raise BudgetSyntaxError(term, f"it is no whole number of {_WHOLE[name]}")
    if not 0 < amount < _LARGEST:
        raise BudgetSyntaxError(term, "it is zero" if amount == 0 else "it is too large")
    return name, int(amount)


_WHOLE: Final = {**_SAID, "nanousd": "nano-dollars"}
