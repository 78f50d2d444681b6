"""What an evaluation gives back: the leaderboard, who beat whom, and what became of each item."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from .actors.bracket import Stopped
from .actors.tables import UNASKED
from .inert import inert
from .results import counted, simulated_line

EvalStatus = Literal["completed", "degraded", "failed", "interrupted"]

LEADERBOARD_FILE = "leaderboard.parquet"
WINS_FILE = "wins.parquet"
PER_ITEM_FILE = "per_item.parquet"
PAGE_FILE = "page.html"

NO_OUTPUT = "output"
"""The count of outputs that are missing, among those of answers by their status."""

EvalStopped = Stopped | Literal["silence"]
"""Why an evaluation ended: for the reasons of a ranking, or because judges had no usable answer."""

_ENDINGS = {
    "target": "the order is as sure as was asked for",
    "budget": "the budget is spent",
    "saturation": "asking again about these items would tell no more",
    "data": "all was asked that there is to ask",
    "silence": "the judges had no usable answer",
}


@dataclass(frozen=True, slots=True, eq=False)
class EvalResult:
    """A finished evaluation; nan, null in JSON, is what nothing was found out about.

    *check* is None where outputs were compared. *agreement* is with the labels: of the `pairs`
    of a label's system with another, on so many `items`, the `share` in which the label's was
    preferred (a tie is half), its 90% interval, and the share by `chance`. *favours* say
    how judges treat their own model's outputs, where one did. *missing* counts answers by status,
    and outputs.
    """

    status: EvalStatus
    run_id: str
    model: str
    judges: list[str]
    simulated: bool
    by: str
    criteria: list[str]
    ask: str
    check: str | None
    items: int
    outputs: int
    missing: dict[str, int]
    ties: int
    agreement: dict[str, float] | None
    favours: list[dict[str, Any]]
    calls: int
    tokens: int
    cost_usd: float | None
    priced_as: str | None
    rounds: int
    wall_s: float
    target: float
    stopped: EvalStopped | None
    predicted_tau: float | None
    output: str
    page: str | None
    digest: str
    notes: tuple[str, ...]
    leaderboard: pa.Table
    """Best first: rank, system, score, low, high, rank_low, rank_high, p_best, outputs, missing,
    wins, losses, ties, and with several criteria a column for each. With a check *score* is the
    mean over items, or what it would be on all of them where outputs are missing."""
    wins: pa.Table
    """system, against, wins, losses, ties; no rows where nothing was compared."""
    per_item: pa.Table
    """id, prompt, label, system, output, cause (why there is none), score (share of the points, or
    what a check gave), pairs, is_winner."""

    def to_arrow(self) -> pa.Table:
        """Return the leaderboard as an Arrow table, best first."""
        return self.leaderboard

    def to_pandas(self) -> Any:  # pandas is no dependency, so its type cannot be named
        """Return the leaderboard as a pandas frame, best first."""
        return self.leaderboard.to_pandas()

    def to_json(self) -> dict[str, object]:
        """Return the whole evaluation but its items, as `--json` prints it."""
        account = {name: finite(getattr(self, name)) for name in ACCOUNT}
        rows = [{k: finite(v) for k, v in row.items()} for row in self.leaderboard.to_pylist()]
        beaten: dict[str, dict[str, int]] = {}
        for row in self.wins.to_pylist():
            beaten.setdefault(row["system"], {})[row["against"]] = row["wins"]
        return {**account, "notes": list(self.notes), "leaderboard": rows, "wins": beaten}

    def to_html(self) -> str:
        """Return the evaluation as one page, which loads and runs nothing."""
        from .eval_page import page_of

        return page_of(self)

    def lines(self) -> list[str]:
        """Return the account of the evaluation as lines for a person, inert."""
        lines = [_head(self), _price(self), _ending(self), *_agreement(self), *_losses(self)]
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"page: {self.page}" if self.page else f"kept in: {self.output}")
        if self.simulated:
            lines = [simulated_line(self.model), *lines, simulated_line(self.model)]
        return [inert(line) for line in lines]

    def _repr_html_(self) -> str:
        from .eval_page import summary_of

        return summary_of(self)


ACCOUNT = [
    field.name
    for field in fields(EvalResult)
    if field.name not in ("notes", "leaderboard", "wins", "per_item")
]


def stored_eval(folder: Path, data: Mapping[str, Any]) -> EvalResult:
    """Return the evaluation that is kept in *folder*; what it does not hold yet is empty."""
    empty = {"status": "unfinished", "run_id": folder.name, "model": "?", "output": str(folder)}
    known = {**dict.fromkeys(ACCOUNT), **_NOTHING, **empty}
    known |= {name: data[name] for name in ACCOUNT if data.get(name) is not None}
    tables = [_stored(folder / name) for name in (LEADERBOARD_FILE, WINS_FILE, PER_ITEM_FILE)]
    return EvalResult(**known, notes=tuple(data.get("notes") or ()), **_named(tables))


_NOTHING: dict[str, Any] = {
    **{name: [] for name in ("judges", "criteria", "favours")},
    **dict.fromkeys(("items", "outputs", "ties", "calls", "tokens", "rounds"), 0),
    **{
        "simulated": False,
        "by": "?",
        "ask": "?",
        "missing": {},
        "wall_s": 0.0,
        "target": 0.0,
        "digest": "",
    },
}


def finite(value: object) -> object:
    """Return *value*, or None where it is no finite number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _stored(file: Path) -> pa.Table:
    return pq.read_table(file) if file.exists() else pa.table({})


def _named(tables: Sequence[pa.Table]) -> dict[str, pa.Table]:
    return dict(zip(("leaderboard", "wins", "per_item"), tables, strict=True))


def _head(result: EvalResult) -> str:
    how = f"checked by {result.check}" if result.check else f"compared by {result.model}"
    if result.check and result.judges:
        how = f"scored by {result.model}"
    if len(result.judges) > 1:
        how += f" and {counted(len(result.judges) - 1, 'other judge')}"
    systems = counted(result.leaderboard.num_rows, "system")
    return f"{result.status}: {systems} on {counted(result.items, 'item')} {how}"


def _price(result: EvalResult) -> str:
    if result.cost_usd is None:
        money = "cost unknown"
    else:
        like = f" (priced as {result.priced_as})" if result.priced_as else ""
        money = f"${result.cost_usd:,.4f}{like}"
    return (
        f"{counted(result.calls, 'call')} of {result.ask} in {counted(result.rounds, 'round')}, "
        f"{counted(result.tokens, 'token')}, {money}, {result.wall_s:.1f} s; run {result.run_id}"
    )


def _ending(result: EvalResult) -> str:
    why = _ENDINGS.get(result.stopped or "", "before its end")
    tau = result.predicted_tau
    if result.check or tau is None or not math.isfinite(tau):
        return f"stopped: {why}"
    return f"stopped: {why}; predicted tau of the order {tau:.3f} (target {result.target:g})"


def _agreement(result: EvalResult) -> list[str]:
    found = result.agreement
    if found is None or "pairs" not in found:  # without labels, or counted by an older version
        return []
    if not found["pairs"]:
        return ["agreement with the labels: no verdict is on the system that a label names"]
    return [
        f"agreement with the labels: their system preferred in {found['share']:.0%} of "
        f"{found['pairs']:,.0f} pairs on {counted(int(found['items']), 'item')} (90% interval "
        f"{found['low']:.0%} to {found['high']:.0%}; by chance {found['chance']:.0%})"
    ]


def _losses(result: EvalResult) -> list[str]:
    told = dict(result.missing)
    lines = []
    if outputs := told.pop(NO_OUTPUT, 0):
        lines.append(f"missing outputs: {outputs:,} of {outputs + result.outputs:,}")
    for label, is_unasked in (("missing answers", False), ("never asked, or taken back", True)):
        counts = [
            f"{count:,} {status}"
            for status, count in told.items()
            if count and (status in UNASKED) == is_unasked
        ]
        if counts:
            lines.append(f"{label}: {', '.join(counts)}")
    if result.ties:
        lines.append(f"ties: {result.ties:,}")
    return lines
