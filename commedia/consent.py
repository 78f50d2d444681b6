"""Whether a run that costs money may begin: within a budget, or because somebody said yes."""

from collections.abc import Callable
from typing import Final

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .supervisor.budget import Budget

Consent = Callable[[str], bool]
"""Shows what a run may take, and asks whether to begin."""


UNFORESEEN: Final = (
    "what a workflow asks is decided as it runs: --model sim:sonnet rehearses it for free"
)
GOING_ON: Final = "it goes on: what was answered is not asked again"


def agree(
    model: ModelSpec, budget: Budget, consent: Consent | None, estimate: Callable[[], object]
) -> None:
    """Raise UsageError where a *model* that costs money may not be asked: nothing is sent then.

    Without anybody who could give *consent* a budget is needed; the *estimate*, which is shown
    as text, is made only if there is somebody to show it to.
    """
    if not costs_money(model):
        return
    if consent is None:
        if budget.is_unlimited:
            raise UsageError(
                f"{model.name} costs money: give a --budget, for example --budget 2usd or "
                "--budget 500k, or say --yes"
            )
        return
    within = "without a budget" if budget.is_unlimited else f"within {budget}"
    if not consent(f"{model.name}, {within}; {estimate()}"):
        raise UsageError("it was not begun, and nothing was sent")


def costs_money(model: ModelSpec) -> bool:
    """Whether asking *model*, or a judge of its panel, may cost money."""
    return any(
        not (judge.is_simulated or judge.is_recorded or judge.script is not None)
        for judge in model.judges
    )
