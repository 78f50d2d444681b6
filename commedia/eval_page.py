"""An evaluation as one page of HTML: it loads nothing, runs nothing, and every text is inert."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import pyarrow as pa
from markupsafe import Markup

from .inert import inert, inert_lines

MOST_ITEMS: Final = 500
"""So many items are shown; the others are in the Parquet file alone."""

_CELL_CHARS: Final = 200
_TEXT_CHARS: Final = 4_000
_NAME_CHARS: Final = 40
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 760, 240, 30, 26, 10

PAGE: Final = Markup("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{account}
<h2>Leaderboard</h2>
{picture}
{board}
{wins}
{items}
{last}
</body>
</html>
""")

STYLE: Final = Markup("""
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1b1b1b; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #ddd; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th { border-bottom: 2px solid #999; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.best { background: #e3f0e3; font-weight: 600; }
td.none { color: #999; }
p.note { margin: 0.2rem 0; }
p.simulated { background: #fff3cd; padding: 0.4rem 0.6rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.3rem 0; max-width: 40rem; }
details { max-width: 40rem; }
svg text { font: 13px system-ui, sans-serif; fill: #1b1b1b; }
""")


class Shown(Protocol):
    """What is shown of an evaluation (eval_result.EvalResult)."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether no model was asked."""
        ...

    @property
    def by(self) -> str:
        """What was compared by."""
        ...

    @property
    def check(self) -> str | None:
        """How each output was scored by itself; None where they were compared."""
        ...

    @property
    def items(self) -> int:
        """How many items there are."""
        ...

    @property
    def agreement(self) -> Mapping[str, float] | None:
        """How far verdicts agree with labels; None without labels."""
        ...

    @property
    def leaderboard(self) -> pa.Table:
        """The systems, best first."""
        ...

    @property
    def wins(self) -> pa.Table:
        """Who beat whom how often."""
        ...

    @property
    def per_item(self) -> pa.Table:
        """Each system's output on each item."""
        ...

    def lines(self) -> list[str]:
        """Return its account, inert."""
        ...


def page_of(result: Shown) -> str:
    """Return *result* as a whole page; the texts of items and outputs stand in it, escaped."""
    lines = result.lines()
    head, tail = (lines[:1], lines[-1:]) if result.simulated else ([], [])
    body = lines[len(head) : len(lines) - len(tail)]
    return PAGE.format(
        title=inert(f"Evaluation {result.run_id}"),
        style=STYLE,
        account=_simulated(head) + _paragraphs([f"by: {result.by}", *body]),
        picture=picture_of(result),
        board=_board(result),
        wins=_wins(result),
        items=_items(result),
        last=_simulated(tail),
    )


def summary_of(result: Shown) -> str:
    """Return *result* for a notebook: its account, picture and leaderboard."""
    lines = result.lines()
    head = lines[:1] if result.simulated else []
    parts = (_simulated(head), picture_of(result), _board(result))
    return Markup("<div>{}{}{}{}</div>").format(*parts, _paragraphs(lines[len(head) :]))


def picture_of(result: Shown) -> Markup:
    """Return the scores with their intervals, as a drawing inside the page."""
    rows = [row for row in result.leaderboard.to_pylist() if math.isfinite(row["score"])]
    if not rows:
        return Markup("")
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return float(round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / span, 1))

    drawn = [_bar(row, x, _TOP + place * _ROW) for place, row in enumerate(rows)]
    bottom = _TOP + len(rows) * _ROW
    drawn += [_tick(x(value), bottom, value) for value in (low, (low + high) / 2, high)]
    return Markup(
        '<svg viewBox="0 0 {} {}" width="{}" role="img" aria-label="scores with 90% intervals">'
        "{}</svg>"
    ).format(_WIDTH, bottom + 30, _WIDTH, Markup("").join(drawn))


def number(value: float | None, places: int = 2) -> str:
    """Return *value* for a person; a dash where it is not known."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.{places}f}"


def _bar(row: Mapping[str, Any], x: Callable[[float], float], top: int) -> Markup:
    middle = top + _ROW // 2
    return Markup(
        '<text x="{}" y="{}" text-anchor="end">{}</text>'
        '<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="#5b7fa6" stroke-width="3"/>'
        '<circle cx="{}" cy="{}" r="5" fill="#1f4e79"/>'
    ).format(
        *(_LEFT - 12, middle + 4, inert(row["system"], _NAME_CHARS)),
        *(x(row["low"]), middle, x(row["high"]), middle),
        *(x(row["score"]), middle),
    )


def _tick(x: float, top: int, value: float) -> Markup:
    return Markup(
        '<line x1="{}" y1="{}" x2="{}" y2="{}" stroke="#999"/>'
        '<text x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(x, top, x, top + 5, x, top + 20, number(value))


def _board(result: Shown) -> Markup:
    table = result.leaderboard
    criteria = [name for name in table.column_names if name.startswith("score: ")]
    compared = result.check is None
    counts = ["wins", "losses", "ties"] if compared else []
    head = ["rank", "system", "score", "90% interval", "rank from - to", *criteria]
    head += ["outputs", "missing", *counts]
    body = []
    for row in table.to_pylist():
        cells = [str(row["rank"]), row["system"], number(row["score"])]
        cells.append(f"{number(row['low'])} to {number(row['high'])}")
        cells.append(f"{number(row['rank_low'], 1)} - {number(row['rank_high'], 1)}")
        cells += [number(row[name]) for name in criteria]
        cells += [f"{row[name]:,}" for name in ("outputs", "missing", *counts)]
        body.append(_row([_cell(text, is_number=at != 1) for at, text in enumerate(cells)]))
    return _table([_head(name, is_number=at != 1) for at, name in enumerate(head)], body)


def _wins(result: Shown) -> Markup:
    """Return who beat whom how often: wins, and ties if there were any."""
    if not result.wins.num_rows:
        return Markup("")
    names = result.leaderboard.column("system").to_pylist()
    found = {(row["system"], row["against"]): row for row in result.wins.to_pylist()}
    body = []
    for name in names:
        cells = [_cell(name)]
        for other in names:
            row = found.get((name, other))
            if row is None or not row["wins"] + row["losses"] + row["ties"]:
                cells.append(Markup('<td class="n none">-</td>'))
                continue
            ties = f" ({row['ties']:,} ties)" if row["ties"] else ""
            cells.append(_cell(f"{row['wins']:,} : {row['losses']:,}{ties}", is_number=True))
        body.append(_row(cells))
    head = [_head("wins : losses against"), *(_head(name, is_number=True) for name in names)]
    return Markup("<h2>Who beat whom</h2>{}").format(_table(head, body))


def _items(result: Shown) -> Markup:
    if not result.per_item.num_rows:
        return Markup("")
    names = result.leaderboard.column("system").to_pylist()
    rows = result.per_item.slice(0, MOST_ITEMS * max(len(names), 1)).to_pylist()
    items: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        items.setdefault(row["id"], []).append(row)
    has_labels = result.agreement is not None
    head = [_head("item"), _head("task"), *([_head("label")] if has_labels else [])]
    head += [_head(name, is_number=True) for name in names]
    body = [_item(id, own, names, has_labels=has_labels) for id, own in items.items()]
    what = (
        "the share of its comparisons that each output won, a tie being half of one"
        if result.check is None
        else "what each output scored"
    )
    more = ""
    if len(items) < result.items:
        more = f" The first {len(items):,} of {result.items:,} are shown."
    return Markup("<h2>Items</h2><p>Of each item: {}.{}</p>{}").format(
        what, more, _table(head, body)
    )


def _item(
    id: str, own: Sequence[Mapping[str, Any]], names: Sequence[str], *, has_labels: bool
) -> Markup:
    by_system = {row["system"]: row for row in own}
    cells = [_cell(id), _folded(own[0]["prompt"])]
    if has_labels:
        cells.append(_cell(own[0]["label"] or ""))
    for name in names:
        row = by_system[name]
        kind = "n best" if row["is_winner"] else "n"
        if row["output"] is None:
            cells.append(
                Markup('<td class="n none">no output: {}</td>').format(_short(row["cause"]))
            )
            continue
        shown = number(row["score"])
        inside = _details(shown, row["output"])
        cells.append(Markup('<td class="{}">{}</td>').format(kind, inside))
    return _row(cells)


def _folded(text: str) -> Markup:
    return Markup("<td>{}</td>").format(_details(inert(text, 80), text))


def _details(summary: str, text: str) -> Markup:
    """Return *text* behind its *summary*; what is very long is cut."""
    shown = inert_lines(text[:_TEXT_CHARS]) + ("…" if len(text) > _TEXT_CHARS else "")
    return Markup("<details><summary>{}</summary><pre>{}</pre></details>").format(summary, shown)


def _simulated(lines: Sequence[str]) -> Markup:
    return Markup("").join(Markup('<p class="simulated">{}</p>').format(line) for line in lines)


def _paragraphs(lines: Iterable[str]) -> Markup:
    shown = (Markup('<p class="note">{}</p>').format(inert(line)) for line in lines)
    return Markup("").join(shown)


def _table(head: Sequence[Markup], body: Sequence[Markup]) -> Markup:
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(
        _row(head), Markup("").join(body)
    )


def _row(cells: Sequence[Markup]) -> Markup:
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _head(text: str, *, is_number: bool = False) -> Markup:
    return Markup('<th class="{}">{}</th>').format("n" if is_number else "", _short(text))


def _cell(text: str, *, is_number: bool = False) -> Markup:
    return Markup('<td class="{}">{}</td>').format("n" if is_number else "", _short(text))


def _short(text: str | None) -> str:
    return inert(text or "", _CELL_CHARS)
