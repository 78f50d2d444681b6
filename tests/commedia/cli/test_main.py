"""The command line is quick, explains itself, and turns every error into one sentence."""

import json
import os
import statistics
import subprocess
import sys
import time

import click
import pytest

from commedia.actors.errors import RunFailedError, UsageError
from commedia.cli import main
from commedia.cli.main import COMMANDS, cli, run

HEAVY = ["anthropic", "commedia.session", "numpy", "pyarrow", "pydantic", "ray", "rich", "scipy"]


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import json, sys\n"
        "from commedia.cli.main import run\n"
        f"run({[*arguments, '--help']!r})\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_help_takes_at_most_four_times_the_import_of_click() -> None:
    ours, theirs = [], []
    for _ in range(5):
        theirs.append(_seconds(["-c", "import click"]))
        ours.append(_seconds(["-c", "from commedia.cli.main import main; main()", "--help"]))

    assert statistics.median(ours) <= 4 * statistics.median(theirs)


def _seconds(arguments: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--help"]) == 0

    shown = capsys.readouterr().out
    assert f"commedia {name}" in shown
    assert "Example" in shown


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("commedia 0.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sorte"], "No such command 'sorte'"),
        (["sort"], "Missing argument 'INPUT'"),
        (["sort", "x.csv", "--by", "y", "--frob"], "No such option"),
        (["show"], "Missing argument 'RUN'"),
    ],
)
def test_wrong_usage_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"commedia: {sentence}") and err.count("\n") == 1
    assert "--help" in err


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UsageError("no such thing"), 2, "no such thing"),
        (RunFailedError("it broke\nhere"), 1, "it broke here"),
        (
            PermissionError(13, "Permission denied", "/x"),
            1,
            "the system refused /x: Permission denied",
        ),
        (
            ZeroDivisionError("oops"),
            1,
            "ZeroDivisionError: oops (a fault of commedia; COMMEDIA_TRACEBACK=1 shows where)",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (UsageError("\x1b[2Jx\u202e"), 2, "␛[2Jx"),
    ],
)
def test_an_error_is_one_sentence_and_a_code(
    error: BaseException,
    code: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _only_command(monkeypatch, error)

    assert run(["fail"]) == code

    out, err = capsys.readouterr()
    assert (out, err.lstrip("\n")) == ("", f"commedia: {sentence}\n")


def test_a_traceback_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMEDIA_TRACEBACK", "1")
    _only_command(monkeypatch, ZeroDivisionError("oops"))

    with pytest.raises(ZeroDivisionError):
        run(["fail"])


def _only_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the command `fail` raise *error*."""

    @click.command
    def fail() -> None:
        raise error

    monkeypatch.setattr(type(cli), "get_command", lambda group, context, name: fail)


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", "from commedia.cli.main import main; main()", "--help"],
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )

    assert done.stderr == b""
    assert done.returncode in (1, main.EXIT_CLOSED_PIPE)
