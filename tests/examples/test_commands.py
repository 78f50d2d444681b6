"""The examples' README tells the truth: its commands run as they stand, and it names every file."""

import json
import re
import shlex
from typing import Any

import pytest
from shown import EXAMPLES, ROOT

from commedia.cli.main import run as commedia

README = (EXAMPLES / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^commedia (.*)$", BLOCKS.replace("\\\n", " "), re.MULTILINE)
SIMULATED = [command for command in COMMANDS if "sim:" in command]
FIRST: dict[str, Any] = {
    "names": lambda value: len(value) == 3,
    "plan": lambda value: len(value["objections"]) == 3,
    "flaky": lambda value: value["cause"]["knob"] == "PYTHONHASHSEED",
    "resumes": lambda value: len(value["invited"]) == 10,
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def of(command: str) -> str:
    """Return the name of the example that *command* runs."""
    return re.findall(r"examples/(\w+)\.py(?!:)", command)[0]  # type: ignore[no-any-return]


def test_each_example_is_run_simulated_and_on_claude() -> None:
    files = sorted(path.stem for path in EXAMPLES.glob("*.py"))

    assert sorted(of(command) for command in SIMULATED) == files
    assert sorted(of(command) for command in COMMANDS if command not in SIMULATED) == files
    assert all(f"`{name}.py`" in README for name in files)


@pytest.mark.parametrize("command", SIMULATED, ids=of)
def test_a_simulated_command_completes_as_it_stands(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = commedia(shlex.split(command))

    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert FIRST[of(command)](json.loads(shown.out))
    assert "simulated: sim:sonnet is no language model" in shown.err


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in SIMULATED], ids=of)
def test_a_command_that_costs_money_stops_at_the_missing_key(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commedia(shlex.split(command)) == 2
    assert "ANTHROPIC_API_KEY" in capsys.readouterr().err
