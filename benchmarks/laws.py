"""Laws of a run, each checked at full size: the virtual clock, order, the journal, no silence."""

import asyncio
import json
import random
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ..actors.models.wire import Attempt
from ..cli.options import EXIT_CODES
from ..session import Session
from ..supervisor.blobs import Blobs
from ..supervisor.journal import Journal, scan
from ..supervisor.run import Run
from ..supervisor.store import find_run
from .rows import Row, at_most

WIDTH = 334
"""As many agents as were once sent into a limit that was spent, and counted as refutations."""

PAUSED = ("paused", 75)


def clock() -> list[Row]:
    """Simulated makespans beside closed forms, in microseconds apart."""
    one, took = _fan_out(1)
    free, longest = _fan_out(None)
    piped, by_hand = _play(_pipeline).value, 17_000_000
    return [
        at_most("one slot: apart from the sum of durations", abs(one - sum(took)), 1),
        at_most("no limits: apart from the critical path", abs(free - max(longest)), 1),
        at_most("5 stages, 3 items: apart from 17 s by hand", abs(round(piped * 1e6) - by_hand), 1),
    ]


def order() -> list[Row]:
    """Results under random latencies and slots beside those without any: how many differ."""
    draw, quiet = random.Random(7), _play(_shuffled, [0.0] * 40).value
    differ = 0
    for _ in range(100):
        delays = [draw.random() * draw.choice((0.001, 1.0, 60.0)) for _ in range(40)]
        loud = _play(_shuffled, delays, slots=draw.choice((None, 1, 3, 40))).value
        differ += loud != quiet
    return [at_most("of 100 orders of completion, differ", differ, 0)]


def journal() -> list[Row]:
    """A journal of 4 KiB, cut at every byte, and with every bit flipped."""
    data, records = asyncio.run(_journal())
    cuts = sum(_is_wrong(data[:end], records, is_cut=True) for end in range(len(data) + 1))
    flips = 0
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        flips += _is_wrong(bytes(changed), records, is_cut=False)
    return [
        at_most(f"cuts of {len(data):,} that are no correct prefix", cuts, 0),
        at_most(f"flips of {8 * len(data):,} neither a prefix nor refused", flips, 0),
    ]


def silence() -> list[Row]:
    """334 verifiers on a model whose quota is spent: one at a time, and as many as by default."""
    return [*_silence("one at a time", in_flight=1), *_silence("by default")]


def _silence(name: str, **options: Any) -> list[Row]:
    """Count what is asked before the run is paused: what was in flight cannot be taken back."""
    asked, in_flight, most = 0, 0, 0

    async def model(row: Any) -> Attempt:
        nonlocal asked, in_flight, most
        asked, in_flight = asked + 1, in_flight + 1
        most = max(most, in_flight)
        await asyncio.sleep(0.02)
        in_flight -= 1
        return Attempt("quota")

    result = _play(_verify_all, model=model, **options)
    ended = (result.status, EXIT_CODES[result.status])
    refuted = 0 if result.status == "paused" else sum(v.refuted for v in result.value)
    uncounted = max(asked + result.missing.get("skipped", 0) - WIDTH, 0)
    return [
        Row(f"{name}: status, exit code", "{}, {}".format(*ended), "paused, 75", ended == PAUSED),
        Row(f"{name}: calls in flight at once", str(most)),
        at_most(f"{name}: calls before it was paused", asked, 5 + most - 1),
        at_most(f"{name}: calls that were made and count as skipped", uncounted, 0),
        at_most(f"{name}: verdicts recorded as refuted", refuted, 0),
    ]


def _play(script: Any, *args: Any, model: Any = "sim:sonnet", **options: Any) -> Any:
    with Session(model=model, runtime="inline", **options) as session:
        return session.run(script, *args)


def _fan_out(slots: int | None) -> tuple[int, list[int]]:
    """Return a fan-out's makespan and its agents' durations, in microseconds."""
    result = _play(_wide, slots=slots)
    agents = pq.read_table(find_run(result.run_id).path / "agents.parquet")
    return round(result.virtual_s * 1e6), agents.column("duration_us").to_pylist()


async def _wide(run: Run) -> None:
    thunks = [partial(run.work, f"item {n}", on_error="null") for n in range(500)]
    await run.parallel(thunks)


async def _pipeline(run: Run) -> float:
    async def wait(item: int, *, seconds: int) -> int:
        await run.sleep(seconds)
        return item

    async def late(item: int) -> int:
        return await wait(item, seconds=item)

    stages = [partial(wait, seconds=seconds) for seconds in (1, 2, 3, 4, 5)]
    await run.pipeline([0, 1, 2], late, *stages)
    return run.now()


async def _shuffled(run: Run, delays: list[float]) -> Any:
    async def branch(place: int, delay_s: float) -> tuple[int, float, str | None]:
        await run.sleep(delay_s)
        said = await run.work(f"say {place}", about=str(place), on_error="null")
        return place, run.random.random(), said

    return await run.parallel([partial(branch, n, delay) for n, delay in enumerate(delays)])


async def _verify_all(run: Run) -> Any:
    claims = [partial(run.verify, f"claim {n}", "it is true") for n in range(WIDTH)]
    return await run.parallel(claims, on_error="raise")


async def _journal() -> tuple[bytes, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.journal"
        opened = Journal.open(path, Blobs(Path(folder) / "blobs"))
        number = 0
        while not path.stat().st_size >= 4096:
            await opened.append({"t": "now", "p": f"/now:{number}", "h": "", "value": number / 3})
            number += 1
        await opened.close()
        data = path.read_bytes()
    return data, scan(data).records


def _is_wrong(data: bytes, records: list[dict[str, Any]], *, is_cut: bool) -> bool:
    found = scan(data)
    kept = [json.dumps(record) for record in found.records]
    is_prefix = kept == [json.dumps(record) for record in records[: len(kept)]]
    return not is_prefix or (is_cut and found.is_corrupt)
