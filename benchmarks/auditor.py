"""A server that keeps the books, in another process: what it charged is what a run really cost."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from ..session import Session
from .command import folder, serving

MODEL: Final = "claude-haiku-5-5"
QUALITY: Final = "worth"

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """A server over the world of a table, and the log of all that it was asked."""

    address: str
    log: Path
    world: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    def lines(self) -> list[Line]:
        """Return its log so far: a line for each request that it accepted or refused."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def charged(self) -> Counter[str]:
        """Return how often each request was charged, by its digest."""
        return Counter(str(line["digest"]) for line in self.lines() if line["charged"])

    def duplicates(self) -> int:
        """Return how many charges were for a request that had been charged before."""
        charged = self.charged()
        return charged.total() - len(charged)

    def tokens(self) -> int:
        """Return the tokens that it charged, input and output."""
        usages = [line["usage"] for line in self.lines() if line["charged"] and line["usage"]]
        return sum(int(u["input_tokens"]) + int(u["output_tokens"]) for u in usages)

    def session(self, **options: Any) -> Session:
        """Return a session whose model is this server."""
        chosen = {"model": MODEL, "base_url": self.address, "budget": "1000M", **options}
        return Session(**chosen)


def items(rows: int) -> pa.Table:
    """Return a table of so many rows, whose worth is known."""
    truth = np.random.default_rng([rows, 6]).standard_normal(rows)
    names = [f"item-{row}" for row in range(rows)]
    texts = [f"the {row}th thing, as somebody described it" for row in range(rows)]
    return pa.table({"id": names, "text": texts, QUALITY: truth})


@contextmanager
def keeping_books(table: pa.Table, *options: str, faults: Sequence[str] = ()) -> Iterator[Books]:
    """Run `commedia serve` over the world of *table* in another process, with *faults* (TOML)."""
    place = folder()
    world, log = place / "world.csv", place / "log.jsonl"
    pacsv.write_csv(table, world)
    told = ["--world", str(world), "--id", "id", "--truth", QUALITY, "--log", str(log), *options]
    if faults:
        rules = place / "faults.toml"
        rules.write_text("\n".join(faults))
        told += ["--faults", str(rules)]
    with serving(*told) as address:
        yield Books(address, log, world)
