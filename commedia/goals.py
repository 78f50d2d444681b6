"""The judge of a goal is checked before the first call: its model must be one that can be asked."""

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .actors.models.prices import price_of
from .actors.simulation.profile import profile_of
from .choice import NOBODY
from .patterns.loops import Loop
from .supervisor.budget import Budget


def check_goal(loop: Loop | None, model: ModelSpec, budget: Budget) -> None:
    """Raise UsageError where the goal of *loop* cannot be judged beside the agents' *model*."""
    if loop is None or loop.goal is None:
        return
    if not loop.goal.strip():
        raise UsageError("the goal is empty; say in a sentence what must hold")
    if model.name == NOBODY:
        raise UsageError("this workflow asks no model, and the judge of a goal does; give --model")
    name = loop.model
    if name is None or name == model.name:
        return
    if model.script is not None:
        raise UsageError(
            f"a scripted model plays every agent, the goal's judge too (task `goal`), so the goal "
            f"model {name!r} would not be asked; leave it out"
        )
    if model.is_simulated:
        if profile_of(name) is None:
            raise UsageError(
                f"the goal model {name!r} is none of the simulated agents that stand beside "
                f"{model.name}: sim:haiku, sim:sonnet, sim:opus, sim:other"
            )
    elif name.startswith("sim:"):
        raise UsageError(
            f"the goal model {name!r} is simulated, and {model.name} is not: one run has agents "
            "of one kind"
        )
    elif price_of(name) is None and (model.base_url is None or budget.nanousd is not None):
        raise UsageError(
            f"there is no price for the goal model {name!r}, so no budget holds; give a Claude "
            "model, or with --base-url a budget in tokens"
        )
