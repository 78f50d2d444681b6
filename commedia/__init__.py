"""commedia: supervised casts of language-model agents, run for real or rehearsed.

The face is lazy (PEP 562): `import commedia` costs nothing, a name loads when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actors.answers import Verdict as Verdict
    from .actors.errors import CommediaError as CommediaError
    from .actors.errors import UsageError as UsageError
    from .actors.simulation.judge import JudgeProfile as JudgeProfile
    from .results import RankResult as RankResult
    from .session import Session as Session
    from .supervisor.budget import Budget as Budget
    from .supervisor.run import Run as Run

_HOMES = {
    "Budget": ".supervisor.budget",
    "CommediaError": ".actors.errors",
    "JudgeProfile": ".actors.simulation.judge",
    "RankResult": ".results",
    "Run": ".supervisor.run",
    "Session": ".session",
    "UsageError": ".actors.errors",
    "Verdict": ".actors.answers",
}

__all__ = [
    "Budget",
    "CommediaError",
    "JudgeProfile",
    "RankResult",
    "Run",
    "Session",
    "UsageError",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    """Load *name* from the file that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
