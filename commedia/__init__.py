"""commedia: supervised casts of language-model agents, run for real or rehearsed.

The face is lazy (PEP 562): `import commedia` costs nothing, a name loads when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actors.answers import Preference as Preference
    from .actors.errors import AgentError as AgentError
    from .actors.errors import CommediaError as CommediaError
    from .actors.errors import UsageError as UsageError
    from .actors.handle import Handle as Handle
    from .actors.simulation.judge import JudgeProfile as JudgeProfile
    from .actors.simulation.world import Thing as Thing
    from .actors.simulation.world import World as World
    from .actors.verifier import Verdict as Verdict
    from .eval_result import EvalResult as EvalResult
    from .results import RankResult as RankResult
    from .run_result import RunResult as RunResult
    from .session import Session as Session
    from .supervisor.budget import Budget as Budget
    from .supervisor.results import Results as Results
    from .supervisor.run import Run as Run
    from .supervisor.workflow import Workflow as Workflow
    from .supervisor.workflow import workflow as workflow

_HOMES = {
    "AgentError": ".actors.errors",
    "Budget": ".supervisor.budget",
    "CommediaError": ".actors.errors",
    "EvalResult": ".eval_result",
    "Handle": ".actors.handle",
    "JudgeProfile": ".actors.simulation.judge",
    "Preference": ".actors.answers",
    "RankResult": ".results",
    "Results": ".supervisor.results",
    "Run": ".supervisor.run",
    "RunResult": ".run_result",
    "Session": ".session",
    "Thing": ".actors.simulation.world",
    "UsageError": ".actors.errors",
    "Verdict": ".actors.verifier",
    "Workflow": ".supervisor.workflow",
    "World": ".actors.simulation.world",
    "workflow": ".supervisor.workflow",
}

__all__ = [
    "AgentError",
    "Budget",
    "CommediaError",
    "EvalResult",
    "Handle",
    "JudgeProfile",
    "Preference",
    "RankResult",
    "Results",
    "Run",
    "RunResult",
    "Session",
    "Thing",
    "UsageError",
    "Verdict",
    "Workflow",
    "World",
    "workflow",
]


def __getattr__(name: str) -> Any:
    """Load *name* from the file that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
