"""A ranking whose actors are lost on the way: `python -m commedia.benchmarks.losing OPTIONS`.

It prints one JSON object. OPTIONS is one, too: `address` of a cluster, or none for this process
alone; `items`; `kills`, how often the bracket is killed; `gate`, a file that the ranking waits for
after its second round, once it has printed `mid`.
"""

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..actors.bracket import Progress, Ranking
from ..actors.tables import INPUT, ITEMS, UNTRUSTED, batch
from ..patterns.tournament import rank
from ..session import Session
from ..supervisor.bracketed import Bracketed
from ..supervisor.progress import RunProgress
from ..supervisor.run import Run
from ..supervisor.store import find_run
from ..supervisor.workflow import workflow

MID: Final = 2
POLL_S: Final = 0.005
TEXT: Final = 1200
"""Characters of an item: 300 tokens."""


def items_of(count: int) -> pa.RecordBatch:
    """Return so many items of 300 tokens, with what a simulated judge knows of them."""
    columns = {
        "id": [f"item-{number}" for number in range(count)],
        "text": [f"item {number}".ljust(TEXT, ".") for number in range(count)],
        "utility": np.random.default_rng(count).normal(size=count),
    }
    return batch(ITEMS, columns, rows=count, integrity=UNTRUSTED, provenance=INPUT)


@workflow
async def lossy(run: Run, items: int, kills: int, gate: str | None) -> dict[str, Any]:
    """Rank so many items, and return a digest of the order, and when what happened."""
    ranked = await rank(_Lossy(run, kills, gate), items_of(items), "severity")  # type: ignore[arg-type]
    score = np.round(ranked.standing.column("score").to_numpy(), 9).tolist()
    told = json.dumps([list(ranked.order), score])
    return {"digest": hashlib.sha256(told.encode()).hexdigest(), "n": len(ranked.order)}


class _Lossy:
    """A run whose bracket is killed, and which waits at a gate."""

    def __init__(self, run: Run, kills: int, gate: str | None) -> None:
        self._run, self._kills, self._gate = run, kills, gate

    def __getattr__(self, name: str) -> Any:  # Any: whatever a run has
        return getattr(self._run, name)

    @asynccontextmanager
    async def tournament(self, ranking: Ranking) -> AsyncIterator["_Killed"]:
        async with self._run.tournament(ranking) as bracket:
            yield _Killed(self._run, bracket, self._kills, self._gate)


class _Killed:
    """A tournament whose bracket is killed before each of its first rounds is told."""

    def __init__(self, run: Run, bracket: Bracketed, kills: int, gate: str | None) -> None:
        self._run, self._bracket, self._kills, self._gate = run, bracket, kills, gate
        self._rounds = 0

    def __getattr__(self, name: str) -> Any:  # Any: whatever a tournament has
        return getattr(self._bracket, name)

    async def record(self, outcomes: pa.RecordBatch) -> Progress:
        if self._rounds < self._kills:
            await self._bracket._stage.do(self._kill())
        progress = await self._bracket.record(outcomes)
        self._rounds += 1
        self._run.log(f"round {self._rounds} at {time.time()}")
        if self._rounds == MID and self._gate is not None:
            self._run.log("mid")
            await asyncio.to_thread(_wait_for, Path(self._gate))
        return progress

    async def _kill(self) -> None:
        tournament = self._bracket._tournament
        child = await tournament.bracket()
        tournament._nursery.runtime.kill(child.ref)


def _wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(POLL_S)


def _tell(progress: RunProgress) -> None:
    if "mid" in progress.said:
        sys.stdout.write("mid\n")
        sys.stdout.flush()


def main() -> int:
    """Run it, and print what it came to."""
    asked = json.loads(sys.argv[1])
    address = asked.get("address")
    where: dict[str, Any] = {"address": address} if address else {"runtime": "inline"}
    given = {"items": asked["items"], "kills": asked.get("kills", 0), "gate": asked.get("gate")}
    with Session(
        model="sim:sonnet", hosts=asked.get("hosts"), batch_rows=64, on_progress=_tell, **where
    ) as session:
        result = session.run(lossy, **given)
        events = find_run(result.run_id).events().to_pylist()
    said = {
        **result.value,
        "status": result.status,
        "calls": result.calls,
        "events": [[each["time_us"] / 1e6, each["kind"], each["text"]] for each in events],
    }
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
