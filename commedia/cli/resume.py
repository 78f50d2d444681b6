"""`commedia resume`, `stop` and `answer`: what is said to a run from any process."""

from typing import Any, Literal

import click

from .options import EXIT_CODES, address_option
from .progress import ProgressView
from .stdout import quiet_stdout

RESUME_EXAMPLES = """\b
Examples:
  commedia resume last
  commedia resume 20261125-14 --budget 5usd
  commedia resume last --mode replay --runtime inline
"""

STOP_EXAMPLES = """\b
Examples:
  commedia stop last
  commedia stop last --agent 'the slow one'
"""

ANSWER_EXAMPLES = """\b
Examples:
  commedia answer last 'the second one' --resume
"""


@click.command(epilog=RESUME_EXAMPLES)
@click.argument("run")
@click.option(
    "--mode",
    type=click.Choice(["content", "replay"]),
    default="content",
    show_default=True,
    help="Ask what is new or was changed, or nothing at all.",
)
@click.option("--model", metavar="NAME", help="Default: the one that it had.")
@click.option("--base-url", metavar="URL", help="Default: the one that it had.")
@click.option(
    "--budget", multiple=True, metavar="CAP", help="For the whole run. Default: what it had."
)
@click.option(
    "--runtime",
    type=click.Choice(["ray", "inline"]),
    default="ray",
    show_default=True,
    help="Actors on Ray, or all in this process.",
)
@address_option
@click.option("--hosts", type=click.IntRange(min=1), help="Processes a role, at most.")
@click.option("--yes", is_flag=True, help="Go on unasked, and without a budget if it had none.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write a ranking there, or an evaluation's page. A workflow returns its own value.",
)
@click.option("--json", "as_json", is_flag=True, help="Print value and account as one object.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, and only what went wrong.")
def resume(run: str, **options: Any) -> int:
    """Go on with RUN: `last`, or a run's id or the beginning of one.

    What was answered before is not asked, or paid for, again.
    """
    return resume_run(run, **options)


def resume_run(
    run: str,
    *,
    mode: Literal["content", "replay"] = "content",
    model: str | None = None,
    base_url: str | None = None,
    budget: tuple[str, ...] = (),
    runtime: Literal["ray", "inline"] = "ray",
    address: str | None = None,
    hosts: int | None = None,
    output: str | None = None,
    yes: bool = False,
    as_json: bool = False,
    quiet: bool = False,
) -> int:
    """Go on with *run*; return the exit code."""
    from ..actors.imports import spare_pandas
    from ..models import model_of
    from ..supervisor.store import find_run

    spare_pandas()
    data = (record := find_run(run)).data
    _check_output(output, data.get("kind"))
    from ..resuming import settings_of
    from ..session import Session
    from .asking import asker, consenter
    from .delivery import deliver_run
    from .eval_delivery import How, go_on

    view = ProgressView(quiet=quiet)
    with (
        quiet_stdout(keep=runtime == "inline", is_json=as_json) as out,
        Session(
            model=model_of(model or data.get("model_source")),
            base_url=base_url or data.get("base_url"),
            runtime=runtime,
            address=address,
            hosts=hosts or data.get("hosts"),
            budget=budget or settings_of(data),
            in_flight=data.get("in_flight") or 64,
            on_progress=view,
            inquire=asker(view),
            consent=consenter(view, yes=yes),
        ) as session,
    ):
        if data.get("kind") == "eval":
            how = How(page=output, as_json=as_json, quiet=quiet)
            return go_on(session, record.path.name, out, view, **how)
        if data.get("kind") != "workflow":
            from .sort import go_on as sort_on

            return sort_on(session, record.path.name, out, view, output, as_json, quiet)
        with view:
            result = session.resume(record.path.name, mode=mode)
        return deliver_run(result, out, view, as_json=as_json, quiet=quiet)


def _check_output(output: str | None, kind: str | None) -> None:
    """Raise UsageError where what a run of this *kind* comes to cannot be written to *output*."""
    if output is None or kind == "eval":
        return
    if kind == "workflow":
        raise click.UsageError("-o is for sorts and evaluations; a workflow's value is printed")
    from ..outputs import check_output

    check_output(output)


@click.command(epilog=STOP_EXAMPLES)
@click.argument("run")
@click.option(
    "--agent",
    "label",
    metavar="LABEL",
    help="Skip the agents of this label alone: their branch goes on without them.",
)
def stop(run: str, label: str | None) -> int:
    """Stop RUN, from any process: what is in flight is kept, and it can be resumed."""
    from ..standing import standing
    from ..supervisor.control import give_order
    from ..supervisor.run_lock import is_locked
    from ..supervisor.store import find_run

    record = find_run(run)
    if not is_locked(record.path):
        raise click.UsageError(
            f"run {record.path.name} is not running; its status is "
            f"{standing(record).data['status']}"
        )
    give_order(record.path, {"stop": True} if label is None else {"skip": label})
    what = "stop" if label is None else f"skip {label}: any agent so labelled is skipped"
    click.echo(f"told run {record.path.name} to {what}", err=True)
    return 0


@click.command(epilog=ANSWER_EXAMPLES)
@click.argument("run")
@click.argument("answer")
@click.option("--resume", "goes_on", is_flag=True, help="Go on with the run at once.")
@click.option("--runtime", type=click.Choice(["ray", "inline"]), default="ray", show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="No progress, and only what went wrong.")
def answer(
    run: str, answer: str, goes_on: bool, runtime: Literal["ray", "inline"], quiet: bool
) -> int:
    """Answer the question that RUN waits for; the answer is journaled."""
    from ..resuming import record_answer

    name, is_recorded = record_answer(run, answer)
    if not is_recorded:
        click.echo(f"handed to run {name}, which takes it if it waits for such an answer", err=True)
    elif goes_on:
        return resume_run(name, runtime=runtime, quiet=quiet)
    else:
        click.echo(f"recorded; go on with: commedia resume {name}", err=True)
    return EXIT_CODES["completed"]
