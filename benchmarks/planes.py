"""Both planes and a killed host, measured inside one Ray; `bare_ray` is the program around this."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import psutil
import pyarrow as pa
from pydantic import BaseModel

from ..actors.actor import Actor, Context, Envelope
from ..actors.judge import TokenCount, segments
from ..actors.messages import Answers, Ask, Did, Do, Done, ModelSpec, Trial
from ..actors.models.simulated import SimulatedJudge
from ..actors.prompts import estimate_tokens
from ..actors.questions import Question
from ..actors.tables import encode
from ..session import Session
from ..supervisor.children import ChildSpec, Intensity, RestartPolicy
from ..supervisor.dealing import Dealer
from ..supervisor.judging import Matter, items_of, matches_of, requests_of
from ..supervisor.nursery import Child, Nursery
from ..supervisor.run import Run
from ..supervisor.runtime.base import one_reply
from ..supervisor.runtime.processes import MARK
from ..supervisor.runtime.ray_runtime import RayRuntime
from ..supervisor.stage import Stage
from ..supervisor.workflow import workflow
from .losing import items_of as some_items

ITEMS: Final = 2_000
COMPARISONS: Final = 1_000_000
BATCH: Final = 16_384
AGENTS: Final = 10_000
CALLS: Final = 4_000
TASKS: Final = 2_000
ROUNDS: Final = 3
"""So often each, in turns, after a first time that does not count; the least counts."""
WORK_S: Final = 0.3
KILL_S: Final = 0.1

Figures = dict[str, float]


class Answer(BaseModel):
    """What an agent of the row plane is asked for."""

    cause: str
    is_certain: bool


def cpu_of(session: str, driver: int) -> float:
    """Return the CPU seconds of all processes of a Ray of ours so far, its driver's included."""
    spent = 0.0
    for process in psutil.process_iter():
        try:
            if process.pid == driver or process.environ().get(MARK) == session:
                times = process.cpu_times()
                spent += times.user + times.system
        except (psutil.Error, OSError):
            continue
    return spent


@workflow
async def bulk(run: Run, matches: pa.RecordBatch, driver: int) -> tuple[float, float]:
    """Return the wall and CPU seconds of one map over *matches*."""
    items = some_items(ITEMS)
    async with run.sharing(items):
        warm = await run.map(run.judge, matches.slice(0, 2 * BATCH), by="severity", items=items)
        assert warm.num_rows == 2 * BATCH
        cpu, began = cpu_of(os.environ[MARK], driver), time.monotonic()
        replies = await run.map(run.judge, matches, by="severity", items=items)
        wall = time.monotonic() - began
        assert replies.num_rows == matches.num_rows
        assert replies.column("grade").null_count == 0
        return wall, cpu_of(os.environ[MARK], driver) - cpu


@workflow
async def rows(run: Run, agents: int, driver: int) -> tuple[float, float]:
    """Return the wall and CPU seconds of so many agents, each with a prompt and a typed answer."""
    await _fan_out(run, 200, "warm")
    cpu, began = cpu_of(os.environ[MARK], driver), time.monotonic()
    await _fan_out(run, agents, "measured")
    return time.monotonic() - began, cpu_of(os.environ[MARK], driver) - cpu


async def _fan_out(run: Run, agents: int, word: str) -> None:
    asked = [
        partial(run.work, f"{word}: why did request {n} fail?", output=Answer)
        for n in range(agents)
    ]
    answers = await run.parallel(asked)
    assert all(isinstance(answer, Answer) for answer in answers)


def measure(calls: Callable[[int], None], tasks: Callable[[int], None], *, session: str) -> Figures:
    """Return all figures; *calls* and *tasks* make so many of them on the Ray of *session*."""
    found: dict[str, list[tuple[float, float]]] = {}
    pairs = pairs_of(COMPARISONS)
    ours: dict[str, Callable[[], tuple[float, float]]] = {
        "call": lambda: _timed(session, calls, CALLS),
        "task": lambda: _timed(session, tasks, TASKS),
        "bulk": lambda: _ran(bulk, COMPARISONS, matches=pairs),
        "row": lambda: _ran(rows, AGENTS, agents=AGENTS),
    }
    for number in range(ROUNDS + 1):
        for name, one in ours.items():
            took = one()
            if number:
                found.setdefault(name, []).append(took)
    figures = {}
    for name, all_ in found.items():
        figures[f"{name}_s"] = min(wall for wall, _ in all_)
        figures[f"{name}_cpu_us"] = 1e6 * min(cpu for _, cpu in all_)
    return {**figures, **wire(), **prompts(), **asyncio.run(killed_host())}


def _timed(session: str, make: Callable[[int], None], count: int) -> tuple[float, float]:
    cpu, began = cpu_of(session, os.getpid()), time.monotonic()
    make(count)
    wall = time.monotonic() - began
    return wall / count, (cpu_of(session, os.getpid()) - cpu) / count


def _ran(script: Any, count: int, **given: Any) -> tuple[float, float]:
    with Session(model="sim:ideal", hosts=2, batch_rows=BATCH) as session:
        wall, cpu = session.run(script, **given, driver=os.getpid()).value
    return wall / count, cpu / count


def pairs_of(rows: int) -> pa.RecordBatch:
    """Return so many matches of two items each (MATCHES)."""
    random = np.random.default_rng(1)
    left = random.integers(0, ITEMS, rows)
    right = (left + random.integers(1, ITEMS, rows)) % ITEMS
    flat = np.stack([left, right], 1).astype(np.int32).ravel()
    shown = pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * rows + 1, 2, dtype=np.int32)), flat)
    return matches_of(shown, Question("pair"))


def wire() -> Figures:
    """Return the bytes of a comparison on the wire, there and back."""
    items, matches = some_items(ITEMS), pairs_of(BATCH)
    asked = {"first": 1 << 32, "path": "/map:1[]", "judges": ["sim:ideal"], "by": ["severity"]}
    requests = requests_of(Matter(0, items), matches, **asked)  # type: ignore[arg-type]
    judge = SimulatedJudge(ModelSpec(name="sim:ideal"), items)

    async def answered() -> int:
        return sum([len(encode(replies)) async for replies in judge.answer(requests)])

    return {"bytes": (len(encode(requests)) + asyncio.run(answered())) / BATCH}


def prompts() -> Figures:
    """Return the most that tokens counted from lengths differ from rendered ones, an item."""
    texts = [f"item {n} " + "é word " * (n % 90) for n in range(200)]
    counted, differ = TokenCount.of(texts), 0.0
    for question, size in ((Question("pair"), 2), (Question("list", 10), 10)):
        shown = np.random.default_rng(size).integers(0, len(texts), (200, size))
        for row, tokens in zip(shown, counted.prompts(question, "severity", shown), strict=True):
            parts = segments(question, "severity", [texts[item] for item in row])
            rendered = sum(part.tokens for part in parts)
            differ = max(differ, abs(int(tokens) - rendered) / size)
    return {"token_difference": differ, "item_tokens": estimate_tokens(_one_item())}


def _one_item() -> str:
    return str(some_items(1).column("text")[0].as_py())


class Sleeper(Actor):
    """Answers a batch after WORK_S, as a slow model would; tells the process that it is."""

    async def on_start(self, context: Context) -> None:
        """Learn what it judges."""
        await super().on_start(context)
        self._judge = SimulatedJudge(ModelSpec(name="sim:ideal"), some_items(ITEMS))

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Answer, or show that it lives, or say which process it is."""
        match envelope.body:
            case Ask():
                await asyncio.sleep(WORK_S)
                yield Envelope(Answers(), await anext(self._judge.answer(envelope.batch())))
            case Do():
                yield Envelope(Did(value=os.getpid()))
            case Trial():
                yield Envelope(Done())


@dataclass(slots=True)
class _Seen:
    """When a death was told of."""

    at: float = 0.0

    def __call__(self, kind: str, _text: str) -> None:
        if kind == "died":
            self.at = self.at or time.monotonic()


async def killed_host() -> Figures:
    """Kill one of two hosts by its process id, with both of its batches out."""
    runtime, seen = RayRuntime(), _Seen()
    nursery = Nursery(runtime, RestartPolicy(Intensity()), runtime.clock, seen)
    hosts = [await nursery.start(ChildSpec(f"sleeper-{n}", Sleeper)) for n in range(2)]
    pairs, counted = pairs_of(2_000), list[int]()
    asked = {"first": 0, "path": "/map:1[]", "judges": ["sim:ideal"], "by": ["severity"]}
    requests = requests_of(Matter(0, some_items(ITEMS)), pairs, **asked)  # type: ignore[arg-type]
    dealer = Dealer(range(2_000), items_of(pairs.column("shown")), batch_rows=500)

    def watch(replies: pa.RecordBatch) -> None:
        counted.extend(replies.column("call_id").to_pylist())

    ready = [asyncio.ensure_future(_itself(host)) for host in hosts]
    stage = Stage(requests, dealer, ready, nursery, watch)
    do = Do(function=os.getpid, arguments={})
    reply = await one_reply(runtime.ask(hosts[0].ref, Envelope(do)))
    assert isinstance(reply.body, Did)
    running = asyncio.create_task(stage.run())
    await asyncio.sleep(KILL_S)
    killed = time.monotonic()
    os.kill(reply.body.value, signal.SIGKILL)
    await running
    over = time.monotonic() - killed
    await nursery.stop_all()
    return {
        "death_seen_ms": 1e3 * (seen.at - killed),
        "recovered_s": over - WORK_S,
        "answered": len(set(counted)),
        "twice": len(counted) - len(set(counted)),
    }


async def _itself(host: Child) -> Child:
    return host
