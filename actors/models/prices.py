"""What a call costs: list prices from a dated data file, in integer nano-dollars."""

import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from ..simulation.keyed import Ints

_DATED = re.compile(r"-20[0-9]{6}$")

PRICED_AS = "claude-haiku-5-5"
"""The model whose prices a simulated judge is charged at."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars per token."""

    input: int
    output: int
    cache_write: int
    cache_read: int


@dataclass(frozen=True, slots=True)
class Price:
    """A model's rates; a prompt longer than *threshold* tokens is charged at *above* as a whole."""

    base: Rates
    above: Rates | None = None
    threshold: int = 0

    def cost(
        self, tokens_in: int, tokens_out: int, cache_write: int = 0, cache_read: int = 0
    ) -> int:
        """Return a call's cost in nano-dollars; *tokens_in* excludes what the cache holds."""
        prompt = tokens_in + cache_write + cache_read
        rates = self.above if self.above and prompt > self.threshold else self.base
        return (
            tokens_in * rates.input
            + tokens_out * rates.output
            + cache_write * rates.cache_write
            + cache_read * rates.cache_read
        )

    def costs(self, tokens_in: Ints, tokens_out: Ints) -> Ints:
        """Return the cost of each of many calls, in nano-dollars; nothing of them is cached."""
        dear = self.above or self.base
        is_dear = tokens_in > self.threshold if self.above else np.zeros(len(tokens_in), np.bool_)
        rate_in = np.where(is_dear, dear.input, self.base.input)
        rate_out = np.where(is_dear, dear.output, self.base.output)
        return np.asarray(tokens_in * rate_in + tokens_out * rate_out, np.int64)


@lru_cache(maxsize=256)
def price_of(model: str) -> Price | None:
    """Return the list price of *model*, by its name without a date suffix; None if unknown."""
    return _prices().get(_DATED.sub("", model))


def prices_as_of() -> str:
    """Return the date of the price file."""
    return str(_data()["as_of"])


@cache
def _prices() -> dict[str, Price]:
    return {name: _price(entry) for name, entry in _data()["models"].items()}


def _price(entry: dict[str, Any]) -> Price:
    above = dict(entry.get("above", {}))
    threshold = above.pop("prompt_tokens", 0)
    base = {key: entry[key] for key in ("input", "output", "cache_write", "cache_read")}
    return Price(Rates(**base), Rates(**above) if above else None, threshold)


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((files(__package__) / "prices.json").read_text())
    return loaded
