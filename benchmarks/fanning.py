"""Our own fan-out, in a process of its own: `python -m commedia.benchmarks.fanning JSON`.

Prints the figures that `ruler.py` prints of others. On Ray, and over HTTP, the CPU is that of every
process below this one.
"""

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import psutil

from ..actors.imports import spare_pandas
from ..session import Session
from ..supervisor.run import Run
from .ruler import Ruler


async def _no_op(request: Mapping[str, Any]) -> str:
    return "yes"


async def _fan_out(run: Run, agents: int) -> int:
    answers = await run.parallel([run.work(prompt) for prompt in _prompts(agents)])
    return sum(answer is not None for answer in answers)


@cache
def _prompts(agents: int) -> list[str]:
    return [f"Question {n}?" for n in range(agents)]


async def _connected(run: Run, agents: int, in_flight: int, driver: int) -> float:
    """Return the CPU seconds of a fan-out whose connections are open, in all our processes."""
    await _fan_out(run, in_flight)
    began = _cpu_of(driver)
    assert await _fan_out(run, agents) == agents
    return _cpu_of(driver) - began


def _cpu_of(driver: int) -> float:
    root = psutil.Process(driver)
    times = [each.cpu_times() for each in (root, *root.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def main() -> None:
    """Measure what the argument asks for: agents, model, in_flight, runtime, url, is_plain."""
    given = json.loads(sys.argv[1])
    if not given.get("is_plain"):
        spare_pandas()  # as the command does
    name = given["model"]
    options = {"runtime": given.get("runtime", "inline"), "in_flight": given["in_flight"]}
    if "url" in given:
        with Session(model=name, base_url=given["url"], budget="1000M", **options) as session:
            ran = session.run(_connected, given["agents"], given["in_flight"], os.getpid())
            print(json.dumps({"cpu_us": 1e6 * ran.value / given["agents"]}))
        return
    with Session(model=_no_op if name == "no-op" else name, **options) as session:
        session.run(_fan_out, 100)
        _prompts(given["agents"])  # the others' are there too
        ruler = Ruler()
        assert session.run(_fan_out, given["agents"]).value == given["agents"]
        ruler.tell(given["agents"])


if __name__ == "__main__":
    main()
