"""The charge journal: what was asked of models that cost money, and what came back.

INTENT is durable before a request leaves, RESULT (with usage and answer) before anybody sees the
answer. An intent without its settlement may have been charged: it counts in full, and is listed.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..actors.answers import Asked, parse_answer
from ..actors.models.replies import Reply
from ..actors.models.wire import Usage
from .blobs import Blobs
from .budget import NOTHING, Amount
from .journal import Journal
from .json_text import encoder

CHARGES: Final = "charges.journal"
BLOBS: Final = "blobs"

_SHAPING: Final = ("role", "model", "effort", "prompt", "output_schema", "task")
_encode: Final = encoder()

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a call is known by: its place in the workflow, and a hash of all that shapes its answer.

    The hash covers role, model, effort, prompt (the version of each role's words is part of it),
    schema and question; no limits and no prices.
    """

    path: str
    key: str

    @classmethod
    def of(cls, row: Record) -> "Identity":
        """Return the identity of a request, given as a row of REQUESTS."""
        shaping = _encode([row.get(name) for name in _SHAPING]).encode()
        path = row.get("path") or ""
        if path.endswith("[]"):  # bulk: one path a batch, and the row's number in it
            path = f"{path[:-1]}{row['call_id'] & 0xFFFFFFFF}]"
        return cls(path, blake2b(shaping, digest_size=16).hexdigest())


class Unsettled(NamedTuple):
    """A call that may have been charged without an answer, and the most that it can have cost."""

    path: str
    bound: Amount

    def told(self) -> dict[str, Any]:
        """Return it as JSON has it: where it was asked, tokens and dollars at most."""
        tokens, usd = self.bound.tokens, self.bound.nanousd / 1e9
        return {"path": self.path, "tokens": tokens, "usd": usd}


@dataclass(slots=True)
class Past:
    """What a journal says was spent, and which answers can be used again."""

    spent: Amount = NOTHING
    open: dict[tuple[str, str, int], Amount] = field(default_factory=dict)
    lost: list[Unsettled] = field(default_factory=list)
    """Calls that were in flight at the end of a life, and asked again in a later one."""
    asked: set[tuple[str, str]] = field(default_factory=set)
    """Calls, by path and key, whatever came of them."""
    answers: dict[tuple[str, str], Record] = field(default_factory=dict)
    by_key: "defaultdict[str, deque[str]]" = field(default_factory=lambda: defaultdict(deque))

    def take_in(self, record: Record) -> None:
        """Learn from one more record, in the order they were written."""
        if record["t"] == "moved":
            found = self.answers.pop((record["from"], record["h"]), None)
            return self._keep(record["p"], found)
        at = (record["p"], record["h"], record["k"])
        self.asked.add(at[:2])
        if record["t"] == "intent":
            if at in self.open:
                self.lost.append(Unsettled(record["p"], self.open[at]))
                self.spent += self.open[at]
            self.open[at] = Amount(*record["r"])
            return
        self.open.pop(at, None)
        self.spent += Amount(*record["s"])
        if record["t"] == "result" and record["status"] == "ok":
            self._keep(record["p"], record)

    def find(self, call: Identity) -> Record | None:
        """Return the unused answer of this very call, or else of one just like it, and use it.

        A call that was asked before in its own place takes nobody else's: it failed, or was in
        flight, and its siblings' samples are theirs.
        """
        found = self.answers.pop((call.path, call.key), None)
        same = None if (call.path, call.key) in self.asked else self.by_key.get(call.key)
        while found is None and same:
            found = self.answers.pop((same.popleft(), call.key), None)
        return found

    @property
    def unsettled(self) -> list[Unsettled]:
        """The calls that may have been charged without an answer."""
        return [*self.lost, *(Unsettled(at[0], bound) for at, bound in self.open.items())]

    @property
    def spent_at_most(self) -> Amount:
        """What was spent if every open intent was charged in full."""
        return sum(self.open.values(), self.spent)

    def _keep(self, path: str, record: Record | None) -> None:
        if record is not None:
            self.answers[path, record["h"]] = {**record, "p": path}
            self.by_key[record["h"]].append(path)


class Charges:
    """The gateway's journal; without a folder it only forgets."""

    def __init__(self, journal: Journal | None = None, past: Past | None = None) -> None:
        self._journal = journal
        self.past = past or Past()
        self.reused = 0
        self.unsettled = self.past.unsettled
        """The calls that may have been charged without an answer."""
        self.inherited = len(self.unsettled)
        """How many of these are of earlier lives."""

    @classmethod
    def open(cls, folder: Path | None) -> "Charges":
        """Open the journal in *folder*; raises JournalCorruptError where it is damaged."""
        if folder is None:
            return cls()
        journal = Journal.open(folder / CHARGES, Blobs(folder / BLOBS))
        past = Past()
        for record in journal.records:
            past.take_in(record)
        return cls(journal, past)

    def answered(self, call_id: int, call: Identity, asked: Asked) -> Reply | None:
        """Return the reply that was paid for before, if there is one to use.

        It says what it cost then: the ledger has it already, and a run that counts what it has
        spent decides as it did before.
        """
        record = self.past.find(call)
        if record is None:
            return None
        self.reused += 1
        if record["p"] != call.path and self._journal is not None:
            moved = {"t": "moved", "p": call.path, "h": call.key, "from": record["p"]}
            self._journal.write(moved)  # the answer has one place, in each life to come as well
        answer = parse_answer(asked, record["answer"])
        return Reply(
            call_id,
            "ok",
            "reused",
            asked,
            answer,
            usage=Usage(*record["u"]),
            cost_nanousd=record["c"],
            served_model=record["m"],
            attempts=record["k"],
        )

    async def intend(self, call: Identity, attempt: int, bound: Amount) -> None:
        """Note that a request is about to leave; returns once that is durable."""
        if self._journal is not None:
            record = {"t": "intent", "p": call.path, "h": call.key, "k": attempt, "r": _flat(bound)}
            await self._journal.append(record)

    def settle(self, call: Identity, attempt: int, actual: Amount) -> None:
        """Note what an attempt that is not the call's last came to."""
        if self._journal is not None:
            record = {"t": "settled", "p": call.path, "h": call.key, "k": attempt}
            self._journal.write({**record, "s": _flat(actual)})

    async def conclude(self, call: Identity, attempt: int, actual: Amount, reply: Reply) -> None:
        """Note how a call ended; returns once that is durable."""
        if self._journal is None:
            return
        record = {
            "t": "result",
            "p": call.path,
            "h": call.key,
            "k": attempt,
            "s": _flat(actual),
            "status": reply.status,
            "reason": reply.reason,
            "answer": reply.answer,
            "u": _counts(reply.usage),
            "c": reply.cost_nanousd,
            "m": reply.served_model,
        }
        await self._journal.append(record)

    def abandon(self, call: Identity, bound: Amount) -> None:
        """Take note that *call* is taken back in flight: its last intent stays without a result."""
        self.unsettled.append(Unsettled(call.path, bound))

    async def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            await self._journal.close()


def _flat(amount: Amount) -> list[int]:
    return [amount.tokens, amount.nanousd, amount.agents]


def _counts(usage: Usage) -> list[int]:
    return [
        usage.tokens_in,
        usage.tokens_out,
        usage.thinking,
        usage.cache_write,
        usage.cache_read,
    ]
