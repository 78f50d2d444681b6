"""What a driver and its supervisor say to each other."""

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from ..actors.actor import Message, Ref
from ..actors.bracket import Progress
from ..actors.faults import Faults
from ..actors.messages import ModelSpec
from ..actors.simulation.world import WORLD
from ..actors.tables import UNASKED
from .budget import Budget
from .charges import Unsettled
from .children import Intensity
from .desk import Halted, Inquiry
from .progress import RunProgress

Script = Callable[..., Coroutine[Any, Any, Any]]
"""An async function whose first argument is the Run."""

Mode = Literal["content", "replay"]
"""How a resumed run uses what was recorded: by content, asking what is new; or asking nothing."""


class RunSpec(Message):
    """All that a supervisor needs to know of a run, but its workflow; holds no key.

    *role* is whose host is started first. *is_sort*: the run is one ranking, which ends with what
    it has, and is never paused. *slots* bounds how many simulated agents act at one virtual time.
    """

    run_id: str
    folder: Path
    model: ModelSpec
    hosts: int = 2
    batch_rows: int = 4096
    budget: Budget = Budget()
    seed: int = 0
    slots: int | None = None
    role: str = "worker"
    is_sort: bool = False
    mode: Mode = "content"
    intensity: Intensity = Intensity()
    faults: Faults | None = None


class Execute(Message):
    """Has a supervisor run *workflow*; answered by GatewayStarted, Noted, and Finished at last.

    Its table is what simulated agents know of the world.
    """

    carries: ClassVar[pa.Schema | None] = WORLD

    spec: RunSpec
    workflow: Script
    args: dict[str, Any]
    is_halted: bool = False
    can_ask: bool = False


class GatewayStarted(Message):
    """Tells the driver where the gateway is, so that it can hand the key over."""

    gateway: Ref


class Noted(Message):
    """Tells the driver where the run stands."""

    progress: RunProgress


class Warned(Message):
    """Has the driver tell its user *line* at once, however quiet it is."""

    line: str


class Inquired(Message):
    """Has the driver ask its user; answered by Told."""

    inquiry: Inquiry


class Told(Message):
    """The user's answer to the question at *path*; None where there was none."""

    path: str
    answer: str | None


class Halt(Message):
    """Has a supervisor stop: no new calls (`drain`), or none at all (`cancel`)."""

    how: Literal["drain", "cancel"]


@dataclass(slots=True)
class Tally:
    """What a run's calls came to. *calls* were sent; *missing* counts rows without an answer.

    *reused* answers were paid for in an earlier life, *asked* calls were made in this one;
    *branches* counts those that raised. *short* says how many agents were asked for at once, and
    how many of them the budget left. *said* and *wanted* are the gateway's (Spending).
    """

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
    reused: int = 0
    asked: int = 0
    recalled: int = 0
    unsettled: list[Unsettled] = field(default_factory=list)
    branches: int = 0
    agents: int = 0
    short: tuple[int, int] | None = None
    said: str = ""
    wanted: tuple[int, int] = (0, 0)
    branch_causes: Counter[str] = field(default_factory=Counter)

    def lose(self, lost: Mapping[str, int]) -> None:
        """Count agents without an answer, by their status."""
        self.missing = dict(Counter(self.missing) + Counter(lost))

    def progress(self, ranking: Progress | None, *, phase: str, elapsed_s: float) -> RunProgress:
        """Return where a run stands that has come to this; its *ranking*, if it holds one."""
        return RunProgress(
            phase=phase,
            rounds=ranking.rounds if ranking else 0,
            calls=self.calls,
            expected_calls=ranking.expected_calls if ranking else None,
            tokens=self.tokens,
            cost_usd=self.nanousd / 1e9 if self.is_priced else None,
            predicted_tau=(ranking.predicted_tau or None) if ranking else None,
            predicted_recall=ranking.predicted_recall if ranking else None,
            missing=sum(n for status, n in self.missing.items() if status not in UNASKED),
            elapsed_s=elapsed_s,
            simulated=self.is_simulated,
            model="",
        )


class Finished(Message):
    """A workflow's value and what it cost; *halted* says what stopped it early, if anything.

    One that is *paused* has no value; *inquiry* is the question that it waits for. One that
    *failed* says what its workflow raised, and where (*trace*). *unasked* has the labels of agents
    whose verb was called and never awaited, *left* of those under way when the workflow ended.
    """

    value: Any
    tally: Tally
    halted: Halted | None = None
    paused: Halted | None = None
    inquiry: Inquiry | None = None
    virtual_s: float | None = None
    failed: str | None = None
    trace: str = ""
    unasked: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
