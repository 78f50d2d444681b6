"""One call to a model that costs money: its attempts, waits and re-asks, until a reply stands."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..actors.answers import Preference, parse_answer
from ..actors.clock import Clock
from ..actors.errors import InvalidAnswerError
from ..actors.models.prices import Price, price_of
from ..actors.models.replies import NOTHING as UNUSED
from ..actors.models.replies import Reply
from ..actors.models.wire import Attempt, Client, Request, Usage, most_tokens_in
from .admission import Admitted, Desk, Refused, Wait, Window
from .budget import NOTHING, Amount
from .charges import Charges, Identity
from .limits import Need, Throttle, class_of
from .retry import Again, GiveUp, Patience, after_failure

_DROPPED: Final = Attempt("dropped")
_SLOW: Final = frozenset({"timeout", "overloaded", "rate_limited"})


@dataclass(slots=True)
class Tally:
    """What a gateway's calls came to, attempts that nobody answered included.

    *said* is what the server said of the first call that it refused, *wanted* what the first call
    that the budget did not cover could have taken.
    """

    calls: int = 0
    requests: int = 0
    unknown: int = 0
    said: str = ""
    wanted: Amount = NOTHING
    served_models: set[str] = field(default_factory=set)


class Bell:
    """Wakes all who wait for the desk to change, and lets others sleep until then at most."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake everybody who waits now."""
        waiting, self._waiting = self._waiting, []
        for rung in waiting:
            if not rung.done():
                rung.set_result(None)

    async def wait(self, seconds: float | None, clock: Clock) -> None:
        """Return after *seconds*, or when the bell rings."""
        rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(rung)
        if seconds is None:
            return await rung
        waits: list[asyncio.Future[Any]] = [rung, asyncio.ensure_future(clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


@dataclass(slots=True)
class Caller:
    """Makes calls through one client, one desk and one tally."""

    client: Client
    desk: Desk
    clock: Clock
    price: Price | None
    timeout_s: float
    window: Window
    charges: Charges = field(default_factory=Charges)
    tally: Tally = field(default_factory=Tally)
    patience: Patience = field(default_factory=Patience)
    bell: Bell = field(default_factory=Bell)
    lanes: dict[str, "Lane"] = field(default_factory=dict)
    panel: Mapping[str, Price | None] = field(default_factory=dict)

    def lane(self, row: Mapping[str, Any]) -> "Lane":
        """Return the lane of the class of models that *row* is for."""
        return self.lanes.setdefault(class_of(row["model"]), Lane())

    def price_of(self, row: Mapping[str, Any]) -> Price | None:
        """Return the price of the model that an agent's *row* names, or its judge of a panel; or
        else that of the run's own."""
        if row.get("role") == "judge":
            return self.panel.get(row["model"], self.price)
        return price_of(row["model"])

    async def reply(self, request: Request, depart: Callable[[], None]) -> Reply:
        """Ask until a reply stands; *depart* is called when the first attempt leaves."""
        call = _Call(self, request, depart)
        try:
            reply = await call.run()
        except asyncio.CancelledError:
            if call.attempts:
                self.charges.abandon(call.identity, call.actual)
            raise
        if call.attempts:
            await self.charges.conclude(call.identity, call.attempts, call.actual, reply)
            self.tally.calls += 1
            self.desk.breaker.note(reply.reason, is_single=_is_single(request.row))
            self.bell.ring()
        return reply


@dataclass(slots=True)
class Lane:
    """Requests to one class of models: first come, first to leave, as fast as its server allows."""

    throttle: Throttle = field(default_factory=Throttle)
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)


def _is_single(row: Mapping[str, Any]) -> bool:
    """Whether a request is an agent's that was written by itself, and not one of a table."""
    return row.get("role") != "judge" and not (row.get("path") or "").endswith("[]")


class _Call:
    """The state of one call: how often it asked, what it took, when it must end."""

    def __init__(self, caller: Caller, request: Request, depart: Callable[[], None]) -> None:
        self._caller, self._request, self._depart = caller, request, depart
        self.identity = Identity.of(request.row)
        self.actual = NOTHING
        timeout_us = request.row.get("timeout_us")
        self._timeout_s = caller.timeout_s if timeout_us is None else timeout_us / 1e6
        self._price_known = caller.price_of(request.row)
        self._lane = caller.lane(request.row)
        self._asked, self._reasks, self._unknowns = 0, 0, 0
        self._ends_at = float("inf")
        self._usage, self._cost, self._served = UNUSED, 0, ""
        self.attempts = 0

    async def run(self) -> Reply:
        """Send, wait and ask again until there is an answer or no hope."""
        last: GiveUp | None = None
        while True:
            attempt = await self._attempt()
            if isinstance(attempt, Refused):
                return self._end(last or GiveUp(attempt.status, attempt.reason))
            if attempt.outcome == "ok":
                judged = self._judge(attempt)
                if not isinstance(judged, GiveUp):
                    return self._end(judged)
                last = judged
                if not self._asks_again():
                    return self._end(judged)
                continue
            decision = self._after(attempt)
            if isinstance(decision, GiveUp):
                return self._end(decision)
            await self._wait(decision)

    async def _attempt(self) -> Attempt | Refused:
        room = self._caller.client.max_tokens(self._request.question)
        size = most_tokens_in(self._request)
        bound, need = self._bound(size, room), self._lane.throttle.need(size, room)
        admitted = await self._admit(bound, need)
        if isinstance(admitted, Refused):
            if admitted.reason == "budget" and self._caller.tally.wanted == NOTHING:
                self._caller.tally.wanted = bound
            return admitted
        await self._intend(admitted.reservation, bound)
        now = self._caller.clock.now()
        if self.attempts == 1:
            self._depart()
            self._ends_at = now + self._timeout_s
        self._asked += 1
        self._caller.tally.requests += 1
        attempt = _DROPPED  # what is true if this task is cancelled while it waits
        left_s = max(self._ends_at - now, 0.001)
        try:
            attempt = await self._caller.client.attempt(
                self._request, max_tokens=room, timeout_s=left_s
            )
        finally:
            self._settle(admitted.reservation, attempt)
            self._learn(attempt, need, size, began=now)
        return attempt

    def _learn(self, attempt: Attempt, need: Need, size: int, *, began: float) -> None:
        """Have the lane and the window know how *attempt* went."""
        now, throttle = self._caller.clock.now(), self._lane.throttle
        self._caller.tally.said = self._caller.tally.said or attempt.said
        throttle.settled(need, size, attempt.usage)
        if attempt.limits is not None:
            throttle.told(attempt.limits, now=now)
        if attempt.outcome == "rate_limited":
            throttle.pushed_back(now=now)
        elif attempt.usage is not None:
            throttle.answered(now=now)
        self._caller.window.note(
            took=(now - began) / self._timeout_s, is_pushed_back=attempt.outcome in _SLOW
        )

    async def _intend(self, reservation: int, bound: Amount) -> None:
        """Have the journal know that an attempt is about to leave; unless it does, it does not."""
        charges = self._caller.charges
        if self.attempts:
            charges.settle(self.identity, self.attempts, self.actual)
        try:
            await charges.intend(self.identity, self.attempts + 1, bound)
        except BaseException:
            self._caller.desk.ledger.release(reservation)
            raise
        self.attempts += 1

    async def _admit(self, bound: Amount, need: Need) -> Admitted | Refused:
        """Wait at the desk, behind who came before; the deadline does not run meanwhile."""
        desk, clock, lane = self._caller.desk, self._caller.clock, self._lane
        began = clock.now()
        if not lane.queue.locked():
            decision = desk.admit(bound, need, lane.throttle, now=began)
            if not isinstance(decision, Wait):
                return decision
        async with lane.queue:
            while isinstance(
                decision := desk.admit(bound, need, lane.throttle, now=clock.now()), Wait
            ):
                await self._caller.bell.wait(decision.seconds, clock)
        self._ends_at += clock.now() - began
        return decision

    def _bound(self, tokens_in: int, room: int) -> Amount:
        price = self._price_known
        nanousd = 0
        if price is not None:
            nanousd = max(price.cost(tokens_in, room), price.cost(0, room, cache_write=tokens_in))
        return Amount(tokens_in + room, nanousd, 0 if self.attempts else 1)

    def _settle(self, reservation: int, attempt: Attempt) -> None:
        ledger, usage, agents = self._caller.desk.ledger, attempt.usage, int(self.attempts == 1)
        if usage is not None:
            cost = self._price(usage)
            self.actual = Amount(usage.total, cost, agents)
            ledger.settle(reservation, self.actual)
            self._usage = usage if self._usage is UNUSED else self._usage + usage
            self._cost += cost
        elif attempt.is_charged is None:
            self.actual = ledger.settle_in_full(reservation)
            self._unknowns += 1
            self._caller.tally.unknown += 1
        else:
            self.actual = Amount(agents=agents)
            ledger.settle(reservation, self.actual)
        if attempt.served_model:
            self._served = attempt.served_model
            self._caller.tally.served_models.add(attempt.served_model)
        self._caller.bell.ring()

    def _price(self, usage: Usage) -> int:
        price = self._price_known
        if price is None:
            return 0
        return price.cost(usage.tokens_in, usage.tokens_out, usage.cache_write, usage.cache_read)

    def _judge(self, attempt: Attempt) -> Preference | str | GiveUp:
        patience, is_reask = self._caller.patience, self._reasks > 0
        try:
            asked = self._request.question
            verdict: Preference | str = parse_answer(asked, attempt.text)
        except InvalidAnswerError as error:
            if is_reask:
                patience.note(mended=False)
            self._request = self._request.reasked(attempt.text, error.why)
            flaw = f"schema: {error.rule}" if error.rule else "schema"
            return GiveUp("invalid", "not_json" if "not JSON" in error.why else flaw)
        if is_reask:
            patience.note(mended=True)
        return verdict

    def _asks_again(self) -> bool:
        in_time = self._caller.clock.now() < self._ends_at
        if not in_time or not self._caller.patience.asks_again(self._reasks):
            return False
        self._reasks += 1
        self._asked = 0
        return True

    def _after(self, attempt: Attempt) -> Again | GiveUp:
        return after_failure(
            attempt,
            attempts=self._asked,
            unknowns=self._unknowns,
            left_s=self._ends_at - self._caller.clock.now(),
            key=self._request.call_id,
        )

    async def _wait(self, decision: Again) -> None:
        clock, desk = self._caller.clock, self._caller.desk
        if decision.is_asked_for:
            self._lane.throttle.hold(decision.after_s, now=clock.now())
            return
        until = clock.now() + decision.after_s
        while (left := until - clock.now()) > 0 and not desk.is_closed:
            await self._caller.bell.wait(left, clock)

    def _end(self, ending: Preference | str | GiveUp) -> Reply:
        status, reason, verdict = "ok", None, None
        if isinstance(ending, GiveUp):
            status, reason = ending.status, ending.reason
        else:
            verdict = ending
        return Reply(
            self._request.call_id,
            status,
            reason,
            self._request.question,
            verdict,
            self._usage,
            cost_nanousd=None if self._price_known is None else self._cost,
            served_model=self._served or None,
            attempts=self.attempts,
        )
