"""`commedia eval`: rank systems (models, prompts, commands) on items, and say how sure that is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .eval_delivery import deliver
from .options import (
    between,
    duration,
    not_blank,
    question,
    quiet_option,
    running_options,
    template,
)
from .progress import ProgressView
from .stdout import quiet_stdout

if TYPE_CHECKING:
    from ..evals import EvalOptions

EXAMPLES = """\b
Examples:
  Outputs in columns, judged by Claude (needs ANTHROPIC_API_KEY):
    commedia eval answers.csv --prompt question --system old=answer_1 --system new=answer_2 \\
      --by helpfulness --budget 2usd -o page.html
  Commands that read the prompt and write the output; a rubric of several criteria:
    commedia eval tasks.jsonl --prompt task --run v1='python v1.py' --run v2='python v2.py' \\
      --rubric rubric.toml --budget 2usd
  Rehearsed for free, on simulated judges who know each system's quality in logits:
    commedia eval answers.csv --prompt question --system old=answer_1 --system new=answer_2 \\
      --by helpfulness --quality old=0 --quality new=0.8
  Checked by a function, without any judge:
    commedia eval answers.csv --prompt question --system old=answer_1 --check check.py:is_right

Commands run with your rights and without a sandbox, each in a folder of its own that is gone
afterwards. They are passed PATH, HOME, LANG and TERM and no key, but can read what you can: your
files, and the environment of your shell. What they leave running is ended.

Exit codes: 0 completed, 3 degraded (something is missing, or the budget ended first), 1 failed,
2 usage, 130 interrupted; commedia resume goes on with any of them.
"""

BY_JUDGES = "judges"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What `commedia eval` was asked for."""

    source: str
    prompt: str
    systems: tuple[str, ...]
    commands: tuple[str, ...]
    by: str | None
    rubric: str | None
    labels: str | None
    check: str | None
    id: str | None
    model: tuple[str, ...]
    base_url: str | None
    quality: tuple[str, ...]
    author: tuple[str, ...]
    ask: str
    target: float
    budget: tuple[str, ...]
    yes: bool
    timeout: float
    jobs: int
    reasons: bool
    seed: int
    runtime: Literal["ray", "inline"]
    address: str | None
    hosts: int | None
    in_flight: int
    output: str | None
    as_json: bool
    quiet: bool


def _check(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and value != BY_JUDGES and ".py:" not in value:
        raise click.BadParameter(
            f"{value!r} is no FILE.py:FUNCTION; to have judges score, write --check behind all else"
        )
    return value


@click.command(epilog=EXAMPLES)
@click.argument("source", metavar="INPUT")
@click.option(
    "--prompt",
    required=True,
    metavar="COLUMN|TEMPLATE",
    callback=template,
    help="The task of each item: a column, or '{question} {hint}'.",
)
@click.option(
    "--system",
    "systems",
    metavar="NAME=COLUMN",
    multiple=True,
    help="A system whose outputs stand in a column. May be repeated.",
)
@click.option(
    "--run",
    "commands",
    metavar="NAME=COMMAND",
    multiple=True,
    help="A system that is a command: prompt on standard input, output on standard output. No "
    "shell runs it, unless you write sh -c. May be repeated.",
)
@click.option("--by", callback=not_blank, help="The quality to compare by: more is better.")
@click.option(
    "--rubric",
    metavar="FILE",
    help="Compare by several weighted criteria instead: a .toml or .json file.",
)
@click.option("--labels", metavar="COLUMN", help="Names the preferred system of each item.")
@click.option(
    "--check",
    is_flag=False,
    flag_value=BY_JUDGES,
    metavar="[FILE.py:FUNCTION]",
    callback=_check,
    help="Score each output by itself, from 1 to 10, and compare nothing; or by a function of "
    "prompt, output (and label) that returns a number or a truth value.",
)
@click.option("--id", metavar="COLUMN", help="Names the items. Default: the row number from 0.")
@click.option(
    "--model",
    metavar="NAME",
    multiple=True,
    help="The judge, or FILE.py:FUNCTION; several make a panel. Default: sim:judge with "
    "--quality, else claude-haiku-5-5 if there is a key.",
)
@click.option(
    "--quality",
    metavar="NAME=NUMBER",
    multiple=True,
    help="What simulated judges know of a system, in logits; one for each system.",
)
@click.option(
    "--author",
    metavar="NAME=MODEL",
    multiple=True,
    help="Whose model made a system's outputs, to see whether that judge favours them.",
)
@click.option(
    "--ask",
    default="auto",
    show_default=True,
    metavar="pair|graded|list:K|auto",
    callback=question,
    help="How a judge is asked; auto is graded.",
)
@click.option(
    "--target",
    type=float,
    default=0.95,
    show_default=True,
    callback=between(0.0, 1.0),
    help="The predicted Kendall tau of the order of systems to stop at.",
)
@click.option(
    "--timeout",
    default="60s",
    show_default=True,
    callback=duration,
    help="How long one command may take.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="How many commands run at once.",
)
@click.option(
    "--reasons", is_flag=True, help="Have judges say why, in a sentence; show RUN --item ID tells."
)
@running_options
@click.option("-o", "--output", metavar="PAGE.html", help="Write the whole evaluation as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print the evaluation as one object.")
@quiet_option
def evaluate(**options: Any) -> int:  # click hands the options over by name
    """Find out which of several systems does best on the rows of INPUT.

    INPUT is a .csv, .jsonl or .parquet file. Judges compare outputs on one item at a time, and are
    never told whose they are; the order of systems gets a 90% interval for each score and rank.
    """
    return evaluate_table(Wanted(**options))


def evaluate_table(wanted: Wanted) -> int:
    """Do what is *wanted*; return the exit code."""
    from ..actors.imports import spare_pandas
    from ..inputs import read_table
    from ..models import models_of

    spare_pandas()
    options = options_of(wanted)
    if wanted.output is not None:
        check_page(wanted.output)
    frame = read_table(wanted.source)
    from ..session import Session
    from .asking import consenter

    view = ProgressView(quiet=wanted.quiet)
    with (
        quiet_stdout() as out,
        Session(
            model=models_of(wanted.model),
            base_url=wanted.base_url,
            runtime=wanted.runtime,
            address=wanted.address,
            hosts=wanted.hosts,
            budget=wanted.budget or None,
            in_flight=wanted.in_flight,
            on_progress=view,
            consent=consenter(view, yes=wanted.yes),
        ) as session,
    ):
        with view:
            result = session.eval(frame, **options)
        return deliver(
            result, out, view, page=wanted.output, as_json=wanted.as_json, quiet=wanted.quiet
        )


def options_of(wanted: Wanted) -> "EvalOptions":
    """Return what is *wanted* as a session takes it; what is a number is checked there."""
    return {
        "prompt": wanted.prompt,
        "systems": pairs(wanted.systems, "--system NAME=COLUMN"),
        "commands": pairs(wanted.commands, "--run NAME=COMMAND"),
        "by": wanted.by,
        "rubric": wanted.rubric,
        "labels": wanted.labels,
        "check": True if wanted.check == BY_JUDGES else wanted.check,
        "id": wanted.id,
        "ask": wanted.ask,
        "target": wanted.target,
        "seed": wanted.seed,
        "quality": pairs(wanted.quality, "--quality NAME=NUMBER"),
        "author": pairs(wanted.author, "--author NAME=MODEL"),
        "timeout_s": wanted.timeout,
        "at_once": wanted.jobs,
        "reasons": wanted.reasons,
    }


def pairs(given: tuple[str, ...], form: str) -> dict[str, str]:
    """Read each of *given* as NAME=VALUE; *form* is how the option is written."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise click.UsageError(f"{text!r} is no pair; write it as {form}")
        if name.strip() in found:
            raise click.UsageError(f"{name.strip()!r} is given twice with {form}; rename one")
        found[name.strip()] = value.strip()
    return found


def check_page(path: str) -> None:
    """Find out before the run whether a page can be written to *path*; raises UsageError."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{path} is no page; write to a .html file")
    if target.is_dir():
        raise click.UsageError(f"{path} is a folder; name a .html file in it")
    if not target.resolve().parent.is_dir():
        raise click.UsageError(f"there is no folder {target.parent}; make it, or write elsewhere")
    try:
        is_new = not target.exists()
        target.open("ab").close()
        if is_new:
            target.unlink()
    except OSError as error:
        raise click.UsageError(
            f"{path} cannot be written ({error.strerror}); write elsewhere"
        ) from None
