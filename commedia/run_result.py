"""What a workflow's run came to: its value, what is missing from it, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from .actors.errors import RunFailedError, RunPausedError
from .inert import inert
from .results import counted, perhaps_charged

R = TypeVar("R")

RunStatus = Literal["completed", "degraded", "failed", "paused", "interrupted"]


@dataclass(frozen=True, slots=True, repr=False)
class RunResult(Generic[R]):
    """A run that has ended, or is paused.

    *missing* counts agents without an answer by their reply status, *branches* those that raised.
    *calls*, *tokens* and *cost_usd* (None where no price is known) are of all its lives; *reused*
    answers were paid for in earlier ones, and *asked* calls, simulated or not, were made in the
    last. *virtual_s* is how long a simulated run would have taken.
    """

    status: RunStatus
    run_id: str
    workflow: str
    model: str
    simulated: bool
    agents: int
    calls: int
    tokens: int
    cost_usd: float | None
    missing: dict[str, int]
    branches: int
    reused: int
    recalled: int
    asked: int
    unsettled: list[dict[str, Any]]
    wall_s: float
    virtual_s: float | None
    why: str | None
    question: str | None
    notes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """What the *question* may be answered with; anything where there are none."""
    trace: str = field(default="", repr=False)
    """Where the workflow raised, if it did: the traceback of the user's own code."""
    _value: R | None = field(default=None, compare=False)

    @property
    def value(self) -> R:
        """What the workflow returned.

        Raises RunPausedError or RunFailedError where it has not; warns where something is missing.
        """
        if self.status in ("paused", "interrupted"):
            raise RunPausedError(self.run_id, self.why or self.status)
        if self.status == "failed":
            raise RunFailedError(self.why or "the run failed")
        if self.status == "degraded":
            import warnings

            warnings.warn(f"run {self.run_id} is degraded: {self.why or self.lost()}", stacklevel=2)
        return self._value  # type: ignore[return-value]  # a run that has ended has its value

    @property
    def cost(self) -> float | None:
        """Dollars that it cost; None where no price is known."""
        return self.cost_usd

    def lost(self) -> str:
        """Return in words what is missing."""
        parts = [f"{counted(n, 'agent')} {_WORDS.get(s, s)}" for s, n in self.missing.items()]
        if self.branches:
            parts.append(f"{counted(self.branches, 'branch', 'branches')} failed")
        return ", ".join(parts) or "nothing"

    def to_json(self) -> dict[str, Any]:
        """Return the account of the run, and its value, as `--json` prints it."""
        account = {name: getattr(self, name) for name in _ACCOUNT}
        return {**account, "value": jsonable(self._value)}

    def lines(self) -> list[str]:
        """Return the account of the run as lines for a person, inert."""
        is_bare = self.status == "failed" and not self.agents
        lines = _ending(self) if is_bare else self._account()
        if self.simulated:
            said = simulated_run_line(self.model)
            lines = [said, *lines, said]
        return [inert(line) for line in lines]

    def _account(self) -> list[str]:
        lines = [_cost_line(self), *_reuse(self)]
        if self.missing or self.branches:
            lines.append(f"missing: {self.lost()}")
        lines += [f"note: {note}" for note in self.notes]
        return [*lines, *_ending(self)]

    def __repr__(self) -> str:
        return f"RunResult({self.run_id}: {self.status}, {counted(self.agents, 'agent')})"

    def _repr_html_(self) -> str:
        from markupsafe import Markup

        shown = [Markup("<p>{}</p>").format(line) for line in self.lines()]
        value = Markup("<pre>{}</pre>").format(inert(str(self._value), 5_000))
        return Markup("<div>{}{}</div>").format(value, Markup("").join(shown))


_WORDS: Mapping[str, str] = {
    "over_budget": "over the budget",
    "cancelled": "taken back",
    "timeout": "out of time",
    "invalid": "with answers that cannot be used",
    "abstained": "that abstained",
}
_ACCOUNT = (
    *("status", "run_id", "workflow", "model", "simulated", "agents", "calls", "tokens"),
    *("cost_usd", "missing", "branches", "reused", "recalled", "asked", "unsettled"),
    *("wall_s", "virtual_s", "why", "question", "notes"),
    "options",
)


def simulated_run_line(model: str) -> str:
    """Return the line that says that no model was asked."""
    return f"simulated: {model} is no language model; its answers are drawn from a profile"


def jsonable(value: Any) -> Any:  # Any: what a workflow returned, and what JSON makes of it
    """Return *value* as JSON can show it; what it cannot show is shown as Python does."""
    from pydantic import TypeAdapter
    from pydantic_core import PydanticSerializationError

    try:
        return TypeAdapter(Any).dump_python(value, mode="json", fallback=_plain)
    except (PydanticSerializationError, ValueError):
        return repr(value)


def unshowable(value: Any) -> str:
    """Return the type of the first part of *value* that `jsonable` can only show as Python does."""
    from pydantic import TypeAdapter
    from pydantic_core import PydanticSerializationError

    odd: list[str] = []

    def watched(part: Any) -> Any:
        plain = _plain(part)
        if isinstance(plain, str):
            odd.append(type(part).__name__)
        return plain

    try:
        TypeAdapter(Any).dump_python(value, mode="json", fallback=watched)
    except (PydanticSerializationError, ValueError):
        odd.append(type(value).__name__)
    return odd[0] if odd else ""


def _plain(value: Any) -> Any:
    if hasattr(value, "to_pylist"):
        return value.to_pylist()
    if isinstance(value, tuple | list) or hasattr(value, "__iter__"):
        return list(value)
    return repr(value)


def _cost_line(result: RunResult[Any]) -> str:
    cost = "" if result.cost_usd is None else f", ${result.cost_usd:,.4f}"
    took = "" if result.virtual_s is None else f" ({result.virtual_s:,.1f} s simulated)"
    return (
        f"{result.status}: {counted(result.agents, 'agent')}, {counted(result.calls, 'call')}, "
        f"{result.tokens:,} tokens{cost}, {result.wall_s:,.1f} s{took}"
    )


def _reuse(result: RunResult[Any]) -> list[str]:
    lines = []
    if result.reused or result.recalled:
        lines.append(
            f"reused: {counted(result.reused, 'answer')} and {counted(result.recalled, 'step')} "
            f"of an earlier life of the run; asked now: {counted(result.asked, 'call')}"
        )
    if result.unsettled:
        lines.append(f"cut off or taken back in flight: {perhaps_charged(result.unsettled)}")
    return lines


def _ending(result: RunResult[Any]) -> list[str]:
    if result.status == "failed":
        return [f"failed: {result.why}"]
    if result.status == "degraded" and result.why:
        return [result.why]
    if result.status not in ("paused", "interrupted"):
        return []
    if result.question is not None:
        return [
            f"paused: {result.question}",
            *([f"one of: {', '.join(result.options)}"] if result.options else []),
            f'answer with: commedia answer {result.run_id} "..." --resume',
        ]
    more = " --budget ..." if "--budget" in (result.why or "") else ""
    command = f"commedia resume {result.run_id}{more}"
    return [f"{result.status}: {result.why}", f"go on with: {command}"]
