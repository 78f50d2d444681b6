"""What a driver and its supervisor say to each other."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..actors.actor import Message, Ref
from ..actors.faults import Faults
from ..actors.messages import ModelSpec
from .budget import Budget
from .children import Intensity
from .progress import RunProgress
from .run import Halted

Workflow = Callable[..., Coroutine[Any, Any, Any]]
"""An async function whose first argument is the Run."""


class RunSpec(Message):
    """All that a supervisor needs to know of a run, but its workflow; holds no key."""

    run_id: str
    folder: Path
    model: ModelSpec
    hosts: int = 2
    batch_rows: int = 4096
    budget: Budget = Budget()
    seed: int = 0
    intensity: Intensity = Intensity()
    faults: Faults | None = None


class Execute(Message):
    """Has a supervisor run *workflow*; answered by GatewayStarted, Noted, and Finished at last."""

    spec: RunSpec
    workflow: Workflow
    args: dict[str, Any]
    is_halted: bool = False


class GatewayStarted(Message):
    """Tells the driver where the gateway is, so that it can hand the key over."""

    gateway: Ref


class Noted(Message):
    """Tells the driver where the run stands."""

    progress: RunProgress


class Halt(Message):
    """Has a supervisor stop: no new calls (`drain`), or none at all (`cancel`)."""

    how: Literal["drain", "cancel"]


@dataclass(slots=True)
class Tally:
    """What a run's calls came to. *calls* were sent; *missing* counts rows without an answer."""

    calls: int = 0
    tokens: int = 0
    nanousd: int = 0
    is_priced: bool = True
    missing: dict[str, int] = field(default_factory=dict)
    dead_letters: list[int] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    served_models: list[str] = field(default_factory=list)
    causes: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    overruns: int = 0
    broken: str | None = None
    is_simulated: bool = False
    persistent_share: float | None = None


class Finished(Message):
    """A workflow's value and what it cost; *halted* says what stopped it early, if anything."""

    value: Any
    tally: Tally
    halted: Halted | None = None
