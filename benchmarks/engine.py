"""The engine on Ray: `python -m commedia.benchmarks.engine` prints every figure beside its bar.

All of one process run beside Ray as it comes, in turns, in one Ray; the least counts, for what else
runs on the machine slows each down, and speeds none up. Judges and agents are simulated: a real
model takes a second a call, and none of this is seen; it decides how large a rehearsal can be.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from .bare_ray import PROGRAM
from .command import environment, folder
from .nodes import Nodes, several
from .rows import Row, at_least, at_most
from .sections import Section, run_sections

HEADER: Final = """\
The engine on Ray. Judges and agents are SIMULATED; processes, nodes and their deaths are real."""

LOSING: Final = (sys.executable, "-m", "commedia.benchmarks.losing")
ITEMS: Final = 400
LOSSES: Final = (("remove", 1, "killed"), ("freeze", 2, "gone silent"))
"""One node is killed, and one falls silent as a machine without power does."""


@cache
def _figures() -> dict[str, float]:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def bulk_plane() -> list[Row]:
    """SIMULATED: a million comparisons of 300-token items through run.map, on two hosts."""
    found = _figures()
    better = min(found["call_s"], found["task_s"])
    times = better / found["bulk_s"]
    return [
        Row("one Ray task each, 64 in flight, a second", f"{1 / found['task_s']:,.0f}"),
        Row("one actor call each, 64 in flight, a second", f"{1 / found['call_s']:,.0f}"),
        Row("an actor call: CPU us", f"{found['call_cpu_us']:,.0f}"),
        Row("ours: comparisons a second", f"{1 / found['bulk_s']:,.0f}"),
        at_least("ours / the better of these", times, 300, ",.0f"),
        Row("the same, as a stretch", f"{times:,.0f}", ">= 1,000", None),
        at_most("CPU us a comparison, all processes", found["bulk_cpu_us"], 3, ".2f"),
        Row("the same, as a stretch", f"{found['bulk_cpu_us']:.2f}", "<= 0.6", None),
        Row("bytes on the wire a comparison, both ways", f"{found['bytes']:.1f}"),
        Row("tokens of an item", f"{found['item_tokens']:.0f}"),
        at_most("tokens an item, by length and as rendered", found["token_difference"], 1, ".2f"),
    ]


def row_plane() -> list[Row]:
    """SIMULATED: 10,000 agents, each with a key, a prompt, a typed answer, labels and its row."""
    found = _figures()
    share = found["row_cpu_us"] / found["call_cpu_us"]
    return [
        Row("agents a second", f"{1 / found['row_s']:,.0f}"),
        Row("CPU us an agent, all processes", f"{found['row_cpu_us']:.0f}"),
        at_most("CPU an agent / a bare actor call", share, 0.125, ".3f"),
    ]


def killed_host() -> list[Row]:
    """One of two hosts is killed by its process id; each of its two batches takes 300 ms."""
    found = _figures()
    return [
        at_most("until its death is seen, ms", found["death_seen_ms"], 50, ".0f"),
        at_most("until all is answered, above the work, s", found["recovered_s"], 0.5, ".2f"),
        Row("rows answered", f"{found['answered']:,.0f}", "2,000", found["answered"] == 2000),
        Row("rows counted twice", f"{found['twice']:.0f}", "0", found["twice"] == 0),
    ]


def lost_nodes() -> list[Row]:
    """SIMULATED: a sort on three nodes that loses one, and one whose bracket is killed 3 times."""
    plain = _plain()
    killed = _ranked({"kills": 3})
    rows = [Row("one node, inline", plain["digest"][:12]), _same("bracket killed 3 times", killed)]
    died = sum(kind == "died" for _, kind, _ in killed["events"])
    rows.append(Row("deaths of the bracket", str(died), "3", died == 3))
    for word, number, what in LOSSES:
        with several(3) as nodes:
            lossy, seen_s = _lost(nodes, word, number)
        rows.append(_same(f"three nodes, one {what}", lossy))
        twice = lossy["calls"] - plain["calls"]
        rows.append(Row("rows counted twice", str(twice), "0", twice == 0))
        rows.append(at_most("until its first death is seen, s", seen_s[0], 8, ".1f"))
        rows.append(at_most("until its last death is seen, s", seen_s[-1], 8, ".1f"))
    return rows


@cache
def _plain() -> dict[str, Any]:
    return _ranked({})


def _same(name: str, ran: dict[str, Any]) -> Row:
    is_same = all(ran[each] == _plain()[each] for each in ("digest", "calls", "status"))
    return Row(name, ran["digest"][:12], "the same", is_same)


def _ranked(asked: dict[str, Any]) -> dict[str, Any]:
    command = [*LOSING, json.dumps({"items": ITEMS, **asked})]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _lost(nodes: Nodes, word: str, number: int) -> tuple[dict[str, Any], list[float]]:
    """Return what a sort came to that lost a node, and after how many seconds it saw the deaths."""
    gate = folder() / "gate"
    asked = {"items": ITEMS, "hosts": 3, "address": nodes.address, "gate": str(gate)}
    command = [*LOSING, json.dumps(asked)]
    with subprocess.Popen(
        command, env=dict(nodes.env), stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        if driver.stdout.readline() != "mid\n":
            raise RuntimeError("the sort ended before its second round")
        lost_at = time.time()
        nodes.remove(number) if word == "remove" else nodes.freeze(number)
        gate.touch()
        said: dict[str, Any] = json.loads(driver.stdout.read().splitlines()[-1])
    events = said["events"]
    told = next((at, text) for at, kind, text in events if text.startswith("round "))
    began = float(told[1].rpartition(" ")[2]) - told[0]
    return said, [began + at - lost_at for at, kind, _ in events if kind == "died"] or [
        float("inf")
    ]


SECTIONS: Final[dict[str, Section]] = {
    each.__name__: each for each in (bulk_plane, row_plane, killed_host, lost_nodes)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    return run_sections("commedia.benchmarks.engine", HEADER, SECTIONS, arguments, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
