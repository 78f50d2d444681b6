"""What a kill costs: `python -m commedia.benchmarks.resuming` prints every figure and its bar.

Each workflow of FLOWS is played by a counting function, by simulated agents and, if SERVED names
it, by a Messages API server in another process; killed at random moments, resumed, and compared
with a run that nobody killed. Exits 1 when a bar is missed.
"""

import argparse
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from .command import folder
from .flows.fan import fan
from .killing import (
    IN_FLIGHT,
    Chain,
    Flow,
    Player,
    RuntimeKind,
    beheaded,
    counting_model,
    killed,
    served_model,
)
from .rows import Row, at_most, render

FLOWS: Final[tuple[Flow, ...]] = (
    Flow("commedia.benchmarks.flows.survey:survey", {"topics": 12}),
    Flow("commedia.benchmarks.flows.triage:triage", {"tickets": 16}),
    Flow("commedia.benchmarks.flows.contest:contest", {"ideas": 16}),
)
"""The workflows that are killed: add a line to have one more measured."""

SERVED: Final = frozenset(("survey", "triage"))
"""Those that are also played by a server."""

KILLS, LINKS = 20, 4
"""So many kills of the driver inline, in chains of so many in one run."""
KILLS_ON_RAY = 2
BEHEADINGS = 5
WIDTH = 100


def kills(flows: Sequence[Flow] = FLOWS) -> list[Row]:
    """The driver killed -9 at 20 random moments, inline."""
    return _measured(flows, lambda flow, player: _chains(flow, player, KILLS, LINKS, "inline"))


def kills_on_ray(flows: Sequence[Flow] = FLOWS) -> list[Row]:
    """The driver killed -9 at 2 random moments, on Ray."""
    return _measured(flows, lambda flow, player: _chains(flow, player, KILLS_ON_RAY, 2, "ray"))


def supervisors(flows: Sequence[Flow] = FLOWS) -> list[Row]:
    """The supervisor killed 5 times in one run, inline and on Ray."""

    def measure(flow: Flow, player: Player) -> tuple[Chain, list[Chain]]:
        beheaded(flow, player)  # whatever is imported late is no part of the work
        whole, chance = beheaded(flow, player), random.Random(5)
        kinds: tuple[RuntimeKind, ...] = ("inline", "ray")
        return whole, [
            beheaded(flow, player, _points(whole, BEHEADINGS, chance), runtime=kind)
            for kind in kinds
        ]

    return _measured(flows, measure)


def sorts() -> list[Row]:
    """A sort on a scripted judge, its driver killed -9 at random moments."""
    table = folder() / "table.csv"
    rows = [f"{n},thing number {(n * 37) % 60}" for n in range(60)]
    table.write_text("id,text\n" + "\n".join(rows) + "\n")
    options = {"by": "size", "text": "text", "ask": "list:5"}
    flow, player = Flow(str(table), options, verb="sort"), counting_model(folder())
    whole, chains = _chains(flow, player, 8, LINKS, "inline")
    digests = {chain.said["digest"][:12] for chain in (whole, *chains)}
    again = sum(len(chain.finished_again or ()) for chain in chains)
    in_flight = max(chain.repeats / chain.kills for chain in chains)
    return [
        Row("kills", str(sum(chain.kills for chain in chains))),
        Row("calls of the whole sort", str(whole.said["calls"])),
        _exactly("digests", len(digests), 1),
        at_most("finished calls asked again", again, 0),
        at_most("asked again a kill, in flight", in_flight, IN_FLIGHT, ".1f"),
    ]


def edited() -> list[Row]:
    """A fan-out of 100 with one failed agent, then one prompt changed: the two run again."""
    rows = []
    for name, player in _players(served=True):
        if player.log is None:
            continue
        with player.session("inline") as session:
            first = session.run(fan, WIDTH, broken=17)
            told = len(player.asked())
            second = session.resume(first.run_id, fan, broken=None, changed=40)
        again = player.asked()[told:]
        rows += [
            _exactly(f"{name}: agents that failed at first", sum(first.missing.values()), 1),
            _exactly(f"{name}: agents asked when resumed", len(again), 2),
            _exactly(f"{name}: answers used again", second.reused, WIDTH - 2),
            _exactly(f"{name}: status", second.status, "completed"),
        ]
        if name == "counted":
            places = sorted(int(path.partition("[")[2].partition("]")[0]) for path in again)
            rows.append(_exactly(f"{name}: which", places, [17, 40]))
    return rows


def _measured(
    flows: Sequence[Flow], measure: Callable[[Flow, Player], tuple[Chain, list[Chain]]]
) -> list[Row]:
    rows = []
    for flow in flows:
        for name, player in _players(served=flow.name in SERVED):
            rows += _rows(f"{flow.name}, {name}", *measure(flow, player), player)
    return rows


def _chains(
    flow: Flow, player: Player, kills: int, links: int, runtime: RuntimeKind
) -> tuple[Chain, list[Chain]]:
    whole, chance = killed(flow, player, ()), random.Random(20)
    return whole, [
        killed(flow, player, _moments(whole, links, chance), runtime=runtime)
        for _ in range(kills // links)
    ]


def _moments(whole: Chain, count: int, chance: random.Random) -> list[float]:
    """Return so many moments of the *whole* run's work, in order."""
    return sorted(chance.uniform(0.0, whole.work_s) for _ in range(count))


def _points(whole: Chain, count: int, chance: random.Random) -> list[float]:
    """Return so many points of the *whole* run, in order: numbers of calls, or seconds."""
    if whole.asked:
        return sorted(chance.sample(range(1, len(whole.asked)), count))
    return sorted(chance.uniform(0.0, float(whole.said["wall_s"])) for _ in range(count))


def _rows(name: str, whole: Chain, chains: list[Chain], player: Player) -> list[Row]:
    kills = sum(chain.kills for chain in chains)
    same = sum(_is_same(chain, whole) for chain in chains)
    rows = [
        Row(f"{name}: kills", str(kills)),
        _exactly(f"{name}: runs with the same result", f"{same} of {len(chains)}", _all(chains)),
    ]
    if player.log is None:
        return rows
    if whole.finished_again is not None:
        again = sum(len(chain.finished_again or ()) for chain in chains)
        rows.append(at_most(f"{name}: finished calls asked again", again, 0))
    unlisted = sum(chain.unlisted for chain in chains)
    others = sum(chain.asked.keys() != whole.asked.keys() for chain in chains)
    return [
        *rows,
        Row(f"{name}: asked again, in flight at a kill", str(sum(c.repeats for c in chains))),
        at_most(f"{name}: of these not listed", unlisted, 0),
        at_most(f"{name}: runs that asked other calls", others, 0),
    ]


def _is_same(chain: Chain, whole: Chain) -> bool:
    names = ("value", "status", "agents", "missing", "virtual_s")
    return chain.code == whole.code and all(chain.said[n] == whole.said[n] for n in names)


def _players(*, served: bool) -> Iterator[tuple[str, Player]]:
    """Yield who plays, by name; what they need lives until the next is asked for."""
    yield "counted", counting_model(folder())
    yield "sim:sonnet", Player("sim:sonnet")
    if served:
        with served_model(folder()) as player:
            yield "claude through serve", player


def _exactly(name: str, value: object, bar: object) -> Row:
    return Row(name, str(value), f"= {bar}", value == bar)


def _all(chains: list[Chain]) -> str:
    return f"{len(chains)} of {len(chains)}"


Section = Callable[[], list[Row]]

SECTIONS: dict[str, Section] = {
    "kills": kills,
    "ray": kills_on_ray,
    "supervisors": supervisors,
    "edited": edited,
    "sorts": sorts,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser("python -m commedia.benchmarks.resuming", description=__doc__)
    parser.add_argument("--only", help=f"some of {', '.join(SECTIONS)}, separated by commas")
    chosen = parser.parse_args(arguments)
    names = chosen.only.split(",") if chosen.only else list(SECTIONS)
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"no section is called {', '.join(unknown)}")
    os.environ["COMMEDIA_HOME"] = str(folder())  # no run of these is anybody's
    warnings.simplefilter("ignore", UserWarning)  # degraded runs: they are counted here
    missed = 0
    for name in names:
        began = time.monotonic()
        rows = SECTIONS[name]()
        missed += sum(row.ok is False for row in rows)
        title = (SECTIONS[name].__doc__ or "").partition("\n")[0]
        sys.stdout.write(render(f"{name}: {title} ({time.monotonic() - began:.0f} s)", rows) + "\n")
        sys.stdout.flush()
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
