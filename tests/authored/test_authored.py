"""A workflow by somebody who had seen the README alone, as they wrote it."""

import json
from pathlib import Path

import pytest

from commedia.cli.main import run as commedia

FILE = str(Path(__file__).with_name("slogans.py"))


@pytest.mark.parametrize("model", ["sim:sonnet", f"{FILE}:scripted"], ids=["sim", "scripted"])
def test_it_works_on_simulated_agents_and_on_a_function(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["run", "--runtime", "inline", "--model", model, FILE, "--product", "bikes"]
    angles = [word for angle in ("speed", "price", "health") for word in ("--angles", angle)]

    assert commedia([*options, *angles]) in (0, 3)
    found = json.loads(capsys.readouterr().out)
    assert found["tone"] in ("funny", "sober")
    assert len(found["top"]) == 2
