"""What a kill costs: `python -m commedia.benchmarks.resuming` prints every figure and its bar.

The examples and the hunt (`resumable.py`), each played by a counting function, by simulated agents
and some by a Messages API server in another process, are killed at random moments, resumed, and
compared with a run that nobody killed. Two are measured at once. Exits 1 when a bar is missed.
"""

import random
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from ..session import Session
from .beheading import behead, beheaded
from .command import folder
from .flows.fan import fan
from .killing import Chain, killed, telling_apart
from .players import IN_FLIGHT, Flow, Player, RuntimeKind, counting_model, playing
from .resumable import Pair, one_of_each_player, pairs
from .rows import Row, at_most
from .sections import Section, run_sections

HEADER = "What a kill costs: the same result, and no finished call asked again."

KILLS, LINKS = 20, 10
"""So many kills of the driver inline, in chains of so many in one run."""
KILLS_ON_RAY = 2
BEHEADINGS = 5
TRIES = 4
"""Runs until every life of one is killed before its end, each with kills in half the time."""
WIDTH = 100
HOSTS_START_S = 2.0
"""How long the hosts of a run take to start on Ray, before its agents act."""
AT_ONCE = 2
"""So many workflows are measured at a time, each in a process of its own."""


def kills() -> list[Row]:
    """The driver killed -9 at 20 random moments, inline."""
    return _measured(partial(_driver, KILLS, LINKS, "inline"), pairs())


def kills_on_ray() -> list[Row]:
    """The driver killed -9 at 2 random moments, on Ray.

    Its actors outlive it there by about a second, so what was in flight mostly gets its answer.
    """
    return _measured(partial(_driver, KILLS_ON_RAY, KILLS_ON_RAY, "ray"), pairs())


def supervisors() -> list[Row]:
    """The supervisor killed 5 times in one run, inline."""
    return _measured(partial(_supervisor, "inline"), pairs())


def supervisors_on_ray() -> list[Row]:
    """The supervisor killed 5 times in one run, on Ray: a workflow of each player."""
    return _measured(partial(_supervisor, "ray"), one_of_each_player(pairs()))


def sorts() -> list[Row]:
    """A sort on a scripted judge, its driver killed -9 at random moments."""
    table = folder() / "table.csv"
    rows = [f"{n},thing number {(n * 37) % 60}" for n in range(60)]
    table.write_text("id,text\n" + "\n".join(rows) + "\n")
    options = {"by": "size", "text": "text", "ask": "list:5"}
    flow, player = Flow(str(table), options, verb="sort"), counting_model(folder())
    whole, chains = _chains(flow, player, 8, 4, "inline")
    digests = {chain.said["digest"][:12] for chain in (whole, *chains)}
    again = sum(len(chain.finished_again) for chain in chains)
    in_flight = max(chain.repeats(whole) / max(chain.kills, 1) for chain in chains)
    return [
        _exactly("kills that landed", sum(chain.kills for chain in chains), 8),
        Row("calls of the whole sort", str(whole.said["calls"])),
        _exactly("digests", len(digests), 1),
        at_most("finished calls asked again", again, 0),
        at_most("asked again a kill, in flight", in_flight, IN_FLIGHT, ".1f"),
    ]


def edited() -> list[Row]:
    """A fan-out of 100 with one failed agent, then one prompt changed: the two run again."""
    return [row for name in ("counted", "claude") for row in _edited(name)]


def _edited(name: str) -> list[Row]:
    flow = Flow("commedia.benchmarks.flows.fan:fan", {"width": WIDTH, "changed": 40})
    with playing(name) as player, player.session("inline") as session:
        first = session.run(fan, WIDTH, broken=17)
        told = len(player.asked())
        second = session.resume(first.run_id, fan, broken=None, changed=40)
        again = player.asked()[told:]
    known = telling_apart(flow, player)
    places = sorted(_place(path) for name in again for path in known.paths_of(name))
    return [
        _exactly(f"{name}: agents that failed at first", sum(first.missing.values()), 1),
        _exactly(f"{name}: agents asked when resumed", len(again), 2),
        _exactly(f"{name}: answers used again", second.reused, WIDTH - 2),
        _exactly(f"{name}: status", second.status, "completed"),
        _exactly(f"{name}: which", ", ".join(places), "17, 40"),
    ]


def _place(path: str) -> str:
    """Return the place of an agent in its fan-out; a name that stands for no path as it is."""
    return path.partition("[")[2].partition("]")[0] or path


def _measured(measure: Callable[[Flow, str], list[Row]], pairs: Sequence[Pair]) -> list[Row]:
    """Measure each of *pairs*, some at once, each in a process with a run store of its own."""
    context = get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, context, warnings.simplefilter, ("ignore",)) as pool:
        found = list(pool.map(measure, *zip(*pairs, strict=True)))
    return [row for rows in found for row in rows]


def _driver(kills: int, links: int, runtime: RuntimeKind, flow: Flow, name: str) -> list[Row]:
    with playing(name) as player:
        player = telling_apart(flow, player)
        whole, chains = _chains(flow, player, kills, links, runtime)
        return _rows(f"{flow.name}, {name}", whole, chains, player, kills)


def _chains(
    flow: Flow, player: Player, kills: int, links: int, runtime: RuntimeKind
) -> tuple[Chain, list[Chain]]:
    """Return the run that nobody killed, and others until so many *kills* landed."""
    whole, chance, landed = killed(flow, player, ()), random.Random(20), 0
    chains: list[Chain] = []
    while landed < kills and len(chains) < 4 * kills // links:
        waits = _waits(flow, player, whole, min(links, kills - landed), runtime, chance)
        chains.append(killed(flow, player, waits, runtime=runtime))
        landed += chains[-1].kills
    return whole, chains


def _waits(
    flow: Flow,
    player: Player,
    whole: Chain,
    count: int,
    runtime: RuntimeKind,
    chance: random.Random,
) -> list[float]:
    """Return how long to wait before each kill: at random moments of the *whole* run's work."""
    if player.keeps(flow):
        moments = sorted(chance.uniform(0.0, whole.work_s) for _ in range(count))
        return [after - before for before, after in zip((0.0, *moments), moments, strict=False)]
    start_s = HOSTS_START_S if runtime == "ray" else 0.0
    return [chance.uniform(0.0, start_s + float(whole.said["wall_s"])) for _ in range(count)]


def _supervisor(runtime: RuntimeKind, flow: Flow, name: str) -> list[Row]:
    chance = random.Random(5)
    with playing(name) as player, player.session(runtime, flow) as session:
        player = telling_apart(flow, player)
        beheaded(flow, player)  # whatever is imported late is no part of the work
        whole = beheaded(flow, player)
        if player.keeps(flow):
            done = len(whole.asked) + whole.steps
            points = sorted(chance.sample(range(1, done), BEHEADINGS))
            chain = behead(session, flow, player, at=points)
        else:  # each life does all again: a share of it, that none may end before it is killed
            span_s = 0.6 * whole.work_s
            if runtime == "ray":  # where the work begins with the start of a supervisor
                span_s = 0.4 * behead(session, flow, player).work_s
            chain = _hunted(session, flow, player, chance, span_s)
        return _rows(f"{flow.name}, {name}", whole, [chain], player, BEHEADINGS)


def _hunted(
    session: Session, flow: Flow, player: Player, chance: random.Random, span_s: float
) -> Chain:
    """Return a run killed so often, each life within *span_s*: within half of it where one ended
    before, because this machine had a fast moment."""
    for _ in range(TRIES):
        waits = [chance.uniform(0.0, span_s) for _ in range(BEHEADINGS)]
        chain = behead(session, flow, player, after_s=waits)
        if chain.kills == BEHEADINGS:
            break
        span_s /= 2
    return chain


def _rows(name: str, whole: Chain, chains: list[Chain], player: Player, kills: int) -> list[Row]:
    landed = sum(chain.kills for chain in chains)
    same = sum(_is_same(chain, whole) for chain in chains)
    again = sum(chain.steps_again for chain in chains)
    rows = [
        Row(f"{name}: kills that landed", f"{landed} of {kills}", f"= {kills}", landed == kills),
        _exactly(f"{name}: runs with the same result", f"{same} of {len(chains)}", _all(chains)),
    ]
    if whole.steps:
        rows.append(at_most(f"{name}: finished steps done again", again, 0))
    if player.log is None:
        return rows
    finished = sum(len(chain.finished_again) for chain in chains)
    sent = sum(chain.sent_again for chain in chains)
    unlisted = sum(chain.unlisted(whole) for chain in chains)
    repeats = sum(chain.repeats(whole) for chain in chains)
    others = sum(chain.asked.keys() != whole.asked.keys() for chain in chains)
    return [
        *rows,
        at_most(f"{name}: finished calls asked again", finished, 0),
        at_most(f"{name}: the same by the run's own journal", sent, 0),
        Row(f"{name}: asked again, in flight at a kill", str(repeats)),
        at_most(f"{name}: of these not listed", unlisted, 0),
        at_most(f"{name}: runs that asked other calls", others, 0),
    ]


def _is_same(chain: Chain, whole: Chain) -> bool:
    names = ("value", "status", "agents", "missing", "virtual_s")
    return chain.code == whole.code and all(chain.said[n] == whole.said[n] for n in names)


def _exactly(name: str, value: object, bar: object) -> Row:
    return Row(name, str(value), f"= {bar}", value == bar)


def _all(chains: list[Chain]) -> str:
    return f"{len(chains)} of {len(chains)}"


SECTIONS: dict[str, Section] = {
    "kills": kills,
    "ray": kills_on_ray,
    "supervisors": supervisors,
    "supervisors-ray": supervisors_on_ray,
    "edited": edited,
    "sorts": sorts,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    return run_sections("commedia.benchmarks.resuming", HEADER, SECTIONS, arguments, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
