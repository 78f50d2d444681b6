"""What the verbs of a run do: children are started, stages dealt, answers counted and written."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa

from ..actors.actor import Actor, Artifact, Envelope, Message, Ref
from ..actors.answers import SILENT_CALLS
from ..actors.bracket import Progress, Ranking
from ..actors.clock import Clock
from ..actors.faults import Faulty
from ..actors.judge import TEMPLATES, VARIANT, Judge, TokenCount
from ..actors.messages import Attach
from ..actors.models.prices import PRICED_AS, price_of
from ..actors.models.simulated import most_answer_tokens
from ..actors.questions import Question
from ..actors.simulation.keyed import Ints
from ..actors.tables import INPUT, REPLIES, REQUESTS, UNASKED, UNTRUSTED, batch, concat
from .children import ChildSpec, Restart, RestartPolicy
from .dealing import Dealer
from .gateway import Drain, Gateway, Report, Spending
from .logbook import Logbook
from .nursery import Child, Nursery, Prepare
from .orders import GatewayStarted, Noted, RunSpec, Tally
from .progress import RunProgress
from .purse import Purse
from .run import Halted
from .runtime.base import Runtime, one_reply
from .stage import Stage, missing_replies
from .tournament import Tournament

_STAGE_SHIFT: Final = 32
"""A call's id is its stage's number, shifted, plus its row."""

LEFT: Final = {"budget": "over_budget", "interrupt": "cancelled", "silence": "skipped"}
"""What becomes of requests that had not left when the run was halted."""

_TOKENS: Final = ("tokens_in", "tokens_out", "tokens_cache_write", "tokens_cache_read")


class Execution:
    """The desk of one run: owns its children and everything counted or written about it."""

    def __init__(self, spec: RunSpec, runtime: Runtime, note: Callable[[Message], None]) -> None:
        self.spec = spec
        self.clock: Clock = runtime.clock
        self.halted: Halted | None = None
        self.dead_items: set[int] = set()
        self.tally = Tally(is_simulated=spec.model.is_simulated)
        self._runtime = runtime
        self._note = note
        self._purse = Purse(spec.budget)
        self._log = Logbook(spec, self.clock)
        policy = RestartPolicy(spec.intensity)
        self._nursery = Nursery(runtime, policy, self.clock, self._log.event)
        self._hosts: list[asyncio.Task[Child]] = []
        self._gateway: Child | None = None
        self._ready: list[asyncio.Task[Child]] = []
        self._items: pa.RecordBatch | None = None
        self._attach: Prepare | None = None
        self._tokens: TokenCount | None = None
        self._stage: Stage | None = None
        self._stages = 0
        self._progress: Progress | None = None
        self._phase = ""
        self._silent = 0
        self._halting: asyncio.Future[None] | None = None
        self._noted_at = 0.0

    async def open(self) -> None:
        """Start the gateway, where the model needs one, and begin to start the first host.

        The others start with a stage that has a batch for each.
        """
        if not self.spec.model.is_simulated:
            gateway = ChildSpec("gateway", self._new_gateway, Restart.TEMPORARY)
            self._gateway = await self._nursery.start(gateway)
            self._note(GatewayStarted(gateway=self._gateway.ref))
        self._start_hosts(1)
        self._show()

    async def close(self) -> None:
        """Stop every child; one that is still starting is not waited for."""
        unfinished = [*self._ready, *self._hosts]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._nursery.stop_all()

    async def settle(self) -> Tally:
        """Return what the run came to, with what only the gateway knows."""
        self.tally.deaths = list(self._nursery.deaths)
        self.tally.dead_letters = sorted(self.dead_items)
        if self.spec.model.is_simulated:
            self.tally.persistent_share = self.spec.model.profile.persistent_share
        if self._gateway is not None:
            reply = await one_reply(
                self._runtime.ask(self._gateway.ref, Envelope(Report(is_last=True)))
            )
            assert isinstance(reply.body, Spending)
            self._take_ledger(reply.body)
            self.tally.is_simulated = reply.body.is_simulated
            self.tally.served_models = list(reply.body.served_models)
            declared = reply.body.declared or {}
            self.tally.persistent_share = declared.get("persistent_share")
        self._log.write_events()
        return self.tally

    def _take_ledger(self, spending: Spending) -> None:
        """Count what the gateway counted: attempts that nobody answered were paid for, too."""
        tally = self.tally
        tally.calls = spending.agents
        tally.tokens = spending.tokens
        tally.is_priced = spending.cost_nanousd is not None
        tally.nanousd = spending.cost_nanousd or 0
        tally.unknown, tally.overruns = spending.unknown, spending.overruns
        tally.broken = spending.broken

    async def halt(self, halted: Halted, *, cancel: bool = False) -> None:
        """Make no new call; with *cancel*, take back those under way as well."""
        self.halted = self.halted or halted
        if self._stage is not None:
            await self._stage.close(LEFT[halted])
            if cancel:
                await self._stage.cancel()
        if self._gateway is not None:
            await one_reply(self._runtime.ask(self._gateway.ref, Envelope(Drain())))

    def calls_left(self) -> int | None:
        """Return how many calls the budget's cap on agents leaves."""
        return self._purse.calls_left()

    def open_tournament(self, ranking: Ranking) -> Tournament:
        """Return a tournament whose bracket will hold *ranking*."""
        return Tournament(self._nursery, ranking)

    async def publish(self, standing: pa.RecordBatch, progress: Progress) -> None:
        """Write the ranking so far, and show where it stands."""
        assert self._items is not None, "a ranking is published after its first round"
        self._progress = progress
        self._log.write_ranking(standing, self._items)
        self._show()

    def event(self, kind: str, text: str) -> None:
        """Add a line to the run's events."""
        if kind == "phase":
            self._phase = text
        self._log.event(kind, text)

    async def ask_judges(
        self, items: pa.RecordBatch, shown: pa.Array, *, by: str, question: Question
    ) -> pa.RecordBatch:
        """Return the replies to one request for each row of *shown*, row for row."""
        await self.share(items)
        requests = self._requests(shown, by, question)
        rows = requests.num_rows
        batches = -(-rows // self.spec.batch_rows)
        self._start_hosts(min(batches, self.spec.hosts))
        admitted = 0 if self.halted else self._affords(requests, question)
        replies = await self._perform(requests.slice(0, admitted), shown)
        if admitted < rows:
            self.halted = self.halted or "budget"
            calls = requests.column("call_id").slice(admitted).to_pylist()
            left = missing_replies(calls, [(LEFT[self.halted], None)] * len(calls))
            self._count(left)
            replies = concat([replies, left], REPLIES)
        statuses = set(replies.column("status").to_pylist())
        if self.calls_left() == 0 or "over_budget" in statuses:
            self.halted = self.halted or "budget"
        if "skipped" in statuses:  # the gateway has given the model up
            self.halted = self.halted or "silence"
        self._log.write_matches(self._stages, requests, replies, items)
        return replies

    async def _perform(self, requests: pa.RecordBatch, shown: pa.Array) -> pa.RecordBatch:
        ends, flat = shown.offsets.to_numpy(), shown.flatten().to_numpy()
        dealer = Dealer(
            rows=range(requests.num_rows),
            items_of=lambda row: flat[ends[row] : ends[row + 1]].tolist(),
            batch_rows=self.spec.batch_rows,
            dead_items=self.dead_items,
        )
        self._stage = Stage(requests, dealer, self._ready, self._nursery, self._count)
        alarm = asyncio.create_task(self._end_in_time())
        try:
            return await self._stage.run()
        finally:
            alarm.cancel()
            self._stage = None

    async def _end_in_time(self) -> None:
        """Halt the run when its budget of wall time is spent."""
        if self.spec.budget.wall_s is not None:
            left = self.spec.budget.wall_s - self._log.elapsed_s
            await self.clock.sleep(max(left, 0.0))
            await self.halt("budget")

    async def share(self, items: pa.RecordBatch) -> None:
        """Have the hosts be told *items*, without waiting for them."""
        if items is self._items:
            return
        self._items = items
        self._attach = self._attaching(await self._runtime.put(items))
        self._ready = [asyncio.create_task(self._made_ready(host)) for host in self._hosts]
        self._tokens = TokenCount.of(items.column("text").to_pylist())

    def _start_hosts(self, count: int) -> None:
        """Begin to start hosts until there are *count*."""
        for number in range(len(self._hosts), count):
            start = self._nursery.start(self._host_spec(number))
            self._hosts.append(asyncio.create_task(start))
            if self._attach is not None:
                self._ready.append(asyncio.create_task(self._made_ready(self._hosts[-1])))

    async def _made_ready(self, starting: "asyncio.Task[Child]") -> Child:
        """Return a host that has started and was told what it judges."""
        host = await starting
        assert self._attach is not None
        await self._nursery.prepare_again(host, self._attach)
        return host

    def _attaching(self, artifact: Artifact) -> Prepare:
        gateway = self._gateway.ref if self._gateway is not None else None
        envelope = Envelope(Attach(model=self.spec.model, gateway=gateway), artifact)

        async def attach(ref: Ref) -> None:
            await one_reply(self._runtime.ask(ref, envelope))

        return attach

    def _requests(self, shown: pa.Array, by: str, question: Question) -> pa.RecordBatch:
        assert self._tokens is not None
        rows, first = len(shown), self._stages << _STAGE_SHIFT
        self._stages += 1
        sizes = np.diff(shown.offsets.to_numpy())
        columns = {
            "call_id": np.arange(first, first + rows),
            "path": f"{self._phase}/judge",
            "role": "judge",
            "model": self.spec.model.name,
            "template": TEMPLATES[question.kind],
            "items": shown,
            "context_tokens": self._prompt_tokens(shown, sizes, by, question),
            "attempt": 0,
            "task": [f"list:{k}" for k in sizes] if question.kind == "list" else str(question),
            "by": by,
            "variant": VARIANT,
            "repeat": 0,
        }
        return batch(REQUESTS, columns, rows=rows, integrity=UNTRUSTED, provenance=INPUT)

    def _prompt_tokens(self, shown: pa.Array, sizes: Ints, by: str, question: Question) -> Ints:
        assert self._tokens is not None
        tokens = np.zeros(len(shown), np.int64)
        flat, starts = shown.flatten().to_numpy(), shown.offsets.to_numpy()[:-1]
        starts = starts - (starts[0] if len(starts) else 0)
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            matrix = flat[starts[rows][:, None] + np.arange(size)]
            asked = Question(question.kind, int(size))
            tokens[rows] = self._tokens.prompts(asked, by, matrix)
        return tokens

    def _affords(self, requests: pa.RecordBatch, question: Question) -> int:
        """Return how many requests the budget admits; behind a gateway, money is counted there."""
        nothing = np.zeros(requests.num_rows, np.int64)
        if self._gateway is not None:
            return self._purse.affords(nothing, nothing)
        price = price_of(PRICED_AS)
        assert price is not None
        tokens_in = requests.column("context_tokens").to_numpy().astype(np.int64)
        tokens_out = most_answer_tokens(question)
        dear = price.above if tokens_in.max(initial=0) > price.threshold else None
        rates = dear or price.base
        return self._purse.affords(
            tokens_in + tokens_out, tokens_in * rates.input + tokens_out * rates.output
        )

    def _count(self, replies: pa.RecordBatch) -> None:
        """Take replies into the tally, as they come."""
        tally = self.tally
        tokens = sum(int(pa.compute.sum(replies.column(name)).as_py() or 0) for name in _TOKENS)
        sent = int((replies.column("attempts").to_numpy() > 0).sum())
        costs = replies.column("cost_nanousd")
        tally.is_priced = tally.is_priced and not costs.null_count
        nanousd = int(pa.compute.sum(costs).as_py() or 0)
        tally.calls += sent
        tally.tokens += tokens
        tally.nanousd += nanousd
        endings = [replies.column(name).to_pylist() for name in ("status", "reason")]
        statuses = Counter(endings[0])
        del statuses["ok"]
        if self.halted == "budget":  # a gateway that is drained knows not why
            statuses["over_budget"] += statuses.pop("cancelled", 0)
        tally.missing = dict(Counter(tally.missing) + +statuses)
        told = zip(*endings, strict=True)
        causes = Counter(word for status, word in told if word and status not in UNASKED)
        tally.causes = dict(Counter(tally.causes) + causes)
        self._purse.spend(tokens=tokens, nanousd=nanousd, agents=sent)
        self._listen(replies)
        if self.clock.now() - self._noted_at > 0.25:
            self._show()

    def _listen(self, replies: pa.RecordBatch) -> None:
        """Halt the run when too many calls in a row, as they come in, had no usable answer."""
        for status in replies.column("status").to_pylist():
            if status not in UNASKED:
                self._silent = 0 if status == "ok" else self._silent + 1
        if self._silent >= SILENT_CALLS and self._gateway is not None and self.halted is None:
            self.halted = "silence"
            self._halting = asyncio.ensure_future(self.halt("silence"))

    def _show(self) -> None:
        self._noted_at = self.clock.now()
        stands = self._progress
        self._note(
            Noted(
                progress=RunProgress(
                    phase=self._phase,
                    rounds=stands.rounds if stands else 0,
                    calls=self.tally.calls,
                    expected_calls=stands.expected_calls if stands else None,
                    tokens=self.tally.tokens,
                    cost_usd=self.tally.nanousd / 1e9 if self.tally.is_priced else None,
                    predicted_tau=stands.predicted_tau if stands else None,
                    missing=sum(n for s, n in self.tally.missing.items() if s not in UNASKED),
                    elapsed_s=self._log.elapsed_s,
                    simulated=self.tally.is_simulated,
                    model=self.spec.model.name,
                )
            )
        )

    def _new_gateway(self) -> Actor:
        return Gateway(self.spec.model, self.spec.budget)

    def _host_spec(self, number: int) -> ChildSpec:
        """A judge's host; the first life of the first one may be told to fall."""
        faults, lives = self.spec.faults, iter(range(1 << 30))

        def create() -> Actor:
            first = number == 0 and next(lives) == 0
            if faults is None:
                return Judge()
            return Faulty(Judge(), faults if first else faults.model_copy(update={"batch": None}))

        return ChildSpec(f"judge-{number}", create)
