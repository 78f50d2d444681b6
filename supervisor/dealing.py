"""Who gets which rows of a stage, and what becomes of the rows of a host that died. Pure.

A stage is a table of requests. Hosts take batches of rows; what a dead host had not answered is
dealt again. First the items in those rows are tried: alone where they are few, else in groups, and
those of a group that kills its host in smaller ones. An item that kills two hosts alone is a dead
letter, its rows fail, and the rest goes on. Rows that keep killing hosts although none of their
items does are dealt one by one, and given up after *max_attempts*.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..actors.simulation.keyed import Ints

DEAD_LETTER = "dead_letter"
HOST_DIED = "host_died"

ALONE: Final = 64
"""So many suspects, at most, are tried one by one: a fatal item is found after three deaths."""
GROUPS: Final = 16
"""More are tried in so many groups first: one death more, and so on for groups of more."""

ItemsOf = Callable[[int], Iterable[int]]
"""The items that a row shows."""


@dataclass(frozen=True, slots=True)
class Deal:
    """Rows for a host to answer, or items for it to *try* without any others."""

    number: int
    host: str
    rows: Sequence[int] = ()
    trial: tuple[int, ...] | None = None
    attempt: int = 0


@dataclass(slots=True)
class Dealer:
    """The state of one stage. `next_deal`, then `answered` and `finished`, or `died`.

    *rows* are row numbers, each once.
    """

    rows: Sequence[int]
    items_of: ItemsOf
    batch_rows: int
    max_attempts: int = 4
    dead_items: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    _pending: deque[tuple[Sequence[int], int]] = field(default_factory=deque)
    _out: dict[int, Deal] = field(default_factory=dict)
    _holder: Ints = field(init=False)
    """The number of the deal in which each row is out; 0 for a row that is not."""
    _suspects: deque[tuple[int, ...]] = field(default_factory=deque)
    _dead_hosts: set[str] = field(default_factory=set)
    _accused: set[int] = field(default_factory=set)
    """Items whose host died in the last trial of them alone: once may be chance."""
    _held: list[tuple[int, int]] = field(default_factory=list)
    _numbers: int = 0
    _is_closed: bool = False

    def __post_init__(self) -> None:
        self._holder = np.zeros(max(self.rows, default=-1) + 1, np.int64)
        rows = [r for r in self.rows if not self._fails(r)] if self.dead_items else self.rows
        for start in range(0, len(rows), self.batch_rows):
            self._pending.append((rows[start : start + self.batch_rows], 0))

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

    def answered(self, deal: Deal, rows: Ints) -> Ints:
        """Take the answers to *rows*; returns the places in it of those that were still open."""
        places = np.arange(len(rows))
        if not _rises(rows):
            places = np.sort(np.unique(rows, return_index=True)[1])
        told = rows[places]
        places = places[(told >= 0) & (told < len(self._holder))]
        places = places[self._holder[rows[places]] == deal.number]
        self._holder[rows[places]] = 0
        return np.asarray(places, np.int64)

    def finished(self, deal: Deal) -> None:
        """Take the orderly end of *deal*; rows that its host forgot are dealt again."""
        if self._out.pop(deal.number, None) is None:
            return
        self._accused.difference_update(deal.trial or ())
        self._again([(row, deal.attempt) for row in self._take_back(deal)])
        self._release()

    def returned(self, deal: Deal) -> None:
        """Take *deal* back from a host that lives, but could not ask: its rows are dealt again."""
        if self._out.pop(deal.number, None) is None:
            return
        left = self._take_back(deal)
        if left and not self._is_closed:
            self._pending.appendleft((left, deal.attempt))
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
            left = self._take_back(deal)
            if deal.trial is not None:
                self._condemn(deal.trial)
            self._held += [(row, deal.attempt) for row in left]
            if deal.attempt == 0:
                items = {item for row in left for item in self.items_of(row)}
                known = self.dead_items.union(*self._suspects)
                self._suspects += _groups(sorted(items - known))
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
        self,
        host: str,
        *,
        rows: Sequence[int] = (),
        trial: tuple[int, ...] | None = None,
        attempt: int = 0,
    ) -> Deal:
        self._numbers += 1
        deal = Deal(self._numbers, host, rows, trial, attempt)
        self._out[deal.number] = deal
        self._holder[_places(rows)] = deal.number
        return deal

    def _take_back(self, deal: Deal) -> list[int]:
        """Return the rows of *deal* without an answer, in order: nobody has them any more."""
        places = _places(deal.rows)
        is_open = self._holder[places] == deal.number
        if not is_open.any():
            return []
        left = np.sort(np.asarray(deal.rows, np.int64)[is_open])
        self._holder[left] = 0
        return list(left.tolist())

    def _condemn(self, items: tuple[int, ...]) -> None:
        """Take a death in a trial of *items*: it is the one's doing, or one's among them, or
        somebody killed the host just then, which will not happen twice."""
        if len(items) > 1:
            self._suspects.extendleft(reversed(_groups(items)))
        elif items[0] in self._accused:
            self.dead_items.add(items[0])
        else:
            self._accused.add(items[0])
            self._suspects.appendleft(items)

    def _release(self) -> None:
        """Deal the held rows again once no trial is due or under way."""
        on_trial = any(deal.trial is not None for deal in self._out.values())
        if self._suspects or on_trial or not self._held:
            return
        held, self._held = self._held, []
        self._again(held)

    def _again(self, held: Sequence[tuple[int, int]]) -> None:
        """Deal rows once more: together after their first attempt, alone after that."""
        together: list[int] = []
        for row, attempt in held:
            if self._fails(row) or self._is_closed:
                continue
            if attempt + 1 >= self.max_attempts:
                self.failed[row] = HOST_DIED
            elif attempt == 0:
                together.append(row)
            else:
                self._pending.append(((row,), attempt + 1))
        for start in range(0, len(together), self.batch_rows):
            self._pending.append((tuple(together[start : start + self.batch_rows]), 1))

    def _fails(self, row: int) -> bool:
        if not self.dead_items.isdisjoint(self.items_of(row)):
            self.failed[row] = DEAD_LETTER
            return True
        return False


def _rises(rows: Ints) -> bool:
    return bool((rows[1:] > rows[:-1]).all())


def _places(rows: Sequence[int]) -> slice | Ints:
    if isinstance(rows, range) and rows.step == 1:
        return slice(rows.start, rows.stop)
    return np.asarray(rows, np.int64)


def _groups(items: Sequence[int]) -> list[tuple[int, ...]]:
    """Return *items* in groups: alone where they are few."""
    size = 1 if len(items) <= ALONE else -(-len(items) // GROUPS)
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]
