"""How actors work together: six patterns over the verbs of a run, and the rankings they play.

The face is lazy (PEP 562), as the front door's is: a bracket's process needs the rankings alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adversarial_verification import Poll as Poll
    from .adversarial_verification import poll as poll
    from .adversarial_verification import verify_adversarially as verify_adversarially
    from .classify_and_act import Labelled as Labelled
    from .classify_and_act import act as act
    from .classify_and_act import classify as classify
    from .fan_out_and_synthesize import Synthesis as Synthesis
    from .fan_out_and_synthesize import fan_out as fan_out
    from .fan_out_and_synthesize import reconcile as reconcile
    from .fan_out_and_synthesize import synthesize as synthesize
    from .generate_and_filter import distinct as distinct
    from .generate_and_filter import generate as generate
    from .generate_and_filter import keep_best as keep_best
    from .loop_until_done import Found as Found
    from .loop_until_done import Round as Round
    from .loop_until_done import loop_until as loop_until
    from .stop_rules import All as All
    from .stop_rules import Goal as Goal
    from .stop_rules import NoneLeft as NoneLeft
    from .stop_rules import NoneNew as NoneNew
    from .stop_rules import Rounds as Rounds
    from .stop_rules import Spent as Spent
    from .tournament import Ranked as Ranked
    from .tournament import Winner as Winner
    from .tournament import pick_winner as pick_winner
    from .tournament import rank as rank

_HOMES = {
    "All": "stop_rules",
    "Found": "loop_until_done",
    "Goal": "stop_rules",
    "Labelled": "classify_and_act",
    "NoneLeft": "stop_rules",
    "NoneNew": "stop_rules",
    "Poll": "adversarial_verification",
    "Ranked": "tournament",
    "Round": "loop_until_done",
    "Rounds": "stop_rules",
    "Spent": "stop_rules",
    "Synthesis": "fan_out_and_synthesize",
    "Winner": "tournament",
    "act": "classify_and_act",
    "classify": "classify_and_act",
    "distinct": "generate_and_filter",
    "fan_out": "fan_out_and_synthesize",
    "generate": "generate_and_filter",
    "keep_best": "generate_and_filter",
    "loop_until": "loop_until_done",
    "pick_winner": "tournament",
    "poll": "adversarial_verification",
    "rank": "tournament",
    "reconcile": "fan_out_and_synthesize",
    "synthesize": "fan_out_and_synthesize",
    "verify_adversarially": "adversarial_verification",
}

__all__ = [
    "All",
    "Found",
    "Goal",
    "Labelled",
    "NoneLeft",
    "NoneNew",
    "Poll",
    "Ranked",
    "Round",
    "Rounds",
    "Spent",
    "Synthesis",
    "Winner",
    "act",
    "classify",
    "distinct",
    "fan_out",
    "generate",
    "keep_best",
    "loop_until",
    "pick_winner",
    "poll",
    "rank",
    "reconcile",
    "synthesize",
    "verify_adversarially",
]


def __getattr__(name: str) -> Any:
    """Load *name* from the file that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
