"""Who gets which rows of a stage, and what becomes of the rows of a host that died. Pure.

A stage is a table of requests. Hosts take batches of rows; what a dead host had not answered is
dealt again. First each item in those rows is tried alone: an item that kills its host a second
time is a dead letter, its rows fail, and the rest goes on. Rows that keep killing hosts although
none of their items does are dealt one by one, and given up after *max_attempts*.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

DEAD_LETTER = "dead_letter"
HOST_DIED = "host_died"

ItemsOf = Callable[[int], Iterable[int]]
"""The items that a row shows."""


@dataclass(frozen=True, slots=True)
class Deal:
    """Rows for a host to answer, or one item for it to try alone."""

    number: int
    host: str
    rows: tuple[int, ...] = ()
    trial: int | None = None
    attempt: int = 0


@dataclass(slots=True)
class Dealer:
    """The state of one stage. `next_deal`, then `answered` and `finished`, or `died`."""

    rows: Iterable[int]
    items_of: ItemsOf
    batch_rows: int
    max_attempts: int = 3
    dead_items: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    _pending: deque[tuple[tuple[int, ...], int]] = field(default_factory=deque)
    _out: dict[int, Deal] = field(default_factory=dict)
    _unanswered: dict[int, set[int]] = field(default_factory=dict)
    _suspects: deque[int] = field(default_factory=deque)
    _dead_hosts: set[str] = field(default_factory=set)
    _held: list[tuple[int, int]] = field(default_factory=list)
    _numbers: int = 0
    _is_closed: bool = False

    def __post_init__(self) -> None:
        rows = [row for row in self.rows if not self._fails(row)]
        for start in range(0, len(rows), self.batch_rows):
            self._pending.append((tuple(rows[start : start + self.batch_rows]), 0))

    @property
    def is_done(self) -> bool:
        """Whether every row was answered or given up."""
        return not (self._pending or self._out or self._held)

    def next_deal(self, host: str) -> Deal | None:
        """Return work for *host*, or None while there is none; a dead host gets nothing more."""
        if host in self._dead_hosts:
            return None
        busy = [deal for deal in self._out.values() if deal.host == host]
        if self._suspects or any(deal.trial is not None for deal in busy):
            # A trial is alone on its host, so that a death there has one cause.
            if busy or not self._suspects:
                return None
            return self._hand(host, trial=self._suspects.popleft())
        if self._pending:
            rows, attempt = self._pending.popleft()
            return self._hand(host, rows=rows, attempt=attempt)
        return None

    def answered(self, deal: Deal, rows: Iterable[int]) -> list[int]:
        """Take the answers to *rows*; returns those that were still open."""
        open_rows = self._unanswered.get(deal.number, set())
        fresh = [row for row in rows if row in open_rows]
        open_rows.difference_update(fresh)
        return fresh

    def finished(self, deal: Deal) -> None:
        """Take the orderly end of *deal*; rows that its host forgot are dealt again."""
        if self._out.pop(deal.number, None) is None:
            return
        left = self._unanswered.pop(deal.number, set())
        for row in sorted(left):
            self._again(row, deal.attempt)
        self._release()

    def untried(self, deal: Deal) -> None:
        """Take a trial back: its host was dead before it could begin."""
        if deal.trial is not None and self._out.pop(deal.number, None) is not None:
            self._suspects.appendleft(deal.trial)

    def died(self, host: str) -> None:
        """Take the death of *host*: its open rows are held until their items were tried."""
        self._dead_hosts.add(host)
        for deal in [deal for deal in self._out.values() if deal.host == host]:
            del self._out[deal.number]
            left = self._unanswered.pop(deal.number, set())
            if deal.trial is not None:
                self.dead_items.add(deal.trial)
            self._held += [(row, deal.attempt) for row in sorted(left)]
            items = {item for row in left for item in self.items_of(row)}
            known = {*self._suspects, *self.dead_items}
            self._suspects += sorted(items - known) if deal.attempt == 0 else []
        self._release()

    def close(self) -> list[int]:
        """Deal nothing more; returns the rows that nobody has, in order."""
        self._is_closed = True
        rows = [row for batch, _ in self._pending for row in batch]
        rows += [row for row, _ in self._held]
        self._pending.clear()
        self._held.clear()
        self._suspects.clear()
        return sorted(rows)

    def _hand(
        self, host: str, *, rows: tuple[int, ...] = (), trial: int | None = None, attempt: int = 0
    ) -> Deal:
        self._numbers += 1
        deal = Deal(self._numbers, host, rows, trial, attempt)
        self._out[deal.number] = deal
        self._unanswered[deal.number] = set(rows)
        return deal

    def _release(self) -> None:
        """Deal the held rows again once no trial is due or under way."""
        on_trial = any(deal.trial is not None for deal in self._out.values())
        if self._suspects or on_trial or not self._held:
            return
        held, self._held = self._held, []
        for row, attempt in held:
            self._again(row, attempt)

    def _again(self, row: int, attempt: int) -> None:
        if self._fails(row) or self._is_closed:
            return
        if attempt + 1 >= self.max_attempts:
            self.failed[row] = HOST_DIED
            return
        last = self._pending[-1] if self._pending else None
        if last and attempt == 0 and last[1] == 1 and len(last[0]) < self.batch_rows:
            self._pending[-1] = ((*last[0], row), 1)
        else:
            self._pending.append(((row,), attempt + 1))

    def _fails(self, row: int) -> bool:
        if not self.dead_items.isdisjoint(self.items_of(row)):
            self.failed[row] = DEAD_LETTER
            return True
        return False
