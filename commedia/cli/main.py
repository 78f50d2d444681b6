"""The command `commedia`: finds the command asked for, and turns every error into one sentence."""

import contextlib
import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from ..actors.imports import ARROW

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
EXIT_TERMINATED = 143

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_MAKE_ROOM = "; make room there, or set COMMEDIA_HOME to a folder that has more"

COMMANDS = {
    "sort": ("commedia.cli.sort:sort", "Sort a table of text by a quality you name."),
    "eval": ("commedia.cli.eval:evaluate", "Rank models, prompts or commands on your items."),
    "run": ("commedia.cli.run:run", "Run a workflow: a file, a saved one, or a recipe."),
    "resume": ("commedia.cli.resume:resume", "Go on with a run; nothing is paid for twice."),
    "stop": ("commedia.cli.resume:stop", "Stop a run, or skip one of its agents."),
    "answer": ("commedia.cli.resume:answer", "Answer the question that a run waits for."),
    "runs": ("commedia.cli.runs:runs", "List the runs so far."),
    "show": ("commedia.cli.runs:show", "Show a run, or why an item has its rank."),
    "serve": ("commedia.cli.serve:serve", "Serve a simulated judge as a Messages API."),
    "demo": ("commedia.cli.demo:demo", "Sort bundled bug reports on simulated judges."),
}
"""Each command: where it is, and what it does in a sentence. Imported when it is asked for."""

EPILOG = """\b
Examples:
  commedia demo
  commedia sort bugs.csv --by severity --text '{title}: {report}' --truth severity
  commedia sort bugs.csv --by severity --text report --budget 2usd -o ranked.csv
  commedia show last --item BUG-17
  commedia run --model sim:sonnet hunt.py --incident 'p99 doubled at 14:02'
  commedia resume last
"""


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are run, so that help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"commedia {version('commedia')}")
        ctx.exit()


@click.group(
    cls=_LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Print the version.",
)
def cli() -> None:
    """Run casts of language-model agents, real or simulated: workflows, and rankings of text."""


def main() -> None:
    """Run the command line and exit with its code; SIGTERM ends it in good order."""
    signal.signal(signal.SIGTERM, _terminate)
    for name, value in ARROW.items():
        os.environ.setdefault(name, value)
    code = run(sys.argv[1:])
    if code in (EXIT_INTERRUPTED, EXIT_TERMINATED):
        _leave(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command that *arguments* name; returns its exit code, and no error passes."""
    try:
        code = cli.main(list(arguments), prog_name="commedia", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.ClickException as error:
        _say(_sentence_of(error))
        return EXIT_USAGE
    except _Terminated:
        return EXIT_TERMINATED
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return EXIT_CLOSED_PIPE
    except Exception as error:  # the last door: a person sees a sentence, never a traceback
        return _failed(error)
    return code if isinstance(code, int) else 0


class _Terminated(SystemExit):
    """SIGTERM came."""


def _terminate(number: int, frame: FrameType | None) -> None:
    """Leave through every open block, so that processes are stopped and files are whole."""
    raise _Terminated(EXIT_TERMINATED)


def _leave(code: int) -> NoReturn:
    """Exit now that every block is left: a thread that still computes is not waited for.

    An interpreter that ends in order while a thread is inside Arrow or numpy may wait for ever.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or nobody reads
            stream.flush()
    os._exit(code)


def _failed(error: Exception) -> int:
    from ..actors.errors import CommediaError, UsageError

    if os.environ.get("COMMEDIA_TRACEBACK"):
        raise error
    if isinstance(error, CommediaError):
        _say(str(error))
    elif isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        remedy = _MAKE_ROOM if error.errno in _NO_ROOM else ""
        _say(f"the system refused{where}: {error.strerror or error}{remedy}")
    else:
        _say(
            f"{type(error).__name__}: {error} (a fault of commedia; "
            "COMMEDIA_TRACEBACK=1 shows where)"
        )
    return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED


def _sentence_of(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return message + hint


def _say(sentence: str) -> None:
    from ..inert import inert

    try:
        click.echo(f"commedia: {inert(sentence, 2_000)}", err=True)
    except BrokenPipeError:
        return


def _drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush finds an open pipe."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
