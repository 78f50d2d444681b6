"""How wide a workflow can be: `python -m commedia.benchmarks.width` prints every figure and bar.

The least of some fresh processes of each, taken in turns: what else runs on the machine slows them
down, and speeds none up.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ..actors.imports import ARROW
from .command import environment, folder, serving
from .peers import IN_PROCESS, OVER_HTTP, PYTHON, READY, code_of
from .rows import Row, at_most, render

AGENTS: Final = 10_000
ALL: Final = 100_000
CALLS: Final = 1_000
IN_FLIGHT: Final = 256
ROUNDS: Final = 6
HTTP_ROUNDS: Final = 10
"""So often ours and the bare SDK: a difference of two least figures needs both at full speed."""
OTHERS_ROUNDS: Final = 2
RAY_ROUNDS: Final = 4
BARE: Final = "the SDK, aiohttp"
PLAIN_ROUNDS: Final = 2
SKIPPED: Final = [Row("other frameworks", "skipped", "`make peers` was not run", None)]

Figures = dict[str, float]


def in_process() -> list[Row]:
    """A fan-out of 10,000 on one no-op async function, each in this process alone.

    Ours as the command runs it, with settings of Arrow's that a program has only if it asks.
    """
    if not READY.exists():
        return SKIPPED
    ours = {"agents": AGENTS, "in_flight": IN_FLIGHT}
    found: dict[str, list[Figures]] = {}
    for _ in range(ROUNDS):
        for name, parts in IN_PROCESS.items():
            found.setdefault(name, []).append(_peer(parts, {"agents": AGENTS}))
        found.setdefault("ours", []).append(_ours({**ours, "model": "no-op"}))
        found.setdefault("ours, sim:ideal", []).append(_ours({**ours, "model": "sim:ideal"}))
    plain = {**ours, "model": "no-op", "is_plain": True}
    found["ours, a Session in a program"] = [_ours(plain) for _ in range(PLAIN_ROUNDS)]
    return [*_compared(found, "cpu_us", "CPU us"), *_compared(found, "bytes", "bytes")]


def waiting() -> list[Row]:
    """SIMULATED: one workflow with 100,000 agents, all waiting at first, in one process."""
    took = _ours({"agents": ALL, "in_flight": IN_FLIGHT, "model": "sim:ideal"})
    return [
        at_most("growth of the process, all hosts in it, GB", took["bytes"] * ALL / 1e9, 1, ".2f"),
        Row("bytes an agent", f"{took['bytes']:,.0f}"),
        Row("CPU us an agent", f"{took['cpu_us']:,.0f}"),
    ]


def over_http() -> list[Row]:
    """1,000 agents through `commedia serve` at 50 ms, 256 in flight: CPU of the client's side."""
    if not READY.exists():
        return SKIPPED
    found: dict[str, list[Figures]] = {}
    with serving("--model", "sim:ideal", "--latency", "0.05") as url:
        asked = {"agents": CALLS, "in_flight": IN_FLIGHT, "url": url}
        ours = {**asked, "model": "claude-haiku-5-5"}
        for turn in range(HTTP_ROUNDS):
            for name, parts in OVER_HTTP.items():
                if name == BARE or turn < OTHERS_ROUNDS:
                    found.setdefault(name, []).append(_peer(parts, asked))
            found.setdefault("ours, inline, aiohttp", []).append(_ours(ours))
        on_ray = {**ours, "runtime": "ray"}
        found["ours, on Ray, aiohttp"] = [_ours(on_ray) for _ in range(RAY_ROUNDS)]
    least = {name: min(each["cpu_us"] for each in runs) / 1e3 for name, runs in found.items()}
    rows = [Row(f"{name}: CPU ms an agent", f"{took:.2f}") for name, took in least.items()]
    for name, took in least.items():
        if name.startswith("the SDK"):
            continue
        above = took - least[f"the SDK, {name.rpartition(', ')[2]}"]
        title = f"{name}: ms above the bare SDK"
        is_ours = name.startswith("ours")
        rows.append(at_most(title, above, 0.3, ".2f") if is_ours else Row(title, f"{above:.2f}"))
    return rows


def measure() -> list[Row]:
    """Width: agents at once, in all, and over HTTP, beside LangGraph and autogen-core."""
    return [*in_process(), *waiting(), *over_http()]


def _compared(found: Mapping[str, list[Figures]], key: str, title: str) -> list[Row]:
    least = {name: min(each[key] for each in runs) for name, runs in found.items()}
    rows = [Row(f"{name}: {title} an agent", f"{took:,.0f}") for name, took in least.items()]
    ours = least["ours"]
    rows.append(at_most(f"ours / autogen-core: {title}", ours / least["autogen-core"], 1, ".2f"))
    rows.append(at_most(f"ours / LangGraph: {title}", ours / least["LangGraph"], 0.2, ".2f"))
    for name in ("autogen-core", "LangGraph"):
        ratio = least["ours, a Session in a program"] / least[name]
        rows.append(Row(f"ours, a Session in a program / {name}: {title}", f"{ratio:.2f}"))
    return rows


def _peer(parts: tuple[str, ...], given: Mapping[str, Any]) -> Figures:
    return _figures([str(PYTHON), "-c", code_of(parts), json.dumps(given)])


def _ours(given: Mapping[str, Any]) -> Figures:
    command = [sys.executable, "-m", "commedia.benchmarks.fanning", json.dumps(given)]
    if given.get("is_plain"):
        return _figures(command)
    return _figures(command, ARROW)  # as the command `commedia` sets it for itself


def _figures(command: list[str], settings: Mapping[str, str] = MappingProxyType({})) -> Figures:
    env = {**environment(), **settings}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=True)
    said: Figures = json.loads(done.stdout.splitlines()[-1])
    return said


def main() -> int:
    """Print all figures; return 1 when a bar is missed."""
    os.environ["COMMEDIA_HOME"] = str(folder())  # no run of these is anybody's
    missed = 0
    for section in (in_process, waiting, over_http):
        rows = section()
        missed += sum(row.ok is False for row in rows)
        sys.stdout.write(render(f"{section.__name__}: {section.__doc__}", rows) + "\n")
        sys.stdout.flush()
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
