"""What is killed and resumed: the four examples and the hunt, and who plays each of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .command import folder
from .flows.outage import AT, write_evidence
from .players import NOBODY, Flow

EXAMPLES: Final = Path(__file__).parents[1] / "examples"

SERVED: Final = frozenset(("plan", "resumes"))
"""Those that a server plays as well."""

Pair = tuple[Flow, str]
"""A workflow, and the name of who plays it (see `playing`)."""


def pairs() -> list[Pair]:
    """Return each workflow with each of its players; its evidence lives as long as this process.

    To have one more workflow measured, add it here.
    """
    hunt = {"incident": "Orders are slow.", "evidence": write_evidence(folder()), "at": str(AT)}
    examples = [
        _example("names"),
        _example("plan", votes=9),
        _example("flaky", has_slow_tools=True, runs=4),
        _example("resumes"),  # asks for a rubric, and takes its own where nobody answers
    ]
    return [
        *((flow, player) for flow in examples for player in _players_of(flow)),
        *((Flow("root_cause", hunt), player) for player in ("counted", "sim:sonnet", NOBODY)),
    ]


def one_of_each_player(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the last pair of each player."""
    return list({player: (flow, player) for flow, player in pairs}.values())


def _example(name: str, *, has_slow_tools: bool = False, **args: object) -> Flow:
    path = EXAMPLES / f"{name}.py"
    return Flow(str(path), args, world=f"{path}:WORLD", has_slow_tools=has_slow_tools)


def _players_of(flow: Flow) -> tuple[str, ...]:
    players = ("counted", "sim:sonnet")
    return (*players, "claude") if flow.name in SERVED else players
