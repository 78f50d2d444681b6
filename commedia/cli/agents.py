"""`commedia show` of a workflow's run: its account, its phases, and what it returned."""

import json
from typing import TYPE_CHECKING, Any

import click

from .delivery import trace_lines

if TYPE_CHECKING:
    import pyarrow as pa

    from ..supervisor.store import RunRecord

_FIELDS = (
    *("status", "run_id", "workflow", "model", "simulated", "agents", "calls", "tokens"),
    *("cost_usd", "missing", "branches", "reused", "recalled", "asked", "unsettled"),
    *("wall_s", "virtual_s", "why", "question"),
)
_EMPTY: dict[str, Any] = {"missing": {}, "unsettled": [], "simulated": False, "cost_usd": None}
_TEXTS = ("status", "run_id", "workflow", "model")
_UNKNOWN = ("virtual_s", "why", "question")
_MOST_LOGGED = 50


def show_workflow(record: "RunRecord") -> None:
    """Print the run of a workflow: what it came to, phase by phase."""
    from ..inert import inert, inert_lines
    from ..run_result import RunResult
    from ..standing import going_on

    data = record.data
    facts = {name: data.get(name, _missing(name)) for name in _FIELDS}
    result: RunResult[Any] = RunResult(
        **facts,
        notes=tuple(data.get("notes") or ()),
        options=tuple(data.get("options") or ()),
        trace=data.get("trace") or "",
    )
    click.echo(inert(f"run {record.path.name} of {result.workflow}, {result.model}"))
    lines = result.lines()
    if result.simulated:
        click.echo(lines.pop(0))
    _print_phases(record.agents())
    _print_log(record.events())
    value = data.get("value")
    if value is not None:
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        click.echo(inert_lines(text))
    for line in [*lines, *trace_lines(result), *going_on(record)]:
        click.echo(line)


def _missing(name: str) -> Any:
    if name in _TEXTS:
        return "unfinished" if name == "status" else "?"
    return None if name in _UNKNOWN else _EMPTY.get(name, 0)


def _print_phases(agents: "pa.Table") -> None:
    """Print one line a phase and role: how many agents, how they ended, and what they took."""
    from collections import Counter

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..inert import inert

    rows = agents.select(["phase", "role", "status", "tokens_in", "tokens_out"]).to_pylist()
    if not rows:
        return
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["phase"], row["role"]), []).append(row)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("phase", "role", "agents", "ended", "tokens"):
        shown.add_column(name, justify="right" if name in ("agents", "tokens") else "left")
    for (phase, role), members in groups.items():
        endings = Counter(row["status"] for row in members)
        ended = ", ".join(f"{status} {count:,}" for status, count in sorted(endings.items()))
        tokens = sum(row["tokens_in"] + row["tokens_out"] for row in members)
        cells = (phase or "-", role, f"{len(members):,}", ended, f"{tokens:,}")
        shown.add_row(*(Text(inert(cell, 60)) for cell in cells))
    console = Console(highlight=False)
    (console if console.is_terminal else Console(width=160, highlight=False)).print(shown)


def _print_log(events: "pa.Table") -> None:
    """Print the last lines that the workflow logged, each with the seconds since the run began."""
    from ..inert import inert

    rows = events.select(["kind", "time_us", "text"]).to_pylist()
    logged = [row for row in rows if row["kind"] == "log"]
    if len(logged) > _MOST_LOGGED:
        click.echo(f"log, the last {_MOST_LOGGED} of {len(logged):,} lines:")
    elif logged:
        click.echo("log:")
    for row in logged[-_MOST_LOGGED:]:
        click.echo(f"{row['time_us'] / 1e6:8,.1f} s  {inert(row['text'])}")
