"""`commedia runs` and `commedia show`: what was run, and why an item has its rank."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .options import print_json

if TYPE_CHECKING:
    import pyarrow as pa

    from ..results import RankResult
    from ..supervisor.store import RunRecord

RUNS_EXAMPLES = """\b
Examples:
  commedia runs
  commedia runs --json
"""

SHOW_EXAMPLES = """\b
Examples:
  commedia show last
  commedia show last --item BUG-17
  commedia show 20261125-14 --json
"""

WIDTH_OFF_TERMINAL = 160
_COLUMNS = ("run", "when", "status", "items", "calls", "cost", "what")


@click.command(epilog=RUNS_EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def runs(as_json: bool) -> None:
    """List the runs so far, the latest last."""
    from ..standing import standing
    from ..supervisor.store import list_runs, runs_home

    records = [standing(record) for record in list_runs()]
    if as_json:
        print_json({"runs": [record.data for record in records]}, sys.stdout)
    elif records:
        _print_runs(records)
    else:
        click.echo(f"no runs yet in {runs_home()}; try commedia demo", err=True)


@click.command(epilog=SHOW_EXAMPLES)
@click.argument("run")
@click.option("--item", metavar="ID", help="Say which matches put this item where it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(run: str, item: str | None, as_json: bool) -> None:
    """Show RUN: `last`, or a run's id or the beginning of one."""
    from ..standing import standing
    from ..supervisor.store import find_run

    record = standing(find_run(run))
    if item is not None and record.data.get("kind") == "eval":
        from .eval_item import show_eval_item

        show_eval_item(record, item, as_json=as_json)
    elif item is not None:
        _show_item(record, item, as_json=as_json)
    elif as_json:
        print_json(record.data, sys.stdout)
    elif record.data.get("kind") == "workflow":
        from .agents import show_workflow

        show_workflow(record)
    elif record.data.get("kind") == "eval":
        from .eval_delivery import show_eval

        show_eval(record)
    else:
        _show_run(record)


def result_of(record: "RunRecord") -> "RankResult":
    """Return a stored run as the result it gave; what it does not hold is empty."""
    from ..results import RankResult

    data: Mapping[str, Any] = record.data
    return RankResult(
        status=data.get("status") or "unfinished",  # type: ignore[arg-type]  # a killed run has none
        run_id=str(data.get("run_id") or record.path.name),
        model=str(data.get("model") or "an unknown model"),
        simulated=bool(data.get("simulated")),
        ask=str(data.get("ask") or "an unknown question"),
        n=data.get("n") or 0,
        dropped=data.get("dropped") or 0,
        calls=data.get("calls") or 0,
        tokens=data.get("tokens") or 0,
        cost_usd=data.get("cost_usd"),
        priced_as=data.get("priced_as"),
        rounds=data.get("rounds") or 0,
        wall_s=data.get("wall_s") or 0.0,
        target=data.get("target") or 0.0,
        stopped=data.get("stopped"),
        missing=data.get("missing") or {},
        dead_letters=data.get("dead_letters") or [],
        unsettled=data.get("unsettled") or [],
        persistent_share=data.get("persistent_share"),
        predicted_tau=data.get("predicted_tau"),
        predicted_recall=data.get("predicted_recall"),
        top=data.get("top"),
        judge=data.get("judge"),
        truth=data.get("truth"),
        output=data.get("output"),
        digest=str(data.get("digest") or ""),
        notes=tuple(data.get("notes") or ()),
        known=data.get("known") or 0,
        table=_ranking_of(record),
    )


def matches_of(record: "RunRecord", item: str) -> list[dict[str, Any]]:
    """Return the matches that showed *item*, as rows, in their order."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = ["round", "ids", "question", "status", "grade", "order", "why"]
    matches = record.matches()
    matches = matches.select([name for name in columns if name in matches.column_names])
    sizes = pc.list_value_length(matches.column("ids")).to_numpy()
    is_item = pc.equal(pc.list_flatten(matches.column("ids")), item).to_numpy()
    rows = np.repeat(np.arange(len(sizes)), sizes)[is_item]
    found: list[dict[str, Any]] = matches.take(pa.array(np.unique(rows))).to_pylist()
    return found


def _ranking_of(record: "RunRecord") -> "pa.Table":
    """Return the ranking of *record*, without rows where the run ended before it had one."""
    import pyarrow as pa

    from ..actors.errors import UsageError

    try:
        return record.ranking()
    except UsageError:
        return pa.table({})


def _show_run(record: "RunRecord") -> None:
    from rich.console import Console

    from ..inert import inert
    from ..outputs import print_table
    from ..standing import going_on

    click.echo(inert(f"run {record.path.name}, by {record.data.get('by', '?')}"))
    result = result_of(record)
    lines = result.lines()
    if result.simulated:
        click.echo(lines.pop(0))
    if result.table.num_rows:
        console = Console(highlight=False)
        print_table(result.table, console if console.is_terminal else _wide_console())
    for line in [*lines, *going_on(record)]:
        click.echo(line)


def _show_item(record: "RunRecord", item: str, *, as_json: bool) -> None:
    from ..actors.errors import UsageError
    from ..earlier import carried
    from ..inert import inert
    from .why import explain, meetings

    rows = record.ranking().select(["id", "rank", "score", "rank_low", "rank_high", "comparisons"])
    ranked = {row["id"]: row for row in rows.to_pylist()}
    if item not in ranked:
        raise UsageError(f"run {record.path.name} ranked no item {item!r}; ids are in its ranking")
    matches, known = matches_of(record, item), carried(record, item)
    if as_json:
        print_json({**ranked[item], "matches": matches, "known": known}, sys.stdout)
        return
    ranks = {id: row["rank"] for id, row in ranked.items()}
    simulated = ["simulated judges, no language model"] if record.data.get("simulated") else []
    lines = explain(ranked[item], meetings(matches, item), ranks)
    if known:
        before = record.data.get("since")
        lines.insert(
            1, f"{known} more matches count from earlier: commedia show {before} --item ID"
        )
    for line in [*simulated, *lines, *simulated]:
        click.echo(inert(line))


def _print_runs(records: Sequence["RunRecord"]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..inert import inert

    shown = Table(box=None, pad_edge=False, header_style="bold")
    rows = [[inert(cell, 80) for cell in (r.path.name, *_cells(r.data))] for r in records]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for name, width in zip(_COLUMNS, widths, strict=True):
        is_number = name in ("items", "calls", "cost")
        shown.add_column(
            name,
            justify="right" if is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if name == "what" else max(width, len(name)),  # that one is cut
        )
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    (console if console.is_terminal else _wide_console()).print(shown)


def _cells(data: Mapping[str, Any]) -> list[str]:
    cost = data.get("cost_usd")
    return [
        str(data.get("started") or "")[:16].replace("T", " "),
        str(data.get("status")),
        f"{data.get('n') or data.get('agents') or 0:,}",
        f"{data.get('calls') or 0:,}",
        "?"
        if cost is None
        else f"${cost:,.4f}" + (" (simulated)" if data.get("simulated") else ""),
        str(data.get("by") or data.get("workflow") or ""),
    ]


def _wide_console() -> Any:  # rich's Console, imported only when something is printed
    from rich.console import Console

    return Console(width=WIDTH_OFF_TERMINAL, highlight=False)
