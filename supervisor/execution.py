"""The desk behind the verbs of one run: its children, its stages, and all that is counted of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..actors.actor import Actor, Envelope, Message
from ..actors.bracket import Progress, Ranking
from ..actors.clock import Clock
from ..actors.messages import Attach, Detach
from ..actors.simulation.world import World
from ..actors.tables import REPLIES, concat, replace_columns
from .agent_log import AgentLog, Rows
from .backstage import Spent
from .bounds import affordable_agents, bound_of
from .casting import Cast
from .children import RestartPolicy
from .control import follow_orders
from .counting import Count, cause_of, take_ledger
from .dealing import Dealer
from .desk import Deliver, Halted, Inquiry
from .diary import Diary
from .gateway import Drain, Gateway, Report, Spending
from .inquiries import Inquiries
from .judging import Matter, affords, integrity_of_answers, items_of, requests_of
from .lifeline import Lifeline
from .logbook import Logbook
from .nursery import Nursery
from .orders import RunSpec, Tally
from .purse import Purse
from .runtime.base import Runtime
from .script import Performance
from .stage import Stage, Watch, missing_replies
from .telling import Teller
from .tournament import Tournament

_STAGE_SHIFT: Final = 32
"""A call's id is its stage's number, shifted, plus its row."""

_TOOK_S: Final = 1.0
"""What a run with a budget of wall time has taken is noted so often."""

LEFT: Final[dict[str, str]] = {
    "budget": "over_budget",
    "interrupt": "cancelled",
    "silence": "skipped",
    "breaker": "skipped",
    "question": "cancelled",
}
"""What becomes of requests that had not left when the run was halted."""


class Execution:
    """The desk of one run."""

    def __init__(
        self,
        spec: RunSpec,
        world: World,
        runtime: Runtime,
        note: Callable[[Message], None],
        *,
        can_ask: bool = False,
    ) -> None:
        self.spec, self.world = spec, world
        self.clock: Clock = runtime.clock
        self.halted: Halted | None = None
        self.inquiries = Inquiries(note, can_ask=can_ask)
        self.tally = Tally(is_simulated=spec.model.is_simulated)
        self.performance: Performance | None = None
        self._runtime, self._note = runtime, note
        self._purse = Purse(spec.budget, underway=self.underway)
        self._count = Count(self.tally, self._purse)
        self._log = Logbook(spec, self.clock)
        self._teller = Teller(spec, self.tally, self._log, note)
        self._agents = AgentLog()
        self._nursery = Nursery(runtime, RestartPolicy(spec.intensity), self.clock, self.event)
        self._cast = Cast(spec, world, self._nursery)
        self._lifeline = Lifeline(self._nursery, self._cast, self._new_gateway, note)
        self._diary: Diary | None = None
        self._matters: dict[int, Matter] = {}
        self._dead: set[int] = set()
        self._open: set[Stage] = set()
        self._stages = 1
        self._halting: set[asyncio.Future[None]] = set()
        self._watches: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Open the journal, start the gateway where the model needs one, and begin a first host."""
        self._diary = await Diary.open(self.spec.folder)
        self._diary.note({"t": "begun"})
        if not self.spec.model.is_simulated:
            await self._lifeline.open()
        self._cast.pool(self.spec.role).grow(1)
        self._watches = [
            asyncio.create_task(self._end_in_time()),
            asyncio.create_task(follow_orders(self.spec.folder, self.clock, self._obey)),
        ]
        self._teller.tell()

    async def close(self) -> None:
        """End the workflow, and stop every child; one still starting is not waited for."""
        if self.performance is not None:
            self.performance.abandon()
        unfinished = [*self._watches, *self._cast.unfinished()]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._nursery.stop_all()
        if self._diary is not None:
            await self._diary.close()

    async def settle(self) -> Tally:
        """Return what the run came to, with what only the gateway knows."""
        self.tally.deaths = list(self._nursery.deaths)
        self.tally.dead_letters = sorted(self._dead)
        if self._diary is not None:
            self.tally.recalled = self._diary.recalled
        if self.spec.model.is_simulated:
            self.tally.persistent_share = self.spec.model.profile.persistent_share
        if self._lifeline.is_open:
            reply = await self._lifeline.ask(Report(is_last=True))
            assert isinstance(reply.body, Spending)
            take_ledger(self.tally, reply.body)
        self._teller.tell_the_rest()
        self._log.write_events()
        if self._agents.rows:
            self._log.write_agents(self._agents.table())
        return self.tally

    async def halt(self, halted: Halted, *, cancel: bool = False) -> None:
        """Make no new call; with *cancel*, take back those under way as well."""
        self.halted = self.halted or halted
        if self.performance is not None and not self.spec.is_sort:
            self.performance.pause(halted, at_once=cancel)
        for stage in list(self._open):
            await stage.close(LEFT[halted])
            if cancel:
                await stage.cancel()
        if self._lifeline.is_open:
            await self._lifeline.drain(Drain())

    @property
    def is_replay(self) -> bool:
        """Whether nothing may be asked or done that is not on record."""
        return self.spec.mode == "replay"

    def spent(self) -> Spent:
        """Return the budget, and what is spent of it so far."""
        tally = self.tally
        return Spent(self.spec.budget, tally.tokens, tally.nanousd, self._purse.agents)

    def calls_left(self) -> int | None:
        """Return how many calls the budget's cap on agents leaves."""
        return self._purse.calls_left()

    def open_tournament(self, ranking: Ranking) -> Tournament:
        """Return a tournament whose bracket will hold *ranking*."""
        return Tournament(self._nursery, ranking)

    async def publish(
        self, items: pa.RecordBatch, standing: pa.RecordBatch, progress: Progress
    ) -> None:
        """Write the ranking so far, and show where it stands."""
        self._teller.ranking = progress
        number = self._matters[id(items)].number if id(items) in self._matters else 0
        self._log.write_ranking(standing, items, number=number)
        self._teller.tell()

    def event(self, kind: str, text: str) -> None:
        """Add a line to the run's events."""
        if kind == "phase":
            self._teller.phase = text
        if kind == "log":
            self._teller.say(text)
        if kind == "branch_failed":
            self.tally.branches += 1  # in the workflow's thread alone
            self.tally.branch_causes[cause_of(text)] += 1
        self._log.event(kind, text)

    def agents(self, rows: Rows) -> None:
        """Add agents that have ended."""
        self._agents.add(rows)

    async def ask_agents(self, requests: pa.RecordBatch, deliver: Deliver) -> None:
        """Have *requests*, of one role and label, answered a piece at a time."""
        await self.journal.settle()
        rows = requests.num_rows
        numbers = requests.column("call_id")
        first = self._next_stage()
        requests = replace_columns(requests, {"call_id": np.arange(first, first + rows)})
        admitted = 0 if self.halted else self._affordable(requests)
        self.tally.agents += rows

        def home(replies: pa.RecordBatch) -> None:
            places = replies.column("call_id").to_numpy() - first
            self._note_ends(replies)
            deliver(replace_columns(replies, {"call_id": numbers.take(pa.array(places))}))

        done = 0
        while admitted:  # what is left may fit once it is known what the others took
            await self._through(self._stage_of(requests.slice(done, admitted), home))
            done += admitted
            admitted = 0 if self.halted or done == rows else self._affordable(requests.slice(done))
        if done < rows:
            self._halt_for("budget")
            home(self._left_behind(requests.slice(done)))

    def _stage_of(self, requests: pa.RecordBatch, watch: Watch) -> Stage:
        role, rows = requests.column("role")[0].as_py(), requests.num_rows
        dealer = Dealer(range(rows), lambda row: (), self.spec.batch_rows)
        cast = self._cast
        ready = cast.judging(rows) if role == "judge" else cast.ready(role, rows)
        label = requests.column("_integrity")[0].as_py()
        parts = (requests, dealer, ready, self._nursery, watch)
        return Stage(*parts, integrity=label, lifeline=self._lifeline)

    async def ask_judges(
        self, items: pa.RecordBatch, matches: pa.RecordBatch, *, path: str, by: Sequence[str]
    ) -> pa.RecordBatch:
        """Return the replies to one request for each of *matches* (MATCHES), row for row."""
        await self.journal.settle()
        await self.share(items)
        matter, judges = self._matters[id(items)], [each.name for each in self.spec.model.judges]
        first = self._next_stage()
        requests = requests_of(matter, matches, first=first, path=path, judges=judges, by=by)
        rows, is_free = requests.num_rows, self._lifeline.is_open
        self.tally.agents += rows
        admitted = 0 if self.halted else affords(self._purse, requests, is_free=is_free)
        ready = self._cast.ready("judge", rows)
        dealer = Dealer(
            range(admitted),
            items_of(matches.column("shown")),
            self.spec.batch_rows,
            dead_items=matter.dead,
        )
        stage = Stage(
            *(requests.slice(0, admitted), dealer, ready, self._nursery, self._take),
            table=matter.number,
            integrity=integrity_of_answers(requests),
            lifeline=self._lifeline,
        )
        replies = await self._through(stage)
        self._dead |= matter.dead
        if admitted < rows:
            self._end_for("budget")
            left = self._left_behind(requests.slice(admitted))
            self._take(left)
            replies = concat([replies, left], REPLIES)
        self._learn_why(replies)
        self._log.write_matches(first >> _STAGE_SHIFT, requests, replies, items)
        return replies

    async def share(self, items: pa.RecordBatch) -> None:
        """Have the judges' hosts be told *items*, without waiting for them."""
        if id(items) in self._matters:
            return
        matter = self._matters[id(items)] = Matter(self._cast.next_table(), items)
        body = Attach(model=self.spec.model, table=matter.number)
        artifact = await self._runtime.put(items)
        self._cast.pool("judge").tell(matter.number, Envelope(body, artifact))

    async def unshare(self, items: pa.RecordBatch) -> None:
        """Let go of *items*."""
        matter = self._matters.pop(id(items), None)
        if matter is not None:
            farewell = Envelope(Detach(table=matter.number))
            await self._cast.pool("judge").forget(matter.number, farewell)

    def dead_items(self, items: pa.RecordBatch) -> frozenset[int]:
        """Return the rows of *items* that killed two hosts."""
        matter = self._matters.get(id(items))
        return frozenset(matter.dead) if matter else frozenset()

    async def call(self, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Return what *function* returns, called on a host."""
        await self.journal.settle()
        return await self._cast.call(function, dict(arguments))

    async def inquire(self, inquiry: Inquiry) -> str | None:
        """Return the user's answer, or the default, or None where the run must wait for one."""
        return await self.inquiries.ask(inquiry)

    def recall(self, path: str, key: str) -> Mapping[str, Any] | None:
        """Return what the journal has for *path* under *key*."""
        return self.journal.recall(path, key)

    def note(self, record: Mapping[str, Any]) -> None:
        """Have *record* journaled soon."""
        self.journal.note(record)

    async def record(self, record: Mapping[str, Any]) -> None:
        """Have *record* journaled; raises RunFailedError where it cannot be."""
        await self.journal.record(record)

    @property
    def journal(self) -> Diary:
        """The run's journal, once the run is open."""
        assert self._diary is not None, "the run is not open"
        return self._diary

    def _next_stage(self) -> int:
        self._stages += 1
        return (self._stages - 1) << _STAGE_SHIFT

    def _affordable(self, requests: pa.RecordBatch) -> int:
        """Return how many agents the budget admits: all that were asked for at once, or none."""
        left, rows = self._purse.calls_left(), int(requests.num_rows)
        if left is not None and rows > left:
            self.tally.short = (rows, left)
            return 0
        return affordable_agents(self._purse, requests, is_free=self._lifeline.is_open)

    def underway(self) -> int:
        """Return how many calls have no answer yet."""
        return sum(stage.requests.num_rows - stage.answered for stage in self._open)

    async def _through(self, stage: Stage) -> pa.RecordBatch:
        self._open.add(stage)
        bound = bound_of(stage.requests, is_free=self._lifeline.is_open)
        try:
            with self._purse.holding(bound):
                return await stage.run()
        finally:
            self._open.discard(stage)

    def _left_behind(self, requests: pa.RecordBatch) -> pa.RecordBatch:
        status = LEFT[self.halted or "budget"]
        calls = requests.column("call_id").to_pylist()
        return missing_replies(calls, [(status, None)] * len(calls))

    def _take(self, replies: pa.RecordBatch) -> None:
        """Count a judge's replies as they come."""
        self._count.take(replies, self.halted)
        if self._count.is_silent and self._lifeline.is_open and self.halted is None:
            self._halt_for("silence")
        self._teller.tell_at_times()

    def _note_ends(self, replies: pa.RecordBatch) -> None:
        """Count agents' replies as they come; one that ran out of money or patience halts."""
        self._count.take(replies, self.halted)
        statuses = replies.column("status").cast(pa.string()).unique().to_pylist()
        if "over_budget" in statuses:
            self._halt_for("budget")
        if "skipped" in statuses:
            self._halt_for("breaker")
        self._teller.tell_at_times()

    def _learn_why(self, replies: pa.RecordBatch) -> None:
        statuses = replies.column("status").unique().to_pylist()
        if self.calls_left() == 0 or "over_budget" in statuses:
            self._end_for("budget")
        if "skipped" in statuses:  # the gateway has given the model up
            self._end_for("silence")

    def _end_for(self, why: Halted) -> None:
        """Have a sort end with what it has; any other workflow is paused."""
        if self.spec.is_sort:
            self.halted = self.halted or why
        else:
            self._halt_for(why)

    def _halt_for(self, why: Halted) -> None:
        if self.halted is None:
            self.halted = why
            task = asyncio.ensure_future(self.halt(why))
            self._halting.add(task)
            task.add_done_callback(self._halting.discard)

    async def _end_in_time(self) -> None:
        """Halt the run when its budget of wall time is spent, by all of its lives together."""
        cap, earlier_s = self.spec.budget.wall_s, self.journal.took_s
        while cap is not None:
            took_s = earlier_s + self._log.elapsed_s
            self.note({"t": "took", "s": round(took_s, 3)})  # a life that is killed counts, too
            if took_s >= cap:
                return await self.halt("budget")
            await self.clock.sleep(min(cap - took_s, _TOOK_S))

    async def _obey(self, order: Mapping[str, Any]) -> None:
        """Do what another process orders through the run's folder."""
        if "skip" in order and self.performance is not None:
            self.note({"t": "skip", "label": str(order["skip"])})
            self.performance.skip(str(order["skip"]))
            self.event("skipped", str(order["skip"]))
        elif "answer" in order:
            self.inquiries.answer_next(str(order["answer"]))
        elif order.get("stop"):
            await self.halt("interrupt")

    def _new_gateway(self) -> Actor:
        spec = self.spec
        return Gateway(spec.model, spec.budget, spec.folder, asks=spec.mode != "replay")
