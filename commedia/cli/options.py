"""Options that several commands share, and what makes their values acceptable."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import click

EXIT_CODES = {"completed": 0, "degraded": 3, "failed": 1, "paused": 75, "interrupted": 130}
"""The exit code of a run, by its status."""

Callback = Callable[[click.Context, click.Parameter, float], float]
Command = Callable[..., Any]

address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    help="Join the Ray cluster there instead of starting one; it outlives the command.",
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="No progress, and a summary only of what went wrong."
)

_RUNNING = (
    click.option("--base-url", metavar="URL", help="A server that speaks the Messages API."),
    click.option(
        "--budget",
        multiple=True,
        metavar="CAP",
        help="What may be spent: 2usd, 500k (tokens), 300agents (calls), 30min. May be repeated.",
    ),
    click.option(
        "--yes", is_flag=True, help="Begin unasked, and without a budget if none is given."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Of every random choice."),
    click.option(
        "--runtime",
        type=click.Choice(["ray", "inline"]),
        default="ray",
        show_default=True,
        help="Actors on Ray, or all in this process: print and breakpoint() work there alone.",
    ),
    address_option,
    click.option("--hosts", type=click.IntRange(min=1), help="Processes a role, at most."),
    click.option(
        "--in-flight",
        type=click.IntRange(min=1),
        default=64,
        show_default=True,
        help="How many calls a real model gets at once.",
    ),
)


def running_options(command: Command) -> Command:
    """Give *command* the options of all that runs: what it may spend, where, on which server."""
    for option in reversed(_RUNNING):
        command = option(command)
    return command


def between(low: float, high: float) -> Callback:
    """Return a callback that takes numbers strictly between *low* and *high*, and no nan."""

    def check(ctx: click.Context, param: click.Parameter, value: float) -> float:
        if math.isnan(value) or not low < value < high:
            raise click.BadParameter(f"{value:g} is not between {low:g} and {high:g} (exclusive)")
        return value

    return check


def not_blank(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Take any text that says something."""
    if value is None:
        return None
    if not value.strip():
        raise click.BadParameter("it is blank; say what to rank by, as in --by severity")
    return value.strip()


def template(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    r"""Read `\n` in a template as a line break: a shell cannot easily write one."""
    return value.replace("\\n", "\n") if value is not None and "{" in value else value


def question(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Take `auto` or what Question.parse takes."""
    if value != "auto":
        from ..patterns.ranking.aim import asked_for

        asked_for(value)
    return value


def focus(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read `top:10%` or `top:0.1` as a share."""
    if value is None:
        return None
    kind, _, text = value.partition(":")
    try:
        share = float(text[:-1]) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        share = math.nan
    if kind == "top" and share == 1.0:
        raise click.BadParameter(f"{value} is the whole order, which needs no --focus")
    if kind != "top" or not 0.0 < share < 1.0:
        raise click.BadParameter(f"{value!r} is no part of the order; write top:10% or top:0.1")
    return share


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read `30s`, `10min` or `2h` as seconds."""
    if value is None:
        return None
    from ..actors.errors import BudgetSyntaxError
    from ..supervisor.budget import Budget

    try:
        seconds = Budget.parse(value).wall_s
    except BudgetSyntaxError:
        seconds = None
    if seconds is None:
        raise click.BadParameter(f"{value!r} is no time; write 30s, 10min or 2h")
    return float(seconds)


def print_json(account: Mapping[str, object], out: TextIO) -> None:
    """Print one JSON object on one line, in ASCII, so that no text of it moves a terminal."""
    out.write(json.dumps(account, allow_nan=False) + "\n")
    out.flush()
