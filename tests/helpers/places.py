"""A folder with a workflow file, in which the command is run as a user runs it."""

from pathlib import Path
from typing import Any

import pytest

from commedia.cli.main import run as commedia
from commedia.supervisor.store import find_run

HEAD = """
import json
from functools import partial
from pathlib import Path
from commedia import Run, workflow
from commedia.actors.errors import ModelFaultError
from commedia.actors.models.wire import Attempt

ASKED = Path(__file__).with_name("asked.log")

def heard(row):
    with ASKED.open("a") as log:
        log.write(" ".join(row["prompt"].split()) + "\\n")

def echo(row):
    heard(row)
    return row["prompt"].upper() if row["role"] == "worker" else json.dumps(
        {"verdict": "upheld", "reason": "", "evidence": []})
"""


class Place:
    """A folder with a file of workflows and models, and what the command said of them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file, self.log = folder / "flow.py", folder / "asked.log"
        self._capsys = capsys
        self.out = self.err = ""

    def write(self, code: str) -> None:
        self.file.write_text(HEAD + code)

    def run(self, *options: str, model: str = "echo", flow: str = "flow") -> int:
        """Run the workflow in the file, on a model in the file."""
        named = ["--model", f"{self.file}:{model}", "--runtime", "inline", *options]
        return self.command("run", *named, f"{self.file}:{flow}")

    def command(self, *arguments: str) -> int:
        self._capsys.readouterr()
        code = commedia(arguments)
        self.out, self.err = self._capsys.readouterr()
        assert "Traceback" not in self.err
        return code

    @property
    def asked(self) -> list[str]:
        """What the models were asked so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    @property
    def data(self) -> dict[str, Any]:
        """What the last run's folder says."""
        return find_run("last").data
