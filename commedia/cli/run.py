"""`commedia run`: a workflow from a file, a saved one, or a shipped recipe, on the command line."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

import click
from click.core import ParameterSource

from .delivery import deliver_run
from .options import duration, print_json, quiet_option, running_options
from .progress import ProgressView
from .stdout import quiet_stdout

if TYPE_CHECKING:
    from ..supervisor.workflow import Workflow

EXAMPLES = """\b
Examples:
  A workflow in a file, with its own options after it:
    commedia run --model sim:sonnet hunt.py --incident 'p99 doubled' --sources logs
  Its help, and all workflows that can be run by name:
    commedia run hunt.py --help
    commedia run --list
  On Claude, within a budget, until a condition holds:
    commedia run --budget 2usd --goal 'every claim cites a source' report.py --topic tides
  Every ten minutes, until it is stopped:
    commedia run --budget 500k --every 10min watch.py

Ctrl-C once lets calls in flight end, and pauses; twice takes them back; three times kills.
Exit codes: 0 completed, 3 degraded (something is missing), 1 failed, 2 usage, 75 paused (the
resume command is printed), 130 interrupted.
"""


_TYPED = ParameterSource.COMMANDLINE
_SHAPES = {"times": "every", "goal_model": "goal", "patience": "goal"}
"""Options that mean something with another one alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What `commedia run` was asked for, but the workflow and its own arguments."""

    model: str | None
    base_url: str | None
    budget: tuple[str, ...]
    yes: bool
    runtime: Literal["ray", "inline"]
    address: str | None
    hosts: int | None
    slots: int | None
    in_flight: int
    seed: int
    world: str | None
    goal: str | None
    goal_model: str | None
    patience: int
    every: float | None
    times: int | None
    as_json: bool
    quiet: bool


@click.command(
    epilog=EXAMPLES, context_settings={"allow_interspersed_args": False}, no_args_is_help=True
)
@click.option("--list", "wants_list", is_flag=True, help="List the workflows that have a name.")
@click.option(
    "--model",
    metavar="NAME",
    help="Who plays the agents: a Claude model, sim:haiku|sonnet|opus, any name with --base-url, "
    "or FILE.py:FUNCTION. Default: claude-haiku-5-5 if there is a key.",
)
@running_options
@click.option(
    "--slots", type=click.IntRange(min=1), help="Simulated agents that act at once, at most."
)
@click.option(
    "--world",
    metavar="FILE",
    help="What simulated agents know to be true: things as JSON lines, or FILE.py:NAME.",
)
@click.option(
    "--goal",
    metavar="CONDITION",
    help="Run again and again until a small judge says that this is met, or cannot be.",
)
@click.option("--goal-model", metavar="NAME", help="The judge of --goal. Default: the model.")
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Passes without progress after which --goal gives up.",
)
@click.option(
    "--every", metavar="TIME", callback=duration, help="Run again every 30s, 10min, 2h: never two."
)
@click.option("--times", type=click.IntRange(min=1), help="End --every after so many passes.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print value and account as one object; what the workflow prints goes to standard error.",
)
@quiet_option
@click.argument("target", metavar="FILE.py[:NAME]|NAME", required=False)
@click.argument("rest", metavar="[--param value ...]", nargs=-1, type=click.UNPROCESSED)
def run(target: str | None, rest: tuple[str, ...], wants_list: bool, **options: Any) -> int:
    """Run a workflow; options of `run` stand before its name, its own after it.

    A workflow is an async function with the decorator `workflow`; what it returns is printed.
    """
    if wants_list:
        return _list(sys.stdout, as_json=bool(options["as_json"]))
    if target is None:
        raise click.UsageError("give a workflow: FILE.py, FILE.py:NAME or a name; --list has them")
    context = click.get_current_context()
    asked = RunOptions(**options)
    if asked.goal is not None and asked.every is not None:
        raise click.UsageError("--goal and --every cannot be given together")
    for name, loop in _SHAPES.items():
        if options[loop] is None and context.get_parameter_source(name) is _TYPED:
            raise click.UsageError(f"--{name.replace('_', '-')} means nothing without --{loop}")
    from ..workflows import find_workflow
    from .parameters import command_of

    found = find_workflow(target)
    command = command_of(found, lambda args: run_workflow(found, args, asked))
    try:
        code = command.main(
            list(rest), prog_name=f"{context.command_path} {target}", standalone_mode=False
        )
    except click.NoSuchOption as error:
        if error.option_name in _own_options(context):
            raise click.UsageError(
                f"{error.option_name} is an option of `run`: put it before {target}"
            ) from None
        raise
    return code if isinstance(code, int) else 0


def _own_options(context: click.Context) -> set[str]:
    return {name for each in context.command.params for name in each.opts}


def run_workflow(found: "Workflow[..., Any]", args: dict[str, Any], options: RunOptions) -> int:
    """Run *found* with *args* as *options* ask; return the exit code."""
    from ..actors.imports import spare_pandas
    from ..models import model_of, world_of

    spare_pandas()
    from ..session import Session
    from .asking import asker, consenter

    view = ProgressView(quiet=options.quiet)
    with (
        quiet_stdout(keep=options.runtime == "inline", is_json=options.as_json) as out,
        Session(
            model=model_of(options.model),
            base_url=options.base_url,
            runtime=options.runtime,
            address=options.address,
            hosts=options.hosts,
            budget=options.budget or None,
            in_flight=options.in_flight,
            world=world_of(options.world),
            slots=options.slots,
            seed=options.seed,
            on_progress=view,
            consent=consenter(view, yes=options.yes),
            inquire=asker(view),
        ) as session,
    ):
        with view:
            result = session.start(found, args, loop_of(options))
        return deliver_run(result, out, view, as_json=options.as_json, quiet=options.quiet)


def loop_of(options: RunOptions) -> Any:  # a Loop, whose file is imported only where there is one
    """Return the loop around the workflow that *options* ask for; None where there is none."""
    if options.goal is None and options.every is None:
        return None
    from ..patterns.loops import Loop

    return Loop(
        goal=options.goal,
        model=options.goal_model,
        patience=options.patience,
        every_s=options.every,
        times=options.times,
    )


def _list(out: TextIO, *, as_json: bool) -> int:
    if as_json:
        from dataclasses import asdict

        from ..workflows import list_workflows

        print_json({"workflows": [asdict(saved) for saved in list_workflows()]}, out)
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..inert import inert
    from ..workflows import list_workflows

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("workflow", "from", "what it does"):
        shown.add_column(name)
    for saved in list_workflows():
        about = saved.error or saved.summary
        if saved.error and "cannot be loaded" not in saved.error:
            about = f"cannot be loaded: {about}"
        place = saved.place + (" (shadowed)" if saved.is_shadowed else "")
        shown.add_row(*(Text(inert(cell, 200)) for cell in (saved.name, place, about)))
    console = Console(file=out, highlight=False)
    (console if console.is_terminal else Console(file=out, width=160, highlight=False)).print(shown)
    return 0
