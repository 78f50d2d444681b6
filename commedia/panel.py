"""Who judges: one model, or a panel of several."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .actors.errors import UsageError
from .actors.messages import ModelSpec, Script
from .actors.simulation.judge import JudgeProfile
from .actors.simulation.judges import JUDGES
from .choice import SIMULATED, choose_model

One = str | Script | JudgeProfile
Judges = One | Sequence[One] | None
"""What a session takes as its model: a name, a function, a simulated judge, or several of these."""


def checked(model: Any) -> Judges:  # Any: a caller's
    """Return *model*; raises UsageError where it is nothing that could answer."""
    judges = [model] if isinstance(model, str) or not isinstance(model, Sequence) else model
    for judge in judges:
        if not (judge is None or callable(judge) or isinstance(judge, str | JudgeProfile)):
            raise UsageError(
                f"model {judge!r} is none: give a name, a function, a JudgeProfile, or several"
            )
    found: Judges = model
    return found


def choose_judges(model: Judges, **asked: Any) -> ModelSpec:
    """Return the judge that *model* means, and the others of its panel; raises UsageError.

    *asked* is what `choose_model` takes.
    """
    if isinstance(model, str) or not isinstance(model, Sequence):
        return _one(model, **asked)
    if not model:
        raise UsageError("a panel needs at least one judge")
    specs = [_one(each, **asked) for each in model]
    if len(specs) == 1:
        return specs[0]
    specs = [_renamed(spec) for spec in specs]
    names = [spec.name for spec in specs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{twice[0]} is twice on the panel; each judge has a name of its own")
    if len({spec.is_simulated for spec in specs}) > 1:
        raise UsageError("a panel is of simulated judges or of real ones, not of both")
    return specs[0].model_copy(update={"panel": tuple(specs[1:])})


def agents_model(model: Judges) -> str | Script | None:
    """Return the one model of a workflow's agents; raises UsageError for a panel."""
    if model is None or isinstance(model, str) or callable(model):
        return model
    raise UsageError("a panel judges rankings; give a workflow's agents one model by its name")


def _one(model: One | None, **asked: Any) -> ModelSpec:
    if isinstance(model, str) and model in JUDGES and model != SIMULATED:
        accuracy = asked["profile"].accuracy
        model = replace(JUDGES[model], accuracy=accuracy)
    if not isinstance(model, JudgeProfile):
        return choose_model(model, **asked)
    spec = choose_model(SIMULATED, **{**asked, "profile": model})
    return spec.model_copy(update={"name": model.name})


def _renamed(spec: ModelSpec) -> ModelSpec:
    """Return *spec* under a name that tells functions apart."""
    if spec.script is None:
        return spec
    name = getattr(spec.script, "__name__", "function")
    return spec.model_copy(update={"name": f"scripted:{name}"})
