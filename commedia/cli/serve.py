"""`commedia serve`: a Messages API server over simulated agents, on this machine."""

import contextlib
import math
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    import pyarrow as pa
    from starlette.applications import Starlette

EPILOG = """\b
Examples:
  commedia serve --world bugs.parquet --id key --truth severity --port 8080
  commedia sort bugs.parquet --by severity --id key --text report \\
      --model claude-haiku-5-5 --base-url http://127.0.0.1:8080 --budget 1M
  commedia serve --rpm 50 --itpm 30k --otpm 8k --latency haiku --log served.jsonl
  commedia serve --latency opus --time-scale 10 --faults faults.toml

\b
A file of faults is a list of rules, TOML or JSON; the first that strikes a request decides:
  [[rule]]              # one request in 20 fails, each in one of these ways
  fault = ["500", "drop_before", "drop_after", "trickle", "malformed"]
  share = 0.05
  [[rule]]              # a storm, from the 10th to the 40th second
  fault = "529"
  from_s = 10
  to_s = 40
  [[rule]]              # every 50th request is told to wait
  fault = "429"
  every = 50
  retry_after = 2

\b
Faults: any status from 400 to 599 (429, 500, 529; 500_charged fails once it is charged),
  drop_before, drop_after, drop_midway, hang, trickle, giant, malformed, malformed:SHAPE.
When: share, every, attempts (so many first attempts), from_s, to_s, from_request, to_request.
How: retry_after, message, interval_s (of a trickle), bytes (of a giant).
Where: on = "messages" (default), "count_tokens", "batches" or "batch_items".
"""


def _count(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read 50, 400k or 2M as a number of at least 1."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,12})([kM]?)", value)
    count = int(found[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[found[2]] if found else 0
    if count < 1:
        raise click.BadParameter(f"{value!r} is no count such as 50, 400k or 2M")
    return count


_limits = (
    click.option("--rpm", callback=_count, metavar="N", help="Requests a minute, for each model."),
    click.option("--itpm", callback=_count, metavar="N", help="Input tokens a minute."),
    click.option("--otpm", callback=_count, metavar="N", help="Output tokens a minute."),
    click.option(
        "--burst",
        type=click.FloatRange(0.01, 3600.0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How much of a limit may be used at once.",
    ),
)


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_limits):
        command = option(command)
    return command


@click.command(epilog=EPILOG)
@click.option(
    "--model",
    default="sim:judge",
    show_default=True,
    help="The simulated model; sim:haiku, sim:sonnet, sim:opus play agents of that kind.",
)
@click.option("--world", help="A table with a judge's truth: CSV, JSONL or Parquet.")
@click.option("--id", "id_column", help="The column of ids; default: the row number from 0.")
@click.option("--truth", help="The column of truth; default: the only numeric one.")
@click.option(
    "--accuracy",
    default=0.85,
    show_default=True,
    type=click.FloatRange(0.5, 1.0, min_open=True, max_open=True),
    help="How often the judge is right on random pairs.",
)
@click.option("--seed", default=0, show_default=True, help="The judge's luck.")
@click.option(
    "--latency",
    default="0",
    show_default=True,
    metavar="HOW",
    help="How long an answer takes: seconds, fast, haiku, sonnet, opus, or a JSON file.",
)
@click.option(
    "--time-scale",
    type=click.FloatRange(0.001, 100_000.0),
    default=1.0,
    show_default=True,
    metavar="X",
    help="How much faster than real all of the server's time goes.",
)
@_limit_options
@click.option(
    "--faults",
    "faults_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What goes wrong, and when: rules in TOML or JSON, see below.",
)
@click.option(
    "--batch-time",
    "batch_s",
    type=click.FloatRange(0.0, 86_400.0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a batch takes.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port; 0 takes any free one.",
)
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="A line a request.")
def serve(
    model: str,
    world: str | None,
    id_column: str | None,
    truth: str | None,
    accuracy: float,
    seed: int,
    latency: str,
    time_scale: float,
    rpm: int | None,
    itpm: int | None,
    otpm: int | None,
    burst: float,
    faults_file: Path | None,
    batch_s: float,
    host: str,
    port: int,
    log: Path | None,
) -> None:
    """Serve simulated agents as a Messages API; its address is the first line on stdout."""
    from ..actors.errors import UsageError
    from ..actors.models.serving.app import serve_app
    from ..actors.models.serving.faults import Faults, faults_from
    from ..actors.models.serving.latency import latency_of
    from ..actors.models.serving.limits import Limits
    from ..actors.models.serving.timing import ServedTime
    from ..actors.models.serving.world import World
    from ..actors.simulation.judge import JudgeProfile
    from ..actors.simulation.profile import SONNET, profile_of
    from ..inputs import read_table

    agents = SONNET if model == "sim:judge" else profile_of(model)
    if agents is None:
        raise UsageError(f"serve plays simulated models, such as sim:sonnet, and not {model!r}")
    pace, limits = latency_of(latency), Limits(rpm, itpm, otpm, burst)
    faults = Faults() if faults_file is None else faults_from(faults_file, seed=seed)
    known: dict[str, float] = {}
    if world is not None:
        known = known_utilities(read_table(world), id=id_column, truth=truth, accuracy=accuracy)
    profile = replace(JudgeProfile(), accuracy=accuracy)
    with contextlib.ExitStack() as open_things:
        lines = None if log is None else open_things.enter_context(_opened(log))
        listener = open_things.enter_context(contextlib.closing(_listen(host, port)))
        app = serve_app(
            World(profile, seed, known, agents=agents),
            log=lines,
            latency=pace,
            limits=limits,
            faults=faults,
            batch_s=batch_s,
            time=ServedTime(scale=time_scale),
        )
        click.echo(f"http://{_name(host)}:{listener.getsockname()[1]}")
        _run(app, listener)


def known_utilities(
    table: "pa.Table", *, id: str | None, truth: str | None, accuracy: float
) -> dict[str, float]:
    """Return the utility of each row of *table* that has a truth, by id; raises UsageError."""
    import numpy as np

    from ..actors.errors import UsageError
    from ..actors.simulation.world import utilities

    for name in (id, truth):
        if name is not None and name not in table.column_names:
            there = ", ".join(table.column_names)
            raise UsageError(f"the world has no column {name!r}; it has {there}")
    ids = _ids(table, id)
    column = truth if truth is not None else _only_numeric(table, id)
    if not _is_numeric(table.schema.field(column).type):
        raise UsageError(f"the column {column!r} of the world holds no numbers")
    values = table.column(column).to_pylist()
    rows = [
        row for row, value in enumerate(values) if value is not None and math.isfinite(float(value))
    ]
    if not rows:
        raise UsageError(f"no row of the world has a truth in column {column!r}")
    known = utilities(np.array([float(values[row]) for row in rows]), accuracy)
    return {ids[row]: float(value) for row, value in zip(rows, known, strict=True)}


def _ids(table: "pa.Table", id: str | None) -> list[str]:
    from ..actors.errors import UsageError

    if id is None:
        return [str(row) for row in range(table.num_rows)]
    found = table.column(id).to_pylist()
    if None in found:
        raise UsageError(f"column {id!r} of the world has no id in row {found.index(None)}")
    ids = [str(value) for value in found]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise UsageError(f"column {id!r} of the world has the id {twice!r} more than once")
    return ids


def _only_numeric(table: "pa.Table", id: str | None) -> str:
    from ..actors.errors import UsageError

    numeric = [f.name for f in table.schema if f.name != id and _is_numeric(f.type)]
    if len(numeric) == 1:
        return str(numeric[0])
    if not numeric:
        raise UsageError("the world has no numeric column; a truth must be one")
    raise UsageError(f"say which column is the world's truth with --truth: {', '.join(numeric)}")


def _is_numeric(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _listen(host: str, port: int) -> socket.socket:
    from ..actors.errors import UsageError
    from ..actors.models.loopback import listen

    try:
        return listen(host, port)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"cannot listen on {host} port {port}: {why}") from error


def _opened(log: Path) -> TextIO:
    from ..actors.errors import UsageError

    try:
        return log.open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the log {log}: {error.strerror or error}") from error


def _name(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _run(app: "Starlette", listener: socket.socket) -> None:
    import uvicorn

    from ..actors.models.loopback import served

    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(served(app)).run(sockets=[listener])
