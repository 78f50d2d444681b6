"""What a ranking gives back: the table, best first, and how it came about."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import pyarrow as pa

from .actors.bracket import Stopped
from .actors.tables import UNASKED
from .inert import inert

Status = Literal["completed", "degraded", "failed", "interrupted"]

GO_ON = "go on with: commedia resume"

RankStopped = Stopped | Literal["interrupt"]
"""Why a sort ended: for the reasons of a ranking, or because its user ended it."""

CONSENSUS = "agreement with this judge's own consensus, not with the truth"
"""What predicted tau is; every output says so."""

CARRIED = "simulated: a simulated judge's verdicts count here, no language model gave them"
"""What is said of a ranking that goes on from another: this judge itself may be a real one."""

COLUMNS = ("rank", "id", "score", "rank_low", "rank_high", "comparisons")
"""The columns of a ranking; the input's columns follow."""

_ENDINGS = {
    "target": "the target was reached",
    "budget": "the budget allows no more calls",
    "saturation": "more calls taught nothing more",
    "data": "there was nothing more to learn",
    "silence": "too many calls in a row had no usable answer",
    "interrupt": "it was interrupted",
    "judge": "the judge is not to be believed, its answers do not depend on the texts",
}
_ROUNDED = ("rank_low", "rank_high")
_HTML_ROWS = 20
_MOST_SHOWN = 5
_CELL_CHARS = 200


@dataclass(frozen=True, slots=True, eq=False)
class RankResult:
    """A finished ranking: its table and the account of the run that made it."""

    status: Status
    run_id: str
    model: str
    simulated: bool
    ask: str
    n: int
    dropped: int
    calls: int
    tokens: int
    cost_usd: float | None
    priced_as: str | None
    rounds: int
    wall_s: float
    target: float
    stopped: RankStopped | None
    missing: dict[str, int]
    dead_letters: list[str]
    unsettled: list[dict[str, Any]]
    """Calls that may have been charged without an answer: path, tokens and usd at most."""
    persistent_share: float | None
    predicted_tau: float | None
    predicted_recall: float | None
    """Of the best `top`, where these alone were looked for: the share that is among the first."""
    top: int | None
    judge: dict[str, float] | None
    """What a pilot found of the judge: list_noise, tie, much, is_graded, flips."""
    truth: dict[str, float | None] | None
    """tau_b, tau_b_cap (the highest its ties allow), recall_at_10 and ndcg_at_10; where the best
    `top` were looked for, their recall as well."""
    output: str | None
    digest: str
    notes: tuple[str, ...]
    table: pa.Table
    """The columns of COLUMNS, then the input's; best first."""
    known: int = 0
    """How many answers of earlier runs count: they were not asked for again."""

    def to_arrow(self) -> pa.Table:
        """Return the ranking as an Arrow table, best first."""
        return self.table

    def to_pandas(self) -> Any:  # pandas is no dependency, so its type cannot be named
        """Return the ranking as a pandas frame, best first."""
        return self.table.to_pandas()

    def to_json(self) -> dict[str, object]:
        """Return the account of the run, without the table, as `--json` prints it."""
        account = {name: _finite(getattr(self, name)) for name in _ACCOUNT}
        if self.truth is not None:
            account["truth"] = {name: _finite(value) for name, value in self.truth.items()}
        return account

    def lines(self) -> list[str]:
        """Return the account of the run as lines for a person, inert."""
        lines = [_rows(self), _price(self), _ending(self), *_truth(self), *_losses(self)]
        lines += [f"note: {note}" for note in self.notes]
        if self.output:
            lines.append(f"ranking: {self.output}")
        if self.status == "interrupted":
            lines.append(f"{GO_ON} {self.run_id}")
        if self.simulated:
            said = CARRIED if self.known else simulated_line(self.model)
            lines = [said, *lines, said]
        return [inert(line) for line in lines]

    def _repr_html_(self) -> str:
        from markupsafe import Markup

        lines = self.lines()
        head, tail = (lines[:1], lines[1:]) if self.simulated else ([], lines)
        return Markup("<div>{}{}{}</div>").format(
            _paragraphs(head), _html_table(self.table), _paragraphs(tail)
        )


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Return how many of a *thing* there are, in words: 1 row, 2,000 rows."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def perhaps_charged(calls: Sequence[Mapping[str, Any]]) -> str:
    """Say which *calls* may have been charged without an answer, and the most that it can be."""
    shown = ", ".join(str(call["path"]) for call in calls[:_MOST_SHOWN])
    more = ", ..." if len(calls) > _MOST_SHOWN else ""
    tokens, usd = (sum(call[unit] for call in calls) for unit in ("tokens", "usd"))
    money = f", ${usd:,.4f}" if usd else ""
    return (
        f"{counted(len(calls), 'call')} ({shown}{more}) may have been charged without an answer, "
        f"at most {tokens:,} tokens{money} in all, which count in full"
    )


def simulated_line(model: str) -> str:
    """Return the line that says that no model was asked."""
    are = "are simulated judges" if ", " in model else "is a simulated judge"
    return f"simulated: {model} {are}, no language model gave these verdicts"


def ranking_table(
    frame: pa.Table, ids: Sequence[str], standing: pa.RecordBatch, criteria: Sequence[str] = ()
) -> pa.Table:
    """Return *standing* (schema STANDING) as the columns of COLUMNS, then those of *frame*.

    Of several *criteria*, by name, the score by each stands between them. A column of *frame* with
    one of these names gets the suffix `_input`.
    """
    items = standing.column("item")
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "rank": pa.array(range(1, len(items) + 1), pa.int64()),
        "id": pa.array([ids[item] for item in items.to_pylist()], pa.string()),
    }
    for name in COLUMNS[2:]:
        column = standing.column(name)
        columns[name] = _rounded(column, name)
    for place, name in enumerate(criteria if len(criteria) > 1 else ()):
        columns[f"score {name}"] = pa.compute.list_element(standing.column("scores"), place)
    rows = frame.take(items)
    for name in frame.column_names:
        columns[_free_name(name, columns, frame)] = rows.column(name)
    return pa.table(columns)


def with_provenance(table: pa.Table, *, run_id: str, model: str, simulated: bool) -> pa.Table:
    """Return *table* with the metadata that its Parquet file carries."""
    facts = {
        "commedia.simulated": "true" if simulated else "false",
        "commedia.run_id": run_id,
        "commedia.model": model,
    }
    return table.cast(pa.schema(list(table.schema), metadata=facts))


def digest(ids: Sequence[str], scores: Sequence[float]) -> str:
    """Return the sha256 of *ids* and *scores*, both in rank order, scores rounded to 1e-9."""
    seen = hashlib.sha256()
    for id, score in zip(ids, scores, strict=True):
        seen.update(f"{json.dumps(id)} {round(score, 9) + 0.0:.9f}\n".encode())
    return seen.hexdigest()


_ACCOUNT = [field.name for field in fields(RankResult) if field.name not in ("notes", "table")]


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounded(column: pa.Array, name: str) -> pa.Array:
    """Return numbers without the noise of the last bits, which would show as -6.5e-17."""
    if not pa.types.is_floating(column.type):
        return column
    return pa.compute.add(pa.compute.round(column, 2 if name in _ROUNDED else 9), 0.0)  # no -0.0


def _free_name(name: str, columns: Mapping[str, object], frame: pa.Table) -> str:
    if name not in COLUMNS and name not in columns:
        return name
    name += "_input"
    while name in columns or name in frame.column_names:
        name += "_input"
    return name


def _rows(result: RankResult) -> str:
    left_out = f", {result.dropped:,} left out" if result.dropped else ""
    done = {"completed": " ranked", "degraded": " ranked", "interrupted": " ranked in part"}
    how = done.get(result.status, " to rank")
    judges = "a panel of " if ", " in result.model else ""
    rows = counted(result.n, "row")
    return f"{result.status}: {rows}{how}{left_out} by {judges}{result.model}"


def _price(result: RankResult) -> str:
    if result.cost_usd is None:
        money = "cost unknown"
    else:
        like = f" (priced as {result.priced_as})" if result.priced_as else ""
        money = f"${result.cost_usd:,.4f}{like}"
    asked = f"of {result.ask}" if result.judge is None else f"({result.ask} in the end)"
    return (
        f"{counted(result.calls, 'call')} {asked} in {counted(result.rounds, 'round')}, "
        f"{counted(result.tokens, 'token')}, {money}, {result.wall_s:.1f} s; run {result.run_id}"
    )


def _ending(result: RankResult) -> str:
    why = _ENDINGS.get(result.stopped or "", "before its end")
    if result.predicted_recall is not None:
        return (
            f"stopped: {why}; predicted recall of the best {result.top} "
            f"{result.predicted_recall:.2f} (target {result.target:g}); the other rows are in the "
            "order of what little is known of them"
        )
    if result.predicted_tau is None or math.isnan(result.predicted_tau):
        return f"stopped: {why}"
    return (
        f"stopped: {why}; predicted tau {result.predicted_tau:.3f} (target {result.target:g}), "
        f"which is {CONSENSUS}"
    )


def _truth(result: RankResult) -> list[str]:
    if result.truth is None:
        return []
    tau_b, cap = result.truth.get("tau_b"), result.truth.get("tau_b_cap")
    parts = [] if tau_b is None else [f"tau-b {tau_b:.3f}"]
    if parts and cap is not None and cap < 0.9995:
        parts[0] += f" (its ties allow {cap:.3f})"
    top = result.top if f"recall_at_{result.top}" in result.truth else 10
    for name, label in ((f"recall_at_{top}", f"top-{top} recall"), ("ndcg_at_10", "NDCG@10")):
        value = result.truth.get(name)
        if value is not None:
            parts.append(f"{label} {value:.2f}")
    return [f"against the truth: {', '.join(parts) or 'nothing to compare'}"]


def _losses(result: RankResult) -> list[str]:
    lines = []
    for label, is_unasked in (("missing answers", False), ("never asked, or taken back", True)):
        counts = [
            f"{count:,} {status}"
            for status, count in result.missing.items()
            if count and (status in UNASKED) == is_unasked
        ]
        if counts:
            lines.append(f"{label}: {', '.join(counts)}")
    if result.dead_letters:
        named = ", ".join(result.dead_letters[:10])
        more = len(result.dead_letters) - 10
        lines.append(f"dead letters: {named}" + (f" and {more:,} more" if more > 0 else ""))
    return lines


def _paragraphs(lines: Sequence[str]) -> Any:  # markupsafe's Markup, imported only for notebooks
    from markupsafe import Markup

    return Markup("").join(Markup("<p>{}</p>").format(line) for line in lines)


def _html_table(table: pa.Table) -> Any:  # as above
    from markupsafe import Markup

    def row(tag: str, cells: Sequence[str]) -> Markup:
        cell = Markup(f"<{tag}>{{}}</{tag}>")
        shown = (cell.format(inert(text, _CELL_CHARS)) for text in cells)
        return Markup("<tr>{}</tr>").format(Markup("").join(shown))

    head = row("th", [str(name) for name in table.column_names])
    top = table.slice(0, _HTML_ROWS)
    cells = [[_cell(value) for value in column.to_pylist()] for column in top.columns]
    body = Markup("").join(row("td", values) for values in zip(*cells, strict=True))
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(head, body)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
