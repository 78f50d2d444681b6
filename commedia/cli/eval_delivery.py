"""What a finished evaluation prints: its leaderboard, its account, and maybe a page."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypedDict, Unpack

import click

from .options import EXIT_CODES, print_json
from .progress import ProgressView

if TYPE_CHECKING:
    from ..eval_result import EvalResult
    from ..session import Session
    from ..supervisor.store import RunRecord


class How(TypedDict):
    """How an evaluation is delivered."""

    page: str | None
    as_json: bool
    quiet: bool


def deliver(result: "EvalResult", out: TextIO, view: ProgressView, **how: Unpack[How]) -> int:
    """Print *result*, and write it as a page if there is a name for one; return the exit code."""
    page, as_json, quiet = how["page"], how["as_json"], how["quiet"]
    code = EXIT_CODES.get(result.status, 1)
    if page is not None:
        try:
            Path(page).write_text(result.to_html(), encoding="utf-8")
        except OSError as error:
            why = error.strerror or error
            view.say(f"commedia: {page} could not be written ({why}); it is also {result.page}")
            code = 1
        else:
            result = replace(result, page=page)
    lines = result.lines()
    if quiet:
        lines = lines[: int(result.simulated)] if result.status == "completed" else lines
    elif result.simulated and view.has_said_simulated:
        lines = lines[1:]
    with contextlib.suppress(BrokenPipeError):  # the reader has seen enough
        if as_json:
            print_json(result.to_json(), out)
        else:
            print_board(result, out)
    with contextlib.suppress(BrokenPipeError):
        for line in lines:
            view.say(line)
    return code


def go_on(session: "Session", run: str, out: TextIO, view: ProgressView, **how: Unpack[How]) -> int:
    """Go on with an evaluation, and deliver it as `deliver` does; return the exit code."""
    with view:
        result = session.resume_eval(run)
    return deliver(result, out, view, **how)


def print_board(result: "EvalResult", out: TextIO) -> None:
    """Print the leaderboard: as a table on a terminal, as CSV elsewhere."""
    from ..eval_page import number
    from ..inert import inert
    from ..outputs import write_csv

    if not out.isatty():
        write_csv(result.leaderboard, out)
        out.flush()
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rank", "90% interval", "score", "90% interval", "outputs", "won", "lost", "tied"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("system", overflow="ellipsis", no_wrap=True)
    for row in result.leaderboard.to_pylist():
        shown.add_row(
            str(row["rank"]),
            f"{number(row['rank_low'], 1)} - {number(row['rank_high'], 1)}",
            number(row["score"]),
            f"{number(row['low'])} to {number(row['high'])}",
            *(f"{row[name]:,}" for name in ("outputs", "wins", "losses", "ties")),
            Text(inert(row["system"], 40)),
        )
    Console(file=out, highlight=False).print(shown)


def show_eval(record: "RunRecord") -> None:
    """Show an evaluation that is kept."""
    import sys

    from ..eval_result import stored_eval

    result = stored_eval(record.path, record.data)
    lines = result.lines()
    if result.simulated:
        click.echo(lines.pop(0))
    if result.leaderboard.num_rows:
        print_board(result, sys.stdout)
    for line in lines:
        click.echo(line)
