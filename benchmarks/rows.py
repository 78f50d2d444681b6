"""Benchmark tables: figures beside their bars, and whether every bar is met."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure: *bar* is what it is held to, *ok* None where it is held to nothing."""

    name: str
    value: str
    bar: str = ""
    ok: bool | None = None


def at_least(name: str, value: float, bar: float, form: str = ".4f") -> Row:
    """Return a row whose *value* must reach *bar*."""
    return Row(name, format(value, form), f">= {bar:,g}", value >= bar)


def at_most(name: str, value: float, bar: float, form: str = ",.0f") -> Row:
    """Return a row whose *value* must not exceed *bar*."""
    return Row(name, format(value, form), f"<= {bar:,}", value <= bar)


def within(name: str, value: float, low: float, high: float, form: str = ".3f") -> Row:
    """Return a row whose *value* must lie from *low* to *high*."""
    return Row(name, format(value, form), f"{low:g} to {high:g}", low <= value <= high)


def render(title: str, rows: Iterable[Row]) -> str:
    """Return *rows* as a table in plain text under *title*."""
    rows = list(rows)
    wide = max([len(row.name) for row in rows] + [40])
    lines = [f"\n{title}", "-" * len(title)]
    for row in rows:
        verdict = {True: "ok", False: "MISS", None: ""}[row.ok]
        lines.append(f"{row.name:{wide}}  {row.value:>10}  {row.bar:>14}  {verdict}".rstrip())
    return "\n".join(lines)
