"""What a run's calls came to, counted as replies come in."""

import re
from collections import Counter
from typing import Final

import pyarrow as pa

from ..actors.answers import SILENT_CALLS
from ..actors.tables import UNASKED, values
from .desk import Halted
from .gateway import Spending
from .orders import Tally
from .purse import Purse

_TOKENS: Final = ("tokens_in", "tokens_out", "tokens_cache_write", "tokens_cache_read")

_PLACE: Final = re.compile(r"\bthe (agent|tool) at /\S+")


class Count:
    """Takes replies into a tally and a purse, and hears when a judge says nothing usable."""

    def __init__(self, tally: Tally, purse: Purse) -> None:
        self.tally, self._purse = tally, purse
        self._silent = 0

    @property
    def is_silent(self) -> bool:
        """Whether too many calls in a row had no usable answer."""
        return self._silent >= SILENT_CALLS

    def take(self, replies: pa.RecordBatch, halted: Halted | None) -> None:
        """Count *replies*; once the run is *halted* by its budget, what is cancelled is over it."""
        tally = self.tally
        tokens = sum(int(pa.compute.sum(replies.column(name)).as_py() or 0) for name in _TOKENS)
        is_sent = replies.column("attempts").to_numpy() > 0
        sent = int(is_sent.sum())
        costs = replies.column("cost_nanousd")
        tally.is_priced = tally.is_priced and not _has_unpriced(replies)
        nanousd = int(pa.compute.sum(costs).as_py() or 0)
        tally.calls += sent
        tally.tokens += tokens
        tally.nanousd += nanousd
        self._purse.spend(tokens=tokens, nanousd=nanousd, agents=sent)
        if replies.column("status").unique().to_pylist() == ["ok"]:
            self._silent = 0
        else:
            self._take_endings(replies, is_sent.tolist(), halted)

    def _take_endings(
        self, replies: pa.RecordBatch, is_sent: list[bool], halted: Halted | None
    ) -> None:
        """Count what *replies* say is missing, and why."""
        tally = self.tally
        endings = [values(replies.column(name)) for name in ("status", "reason")]
        statuses = Counter(
            "failed" if status == "skipped" and was_sent else status  # it waits to be asked again
            for status, was_sent in zip(endings[0], is_sent, strict=True)
        )
        del statuses["ok"]
        if halted == "budget":  # a gateway that is drained knows not why
            statuses["over_budget"] += statuses.pop("cancelled", 0)
        tally.missing = dict(Counter(tally.missing) + +statuses)
        told = zip(*endings, strict=True)
        causes = Counter(word for status, word in told if word and status not in _UNEXPLAINED)
        tally.causes = dict(Counter(tally.causes) + causes)
        self._listen(endings[0])

    def _listen(self, statuses: list[str]) -> None:
        for status in statuses:
            if status not in UNASKED:
                self._silent = 0 if status == "ok" else self._silent + 1


_UNEXPLAINED: Final = UNASKED | {"ok"}


def _has_unpriced(replies: pa.RecordBatch) -> bool:
    """Whether a reply that was sent has no known cost; one used again costs nothing."""
    costs = replies.column("cost_nanousd")
    if not costs.null_count:
        return False
    reused = pa.compute.equal(replies.column("reason").cast(pa.string()), "reused").fill_null(False)
    return int(costs.filter(pa.compute.invert(reused)).null_count) > 0


def cause_of(text: str) -> str:
    """Return why a branch failed, by what was told of it: the same words wherever it stood."""
    return _PLACE.sub(r"the \1", text.partition(": ")[2])


def take_ledger(tally: Tally, spending: Spending) -> None:
    """Count what the gateway counted: attempts that nobody answered were paid for, too."""
    tally.calls = spending.agents
    tally.tokens = spending.tokens
    tally.is_priced = spending.cost_nanousd is not None
    tally.nanousd = spending.cost_nanousd or 0
    tally.unknown, tally.overruns = spending.unknown, spending.overruns
    tally.broken = spending.broken
    tally.is_simulated = spending.is_simulated
    tally.served_models = list(spending.served_models)
    tally.persistent_share = (spending.declared or {}).get("persistent_share")
    tally.reused, tally.asked = spending.reused, spending.calls
    tally.unsettled = list(spending.unsettled)
    tally.said, tally.wanted = spending.said, spending.wanted
