"""`commedia show RUN --item ID` of an evaluation: its outputs, and every verdict."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from .options import print_json
from .why import GRADES

if TYPE_CHECKING:
    from ..supervisor.store import RunRecord

TEXT_CHARS: Final = 500
_OF_A_MATCH: Final = (
    "round",
    "question",
    "judge",
    "by",
    "shown",
    "status",
    "grade",
    "order",
    "why",
)


def show_eval_item(record: "RunRecord", item: str, *, as_json: bool) -> None:
    """Show one item of an evaluation that is kept; raises UsageError where it has none such."""
    from ..actors.errors import UsageError
    from ..eval_result import stored_eval
    from ..inert import inert

    result = stored_eval(record.path, record.data)
    if not result.per_item.num_rows:
        raise UsageError(f"run {record.path.name} has no result yet; commedia resume goes on")
    rows = [row for row in result.per_item.to_pylist() if row["id"] == item]
    if not rows:
        raise UsageError(
            f"run {record.path.name} has no item {item!r}; ids are in its per_item.parquet"
        )
    place = {name: n for n, name in enumerate(result.leaderboard.column("system").to_pylist())}
    rows.sort(key=lambda row: place[row["system"]])
    verdicts = verdicts_on(record.matches().to_pylist(), item, list(place))
    if as_json:
        shared = {name: rows[0][name] for name in ("id", "prompt", "label")}
        own = [{k: v for k, v in row.items() if k not in shared} for row in rows]
        print_json({**shared, "systems": own, "matches": verdicts}, sys.stdout)
        return
    lines = explain_item(rows, verdicts, is_compared=result.check is None)
    simulated = ["simulated judges, no language model"] if result.simulated else []
    for line in [*simulated, *lines, *simulated]:
        click.echo(inert(line))


def verdicts_on(
    matches: Sequence[Mapping[str, Any]], item: str, systems: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the *matches* (rows of a run's matches) about *item*, with systems for outputs."""
    own = {f"{item}/{name}": name for name in systems}
    found = []
    for match in matches:
        if all(id in own for id in match["ids"]):
            order = match["order"] and [own[id] for id in match["order"]]
            whole = {**match, "shown": [own[id] for id in match["ids"]], "order": order}
            found.append({name: whole[name] for name in _OF_A_MATCH})
    return found


def explain_item(
    rows: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, Any]], *, is_compared: bool
) -> list[str]:
    """Return what became of an item as lines for a person: its *rows*, the best system first."""
    lines = [f"{rows[0]['id']}: {_short(rows[0]['prompt'])}"]
    if rows[0]["label"] is not None:
        lines.append(f"label: {rows[0]['label']}")
    for row in rows:
        lines += [f"{row['system']}: {_standing(row, is_compared=is_compared)}"]
        lines += [f"    {_short(row['output'])}"] if row["output"] is not None else []
    lines.append("")
    for verdict in verdicts:
        lines.append(_line(verdict))
        lines += [f"    because: {verdict['why']}"] if verdict["why"] else []
    return lines


def _standing(row: Mapping[str, Any], *, is_compared: bool) -> str:
    if row["output"] is None:
        return f"no output ({row['cause']})"
    if row["score"] is None:
        return "not judged"
    if not is_compared:
        return f"{row['score']:g}"
    best = ", the best here" if row["is_winner"] else ""
    return f"{row['score']:.0%} of the points in {row['pairs']} pairs{best}"


def _line(verdict: Mapping[str, Any]) -> str:
    shown = verdict["shown"]
    where = (
        f"round {verdict['round']}, {verdict['question']} by {verdict['by']}, {verdict['judge']}"
    )
    if verdict["status"] != "ok":
        return f"{where}: no answer ({verdict['status']}) on {', '.join(shown)}"
    if verdict["order"]:
        rest = [name for name in shown if name not in verdict["order"]]
        said = " > ".join([*verdict["order"], *([" = ".join(rest)] if rest else [])])
        return f"{where}: {said} (shown {', '.join(shown)})"
    if len(shown) == 1:
        return f"{where}: {shown[0]} {verdict['grade']}"
    return f"{where}: {shown[0]}, shown first, {GRADES[verdict['grade']]} {shown[1]}"


def _short(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else text[: TEXT_CHARS - 1] + "…"
