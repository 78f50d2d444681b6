"""The Run: the verbs that a workflow is written in. It lives in the workflow's own thread."""

import random
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, Unpack, overload

import pyarrow as pa

from ..actors.answers import Preference
from ..actors.bracket import Progress, Ranking
from ..actors.errors import UsageError
from ..actors.handle import Handle
from ..actors.output import Output, output_of, schema_of
from ..actors.questions import Question
from ..actors.reader import closed
from ..actors.verifier import Ruling, Verdict
from . import branches
from .agents import AgentOptions, raise_for
from .answering import told, typed
from .backstage import Backstage, Spent
from .bracketed import Bracketed
from .branches import OnError, Thunk
from .bulk import items_table, map_agents, map_judges
from .desk import Halted, Inquiry
from .outbox import Call
from .paths import here
from .results import Results
from .steps import call_tool, wait_until

T = TypeVar("T")
P = ParamSpec("P")
Work = Coroutine[Any, Any, T]
Missing = Literal["raise", "null"]


class Run:
    """One run, as its workflow sees it; *previous* is the pass before, where it runs in a loop."""

    def __init__(self, backstage: Backstage, args: Mapping[str, Any]) -> None:
        self._stage = backstage
        self.args = dict(args)
        self.previous: Turn | None = None

    @overload
    def work(self, prompt: str, **options: Unpack[AgentOptions]) -> Work[str]: ...
    @overload
    def work(self, prompt: str, *, output: type[T], **options: Unpack[AgentOptions]) -> Work[T]: ...
    @overload
    def work(
        self, prompt: str, *, output: Mapping[str, Any], **options: Unpack[AgentOptions]
    ) -> Work[Any]: ...
    @overload
    def work(
        self, prompt: str, *, on_error: Literal["null"], **options: Unpack[AgentOptions]
    ) -> Work[str | None]: ...
    @overload
    def work(
        self,
        prompt: str,
        *,
        output: type[T],
        on_error: Missing,
        **options: Unpack[AgentOptions],
    ) -> Work[T | None]: ...
    @overload
    def work(
        self,
        prompt: str,
        *,
        output: Any = None,
        on_error: Missing = "raise",
        **options: Unpack[AgentOptions],
    ) -> Work[Any]: ...
    def work(
        self,
        prompt: str,
        *,
        output: Any = None,
        on_error: Missing = "raise",
        **options: Unpack[AgentOptions],
    ) -> Work[Any]:
        """Have a worker with a clean context do *prompt*, and return its answer.

        *output* is a pydantic model, another type, or a JSON Schema; without, the answer is text.
        Raises AgentError where there is no answer; with `on_error="null"` that is None. Raises
        TaintError for a handle, and UsageError for an output that cannot be.
        """
        path = here().place("work")
        wanted = None if output is None else output_of(output)
        stage = self._stage
        call = stage.expect(stage.clerk.work(path, prompt, schema_of(wanted), options))
        or_none = on_error == "null"
        if wanted is None:
            return told(stage, call, or_none=or_none)
        return typed(stage, call, wanted, or_none=or_none)

    def verify(
        self,
        claim: object,
        rubric: str,
        *,
        lens: str | None = None,
        **options: Unpack[AgentOptions],
    ) -> Work[Verdict]:
        """Have a verifier try to refute *claim* by *rubric*, looking through *lens* above all.

        It is never told who made the claim. One that has no answer abstains: it never refutes. The
        claim is a text, a value that becomes JSON, or a handle.
        """
        path = here().place("verify")
        stage = self._stage
        call = stage.expect(stage.clerk.verify(path, claim, rubric, lens, options))

        async def verdict() -> Verdict:
            reply = await stage.ask(call)
            if reply.status != "ok" or reply.answer is None:
                why = f"{reply.status} ({reply.reason})" if reply.reason else reply.status
                return Verdict(verdict=Ruling.ABSTAINED, reason=why)
            return Verdict.model_validate_json(reply.answer)

        return verdict()

    def judge(
        self,
        left: object,
        right: object,
        by: str,
        *,
        question: Question = Question("pair"),
        **options: Unpack[AgentOptions],
    ) -> Work[Preference]:
        """Ask one judge which of two texts has more of *by*; raises AgentError without an answer.

        The grade is positive where *left* has more. With `question=Question("graded")` it says how
        much more.
        """
        path = here().place("judge")
        stage = self._stage
        call = stage.expect(stage.clerk.judge(path, (left, right), by, question, options))

        async def preference() -> Preference:
            reply = await stage.ask(call)
            raise_for(reply, call)
            return Preference(reply.grade, reply.order)

        return preference()

    @overload
    def read(
        self, untrusted: object, question: str, **options: Unpack[AgentOptions]
    ) -> Work[Handle]: ...
    @overload
    def read(
        self,
        untrusted: object,
        question: str,
        *,
        output: type[T],
        **options: Unpack[AgentOptions],
    ) -> Work[T]: ...
    @overload
    def read(
        self,
        untrusted: object,
        question: str,
        *,
        output: Mapping[str, Any],
        **options: Unpack[AgentOptions],
    ) -> Work[Any]: ...
    def read(
        self,
        untrusted: object,
        question: str,
        *,
        output: Any = None,
        **options: Unpack[AgentOptions],
    ) -> Work[Any]:
        """Have a reader in quarantine answer *question* about an *untrusted* text or handle.

        *output* must be closed (booleans, enums, bounded numbers, dates, capped lists of these);
        UsageError says what is not. Without it the answer is a handle: text that no other prompt
        can hold. Raises AgentError where there is no answer.
        """
        path = here().place("read")
        wanted = None if output is None else output_of(output)
        schema = None if wanted is None else closed(wanted.parsed)
        stage = self._stage
        call = stage.expect(stage.clerk.read(path, untrusted, question, schema, options))
        return self._read(call, wanted)

    async def _read(self, call: Call, wanted: Output[Any] | None) -> Any:
        if wanted is not None:
            return await typed(self._stage, call, wanted)
        text = await told(self._stage, call)
        return Handle(text or "", source=call.path)

    def map(
        self,
        verb: Callable[..., Any],
        table: pa.Table | pa.RecordBatch,
        *,
        by: str | Sequence[str] | None = None,
        items: pa.RecordBatch | None = None,
        question: Question | str = Question("pair"),
        **shared: Any,
    ) -> Work[pa.RecordBatch]:
        """Ask *verb* once for each row of *table*; returns the replies (tables.REPLIES) in order.

        The verb is one of this run: its columns are the verb's parameters, *shared* holds those
        that are the same for all rows. `run.judge` takes `left` and `right`, or, with *items*
        (tables.ITEMS), a column `shown` with the rows of *items* to compare, in the order shown;
        a table of MATCHES says itself what each row is asked. A row without an answer says why in
        `status`; nothing is raised for it.
        """
        path = f"{here().place('map')}[]"
        if verb == self.judge:
            asked = Question.parse(question) if isinstance(question, str) else question
            return map_judges(self._stage, path, table, by or "", items, asked)
        if isinstance(question, str):
            shared["question"] = question
        for name in ("work", "verify", "read"):
            if verb == getattr(self, name):
                return map_agents(self._stage, path, name, table, shared)
        raise TypeError("map takes a verb of this run: run.work, run.verify, run.judge or run.read")

    @overload
    def parallel(
        self, thunks: Iterable[Thunk[T]], *, on_error: Literal["null"] = "null"
    ) -> Work[list[T | None]]: ...
    @overload
    def parallel(
        self, thunks: Iterable[Thunk[T]], *, on_error: Literal["raise"]
    ) -> Work[list[T]]: ...
    @overload
    def parallel(
        self, thunks: Iterable[Thunk[T]], *, on_error: Literal["collect"]
    ) -> Work[Results[T]]: ...
    def parallel(self, thunks: Iterable[Thunk[Any]], *, on_error: OnError = "null") -> Work[Any]:
        """Run *thunks* (verbs, or functions without arguments) side by side, until all have ended.

        Their order is kept. One that raises takes nobody down, and is counted: its place holds
        None; with `collect` it is listed in the Results; with `raise` the first error is raised.
        """
        path = here().place("parallel")
        return branches.gather(self._stage.event, thunks, path=path, on_error=on_error)

    def pipeline(
        self, items: Iterable[Any], *stages: Callable[..., Any], on_error: OnError = "null"
    ) -> Work[Any]:
        """Send each of *items* through all *stages*; no item waits for another.

        A stage is called with what the stage before returned (the item at first), the item, and
        its place; it may take fewer, and may be async. Failures are as in `parallel`.
        """
        path = here().place("pipeline")
        return branches.flow(self._stage.event, list(items), stages, path=path, on_error=on_error)

    def ask(
        self, question: str, options: Sequence[str] = (), default: str | None = None
    ) -> Work[str]:
        """Ask the user; the answer is journaled.

        Where nobody is at a terminal the *default* is taken; without one the run pauses, and says
        how to answer. Raises UsageError for a default that is none of the *options*.
        """
        if options and default is not None and default not in options:
            raise UsageError(f"the default {default!r} is none of {', '.join(options)}")
        inquiry = Inquiry(here().place("ask"), question, tuple(options), default)
        return self._stage.inquire(inquiry)

    def tool(self, function: Callable[..., T], /, **args: Any) -> Work[T]:
        """Call *function* with *args* on a host, as a step that a resumed run does not repeat.

        Raises ToolError where it raises.
        """
        return call_tool(self._stage, here().place("tool"), function, args)

    def workflow(
        self,
        workflow: Callable[Concatenate["Run", P], Work[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Work[T]:
        """Run another workflow inside this one, one level deep: it shares budget and journal."""
        return self._stage.nested(here().place("workflow"), workflow, self, *args, **kwargs)

    async def turn(
        self, script: Callable[..., Work[T]], args: Mapping[str, Any], *, previous: "Turn | None"
    ) -> T:
        """Run *script* as one pass of a loop around it."""
        self.previous = previous
        return await self._stage.within(here().place("pass"), script, self, **args)

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """Name what is going on until the block ends, in this branch; phases inside add to it."""
        branch = here()
        before = branch.phase
        branch.phase = f"{before} · {title}" if before else title
        self._stage.event("phase", branch.phase)
        try:
            yield
        finally:
            branch.phase = before
            self._stage.event("phase_end", title)

    def log(self, text: str) -> None:
        """Add a line to the run's log."""
        self._stage.event("log", str(text))

    def now(self) -> float:
        """Return seconds on the run's own clock: virtual on simulated agents, and the same again
        when the run is resumed."""
        return self._stage.now(here().place("now"))

    def sleep(self, seconds: float) -> Work[None]:
        """Wait on the run's own clock; what a run has slept it does not sleep again."""
        return wait_until(self._stage, here().place("sleep"), seconds)

    @property
    def random(self) -> random.Random:
        """Randomness seeded by the run and this branch, so the same in each execution."""
        return here().random

    @property
    def budget(self) -> Spent:
        """What the run may spend, has spent, and has left."""
        return self._stage.spent()

    @property
    def model(self) -> str:
        """The model that answers where no other is named."""
        return self._stage.clerk.model

    @property
    def halted(self) -> Halted | None:
        """What stopped the run early; from then on no new call is made."""
        return self._stage.desk.halted

    @property
    def calls_left(self) -> int | None:
        """How many calls the budget's cap on agents leaves; None where there is none."""
        return self._stage.desk.calls_left()

    def items(self, texts: Sequence[str]) -> pa.RecordBatch:
        """Return *texts* as what judges compare (tables.ITEMS)."""
        return items_table(self._stage, texts)

    def dead_items(self, items: pa.RecordBatch) -> frozenset[int]:
        """Return the rows of *items* that killed two hosts: dead letters."""
        return self._stage.desk.dead_items(items)

    @asynccontextmanager
    async def sharing(self, items: pa.RecordBatch) -> AsyncIterator[None]:
        """Show *items* (tables.ITEMS) to the judges' hosts until the block ends."""
        await self._stage.do(self._stage.desk.share(items))
        try:
            yield
        finally:
            await self._stage.do(self._stage.desk.unshare(items))

    @asynccontextmanager
    async def tournament(self, ranking: Ranking) -> AsyncIterator[Bracketed]:
        """Hold a tournament: a bracket that lives until the block ends."""
        tournament = self._stage.desk.open_tournament(ranking)
        try:
            yield Bracketed(self._stage, tournament)
        finally:
            await self._stage.do(tournament.close())

    async def publish(
        self, items: pa.RecordBatch, standing: pa.RecordBatch, progress: Progress
    ) -> None:
        """Write the ranking of *items* so far into the run's folder."""
        await self._stage.do(self._stage.desk.publish(items, standing, progress))


@dataclass(frozen=True, slots=True)
class Turn:
    """One pass of a loop: its number from 1, what it returned, and what was said of it."""

    number: int
    value: Any
    guidance: str | None
