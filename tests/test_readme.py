"""The README tells the truth: its blocks run, its costs are computed, its paths exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from commedia.actors.judge import TokenCount
from commedia.actors.models.prices import price_of, prices_as_of
from commedia.actors.models.simulated import most_answer_tokens
from commedia.actors.questions import Question

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^commedia (.*)$", BLOCKS, re.MULTILINE)
HUNT = next(b for b in re.findall(r"^```python\n(.*?)^```", README, re.M | re.S) if "hunt" in b)
ENTRY = [sys.executable, "-c", "import sys; from commedia.cli.main import main; sys.exit(main())"]
ITEM = "x" * 1160  # 290 tokens, about 300 inside its fence


@pytest.mark.parametrize("example", list(find_examples(str(ROOT / "README.md"))), ids=str)
def test_the_blocks_of_python_run(example: CodeExample, eval_example: EvalExample) -> None:
    if example.prefix == "python":
        eval_example.run(example)


def test_the_commands_run_as_they_stand(tmp_path: Path) -> None:
    """In their order, on a table of that name; one that costs money stops at the missing key."""
    shutil.copy(ROOT / "commedia" / "data" / "bug_reports.csv", tmp_path / "bugs.csv")
    (tmp_path / "hunt.py").write_text(HUNT)
    assert len(COMMANDS) == 10
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "serve":
            continue  # runs until it is stopped; its own tests start it
        more = ["--runtime", "inline", "-q"] if words[0] in ("sort", "run") else []
        done = subprocess.run(
            [*ENTRY, words[0], *more, *words[1:]],
            cwd=tmp_path,
            env=os.environ,
            capture_output=True,
            text=True,
        )

        if "--budget" in words:
            assert done.returncode == 2
            assert "ANTHROPIC_API_KEY" in done.stderr
        else:
            assert done.returncode in ((0, 3) if "sim:sonnet" in words else (0,)), done.stderr


def test_the_costs_are_those_of_the_price_file() -> None:
    rows = re.findall(r"^\| `(list:10|graded|pair)` \| ([\d,]+) \| (.*) \|$", README, re.MULTILINE)
    models = re.findall(r"claude-\w+-5-5", README.split("| question | calls |")[1].split("\n")[0])
    counted = TokenCount.of([ITEM] * 10)

    assert f"price file of\n{prices_as_of()}" in README
    assert len(rows) == 3
    for name, calls, costs in rows:
        question = Question.parse(name)
        prompt = counted.prompts(question, "severity", np.arange(question.size)[None, :])[0]
        for model, cost in zip(models, costs.split(" | "), strict=True):
            price = price_of(model)
            assert price is not None
            each = price.cost(int(prompt), most_answer_tokens(question))
            assert f"${each * int(calls.replace(',', '')) / 1e9:.2f}" == cost


def test_the_map_leads_somewhere() -> None:
    table = README.split("| to change | go to |")[1].split("## Limits")[0]
    for cell in re.findall(r"^\| .* \| (.*) \|$", table, re.MULTILINE):
        folder = ""
        for path in re.findall(r"`([\w/]+(?:\.\w+)?)`", cell):
            folder = path.rpartition("/")[0] or folder
            place = path if "/" in path else f"{folder}/{path}"
            assert (ROOT / place).exists(), place
