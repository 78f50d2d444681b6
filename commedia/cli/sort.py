"""`commedia sort`: read a table, rank it, write the ranking and say how good it is."""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

import click

from .options import (
    EXIT_CODES,
    between,
    focus,
    not_blank,
    print_json,
    question,
    quiet_option,
    running_options,
    template,
)
from .progress import ProgressView
from .stdout import quiet_stdout

if TYPE_CHECKING:
    from ..inputs import Prepared
    from ..rank_options import RankOptions
    from ..results import RankResult
    from ..session import Session

EXAMPLES = """\b
Examples:
  Simulated judges that know the truth in a column (free, no key):
    commedia sort bugs.csv --by severity --text report --truth severity
  On Claude, with a cap on what it may cost (needs ANTHROPIC_API_KEY):
    commedia sort bugs.csv --by severity --text report --budget 2usd -o ranked.csv
  Lines from a pipe, and the best three:
    cat names.txt | commedia sort - --by 'how memorable it is' --budget 100k | head -4
  The best ten alone, and yesterday's ranking with today's rows:
    commedia sort bugs.csv --by severity --text report --truth severity --top 10
    commedia sort today.csv --by severity --text report --id key --budget 1usd --since last
  On any server that speaks the Messages API:
    commedia sort bugs.jsonl --by urgency --model my-model --base-url http://127.0.0.1:8080 \\
      --budget 300k

Exit codes: 0 completed, 3 degraded (something is missing, or the budget ended first), 1 failed,
2 usage, 130 interrupted.
"""


ACCURACY = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class SortOptions:
    """What `commedia sort` was asked for."""

    source: str
    by: str | None
    rubric: str | None
    text: str | None
    id: str | None
    truth: str | None
    model: tuple[str, ...]
    base_url: str | None
    accuracy: float
    ask: str
    target: float
    top: int | None
    wide: bool
    focus: float | None
    since: str | None
    keep_judge: bool
    reasons: bool
    method: str | None
    votes: int | None
    budget: tuple[str, ...]
    yes: bool
    seed: int
    runtime: Literal["ray", "inline"]
    address: str | None
    hosts: int | None
    in_flight: int
    batch_rows: int | None
    output: str | None
    as_json: bool
    quiet: bool


@click.command(epilog=EXAMPLES)
@click.argument("source", metavar="INPUT")
@click.option("--by", callback=not_blank, help="The quality to rank by: more first.")
@click.option(
    "--rubric",
    metavar="FILE",
    help="Rank by several weighted criteria instead: a .toml or .json file.",
)
@click.option(
    "--text",
    metavar="COLUMN|TEMPLATE",
    callback=template,
    help=r"What a judge reads: a column, or '{title}\n{report}'. Default: the only text column.",
)
@click.option("--id", metavar="COLUMN", help="Names the rows. Default: the row number from 0.")
@click.option(
    "--truth",
    metavar="COLUMN",
    help="Numbers, higher = more: what a simulated judge knows and a result is scored against.",
)
@click.option(
    "--model",
    metavar="NAME",
    multiple=True,
    help="The judge, or FILE.py:FUNCTION; several make a panel. Default: sim:judge with --truth, "
    "else claude-haiku-5-5 if there is a key.",
)
@click.option(
    "--accuracy",
    type=float,
    default=ACCURACY,
    show_default=True,
    callback=between(0.5, 1.0),
    help="How often the simulated judge is right on a random pair.",
)
@click.option(
    "--ask",
    default="auto",
    show_default=True,
    metavar="pair|graded|list:K|auto",
    callback=question,
    help="How a judge is asked; auto finds out in a pilot what tells most for its price.",
)
@click.option(
    "--target",
    type=float,
    default=0.90,
    show_default=True,
    callback=between(0.0, 1.0),
    help="The predicted Kendall tau to stop at; with --top, the predicted recall.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="K",
    help="Look for the best K alone: far fewer calls; the other rows get a rough order.",
)
@click.option("--wide", is_flag=True, help="With --top: fewer and larger rounds.")
@click.option(
    "--focus",
    metavar="top:SHARE",
    callback=focus,
    help="Which part matters most, as top:10% or top:0.1: other rows are asked about less.",
)
@click.option(
    "--since",
    metavar="RUN",
    help="Go on from an earlier sort: its answers about rows that are still there count.",
)
@click.option("--keep-judge", is_flag=True, help="Ask on a judge that a pilot would refuse.")
@click.option(
    "--method",
    metavar="NAME",
    help="A classical ranking in place of ours: merge, quick, heap, knockout, swiss, swiss-bt, "
    "window, pointwise, bucket or random.",
)
@click.option("--votes", type=click.IntRange(min=1), help="With --method: votes a comparison.")
@click.option(
    "--reasons", is_flag=True, help="Have judges say why, in a sentence; show RUN --item ID tells."
)
@running_options
@click.option("--batch-rows", type=click.IntRange(min=1), hidden=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the ranking there (.csv, .jsonl, .parquet). Default: a table, or CSV in a pipe.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the account of the run as one object.")
@quiet_option
def sort(**options: Any) -> int:  # click hands the options over by name
    """Sort the rows of INPUT (a .csv, .jsonl or .parquet file, or - for lines) by a quality.

    Judges see short lists (or pairs) of rows and say which has more of it; a posterior over the
    order decides what to ask next and when to stop, and gives each rank an interval.
    """
    return sort_table(SortOptions(**options))


def sort_table(options: SortOptions) -> int:
    """Do what *options* ask; return the exit code."""
    from ..actors.imports import spare_pandas
    from ..inputs import prepare, read_table
    from ..models import models_of

    spare_pandas()
    frame = read_table(options.source)
    prepared = prepare(frame, text=options.text, id=options.id, truth=options.truth)
    if options.output is not None:
        _check_output(options, prepared)
    _check_accuracy(options)
    from ..session import Session
    from .asking import consenter

    view = ProgressView(quiet=options.quiet)
    with (
        quiet_stdout() as out,
        Session(
            model=models_of(options.model),
            base_url=options.base_url,
            runtime=options.runtime,
            address=options.address,
            hosts=options.hosts,
            batch_rows=options.batch_rows,
            budget=options.budget or None,
            in_flight=options.in_flight,
            accuracy=options.accuracy,
            on_progress=view,
            consent=consenter(view, yes=options.yes),
        ) as session,
    ):
        with view:
            result = session.rank(frame, options.by, **_wishes(options))
        return deliver(result, options, prepared, view, out)


def _wishes(options: SortOptions) -> "RankOptions":
    """Return the options of a ranking among those of the command."""
    from ..rank_options import RankOptions

    return cast(
        "RankOptions", {name: getattr(options, name) for name in RankOptions.__annotations__}
    )


def deliver(
    result: "RankResult",
    options: SortOptions,
    prepared: "Prepared",
    view: ProgressView,
    out: TextIO,
) -> int:
    """Write *result* where *options* want it and say what it is; return the exit code."""
    code = EXIT_CODES.get(result.status, 1)
    has_ranking = result.n > 0 and result.status in ("completed", "degraded")
    if options.output is not None and has_ranking:
        try:
            _write(result, options.output)
        except OSError as error:
            view.say(_unwritten(options.output, error, result))
            code = 1
        else:
            result = replace(result, output=options.output)
    if options.as_json:
        code = _printed(result, partial(print_json, result.to_json(), out), out, view) or code
    elif options.output is None and has_ranking:
        code = _printed(result, partial(_show, result, prepared, out), out, view) or code
    _summarise(result, options, view)
    return code


def _printed(
    result: "RankResult", show: Callable[[], None], out: TextIO, view: ProgressView
) -> int:
    """Have *show* print to *out*; returns the exit code where that cannot be written, or 0."""
    try:
        show()
    except BrokenPipeError:
        pass  # the reader has seen enough; the ranking is in the run folder
    except OSError as error:
        with contextlib.suppress(OSError):
            out.close()  # or what is left in it would be tried once more
        view.say(_unwritten("standard output", error, result))
        return 1
    return 0


def go_on(
    session: "Session",
    run: str,
    out: TextIO,
    view: ProgressView,
    output: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Go on with a sort, print it, and write it to *output*; it is in the run's folder, too."""
    with view:
        result = session.resume_rank(run)
    code = EXIT_CODES.get(result.status, 1)
    if output is not None and result.n and result.status in ("completed", "degraded"):
        try:
            _write(result, output)
        except OSError as error:
            view.say(_unwritten(output, error, result))
            code = 1
        else:
            result = replace(result, output=output)
    if as_json:
        code = _printed(result, partial(print_json, result.to_json(), out), out, view) or code
    for line in result.lines() if not quiet or result.status != "completed" else []:
        view.say(line)
    return code


def _check_accuracy(options: SortOptions) -> None:
    """Raise UsageError where an accuracy is given, and no judge is simulated."""
    names = options.model or (("sim:judge",) if options.truth is not None else ())
    if options.accuracy != ACCURACY and not any(name.startswith("sim:") for name in names):
        raise click.UsageError("--accuracy is a simulated judge's; others judge as they do")


def _check_output(options: SortOptions, prepared: "Prepared") -> None:
    from ..actors.errors import UsageError
    from ..outputs import check_output

    assert options.output is not None
    check_output(options.output, prepared.frame)
    written = Path(options.output)
    if options.source != "-" and written.exists() and written.samefile(options.source):
        raise UsageError(f"{options.output} is the input itself; write the ranking elsewhere")


def _write(result: "RankResult", path: str) -> None:
    from ..outputs import write_table
    from ..results import with_provenance

    table = with_provenance(
        result.table, run_id=result.run_id, model=result.model, simulated=result.simulated
    )
    write_table(table, path)


def _unwritten(path: str, error: OSError, result: "RankResult") -> str:
    kept = f"; the ranking is in {result.output}" if result.output else ""
    return f"commedia: {path} could not be written ({error.strerror or error}){kept}"


def _show(result: "RankResult", prepared: "Prepared", out: TextIO) -> None:
    from ..outputs import print_table, write_csv

    if not out.isatty():
        write_csv(result.table, out)
        out.flush()
        return
    from rich.console import Console

    texts = dict(zip(prepared.ids, prepared.texts, strict=True))
    print_table(result.table, Console(file=out, highlight=False), texts=texts)


def _summarise(result: "RankResult", options: SortOptions, view: ProgressView) -> None:
    from ..results import GO_ON

    lines = result.lines()
    if options.quiet:
        lines = lines[: int(result.simulated)] if result.status == "completed" else lines
    elif result.simulated and view.has_said_simulated:
        lines = lines[1:]
    if options.output is not None:  # that is all a resumed sort does not know by itself
        where = f" -o {shlex.quote(options.output)}"
        lines = [line + where if line.startswith(GO_ON) else line for line in lines]
    try:
        for line in lines:
            view.say(line)
    except BrokenPipeError:
        return
