"""100,000 items: what deciding takes in one process, and the whole of it on Ray. SIMULATED."""

import threading
import time
from typing import Final

import numpy as np
import psutil
import pyarrow as pa

from ..actors.questions import Question
from ..actors.simulation.judge import REFERENCE, Bench
from ..actors.simulation.keyed import text_keys
from ..patterns.ranking.engine import PosteriorRanking
from ..patterns.ranking.policy import GRADED, LIST
from ..patterns.ranking.score import score_against
from ..session import Session
from .cases import SCALE
from .rows import Row, at_least, at_most, within
from .trial import judged

MANY: Final = 100_000
SAMPLE_S: Final = 0.5


def many() -> list[Row]:
    """100,000 items in this process: what deciding takes, lists and graded pairs."""
    rows = []
    for question in (LIST, Question("graded")):
        took = _large(question)
        rows += [
            at_least(f"{question}: tau", took["tau"], 0.90),
            at_most(f"{question}: rounds", took["rounds"], 4),
            Row(f"{question}: calls", f"{took['calls']:,.0f}"),
            at_most(f"{question}: last fit, CPU s", took["fit_s"], 4, ".2f"),
        ]
        name = f"{question}: CPU us a call"
        is_held = question.kind == "graded"  # a list says what many of them say
        rows.append(
            at_most(name, took["us"], 50, ".1f") if is_held else Row(name, f"{took['us']:.1f}")
        )
    return rows


def many_on_ray() -> list[Row]:
    """SIMULATED: 100,000 items through the whole product on Ray, lists and graded pairs."""
    truth = np.random.default_rng([0, 5]).standard_normal(MANY)
    table = pa.table({"text": [f"item number {row}" for row in range(MANY)], "truth": truth})
    rows = []
    for question in (LIST, GRADED):
        with _Memory() as memory, Session(profile=REFERENCE, batch_rows=16_384) as session:
            began = time.monotonic()
            result = session.rank(table, "worth", text="text", truth="truth", ask=str(question))
            wall_s = time.monotonic() - began
        tau = (result.truth or {}).get("tau_b") or 0.0
        rows += [
            at_least(f"{question}: tau-b", tau, 0.90),
            at_most(f"{question}: rounds", result.rounds, 4),
            Row(f"{question}: calls", f"{result.calls:,}"),
            Row(f"{question}: wall, s", f"{wall_s:.0f}"),
            within(f"{question}: bracket at its largest, GB", memory.peak_gb, 0.1, 2, ".2f"),
        ]
    return rows


class _Memory:
    """Watches how large the largest of Ray's workers grows, that of the bracket among them."""

    def __init__(self) -> None:
        self.peak_gb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        """Look at the workers now and then: shared memory, where tables lie, is nobody's own."""
        while not self._over.wait(SAMPLE_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    if process.name().startswith("ray::_Host") or "ray::" in process.name():
                        held = process.memory_info()
                        self.peak_gb = max(self.peak_gb, (held.rss - held.shared) / 1e9)
                except psutil.Error:
                    continue


def _large(question: Question) -> dict[str, float]:
    truth = np.random.default_rng([0, 5]).standard_normal(MANY)
    keys = text_keys([str(item) for item in range(MANY)])
    bench = Bench(REFERENCE, 0, "worth", SCALE[0.85] * truth, keys)
    ranking, watch = PosteriorRanking(MANY, question), time.process_time
    cpu_s = fit_s = calls = 0.0
    while True:
        cpu_s -= watch()
        matches = ranking.next_matches()
        cpu_s += watch()
        if not matches.num_rows:
            break
        outcomes = judged(matches, bench.answer)
        calls, fit_s = calls + matches.num_rows, -watch()
        ranking.record(outcomes)
        progress = ranking.progress()
        fit_s += watch()
        cpu_s += fit_s
    standing = ranking.standing()
    item, score = standing.column("item").to_numpy(), standing.column("score").to_numpy()
    tau = score_against(truth[item], score).tau_b
    return {
        "tau": tau,
        "rounds": progress.rounds,
        "calls": calls,
        "fit_s": fit_s,
        "us": 1e6 * cpu_s / calls,
    }
