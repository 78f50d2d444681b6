"""What actors say to each other: frozen message bodies, each with the table it carries."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import ConfigDict

from .actor import Message, Ref
from .simulation.judge import JudgeProfile
from .simulation.profile import SONNET, AgentProfile
from .simulation.world import WORLD
from .tables import ITEMS, REPLIES, REQUESTS

Script = Callable[[Mapping[str, Any]], Any]
"""A scripted model's answer to one request, given as a row of REQUESTS with its prompt."""


class ModelSpec(Message):
    """Which model a role asks, and all that shapes its answers; holds no key.

    *script* is the function of a `scripted` model; *profile* and *agents* are the parameters of a
    simulated one, as a judge and as any other agent. *panel* are further judges, each of another
    name, that judge beside this one.
    """

    name: str
    base_url: str | None = None
    seed: int = 0
    profile: JudgeProfile = JudgeProfile()
    agents: AgentProfile = SONNET
    script: Script | None = None
    in_flight: int = 64
    timeout_s: float = 120.0
    panel: "tuple[ModelSpec, ...]" = ()

    @property
    def judges(self) -> "tuple[ModelSpec, ...]":
        """All who judge: this one first."""
        return (self, *self.panel)

    @property
    def is_simulated(self) -> bool:
        """Whether the host itself answers, from a profile."""
        return self.name.startswith("sim:")

    @property
    def is_recorded(self) -> bool:
        """Whether recorded verdicts answer, so that nothing is asked and nothing costs."""
        return self.name.startswith("recorded:")


class Attach(Message):
    """Tells a judge's host what it judges with: the items travel as its table, number *table*."""

    carries: ClassVar[pa.Schema | None] = ITEMS

    model: ModelSpec
    table: int = 0


class Detach(Message):
    """Tells a judge's host that it will not be asked about item table *table* again."""

    table: int


class Play(Message):
    """Tells a host which model its agents ask; what a simulated one knows travels as its table."""

    carries: ClassVar[pa.Schema | None] = WORLD

    model: ModelSpec


class Connect(Message):
    """Tells a host where the gateway is: before it is asked, and whenever there is a new one."""

    gateway: Ref


class Ask(Message):
    """Asks for answers to a batch of requests; replies come as Answers, in any order.

    A judge's requests are about the items of table number *table*; None where they hold all that
    is to be judged.
    """

    carries: ClassVar[pa.Schema | None] = REQUESTS

    table: int | None = 0


class Do(Message):
    """Has a host call *function* with *arguments*; answered by Did."""

    function: Callable[..., Any]
    arguments: dict[str, Any]


class Did(Message):
    """What a function returned."""

    value: Any


class Answers(Message):
    """Some of the replies to an Ask."""

    carries: ClassVar[pa.Schema | None] = REPLIES


class Trial(Message):
    """Has a host handle *items* of item table *table* and no others, to learn whether one kills it;
    or none, to learn whether it lives."""

    items: tuple[int, ...] = ()
    table: int = 0


class Done(Message):
    """Says that a message was taken, and nothing more."""


class HandOver(Message):
    """Gives the gateway its key: sent by the driver after each start, and kept nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: str | None

    def __repr__(self) -> str:
        return "HandOver(key=...)"

    __str__ = __repr__
