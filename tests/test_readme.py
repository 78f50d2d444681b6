"""The README tells the truth: its blocks run, its costs are computed, its paths exist."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from commedia.actors.judge import TokenCount
from commedia.actors.models.prices import price_of, prices_as_of
from commedia.actors.models.simulated import most_answer_tokens
from commedia.actors.questions import Question
from commedia.cli.main import run as commedia

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
COMMANDS = re.findall(r"^commedia (.*)$", BLOCKS, re.MULTILINE)
HUNT = next(b for b in re.findall(r"^```python\n(.*?)^```", README, re.M | re.S) if "hunt" in b)
ITEM = "x" * 1160  # 290 tokens, about 300 inside its fence


@pytest.mark.parametrize("example", list(find_examples(str(ROOT / "README.md"))), ids=str)
def test_the_blocks_of_python_run(example: CodeExample, eval_example: EvalExample) -> None:
    if example.prefix == "python":
        eval_example.run(example)


def test_the_commands_run_as_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their order, on a table of that name; one that costs money stops at the missing key."""
    shutil.copy(ROOT / "commedia" / "data" / "bug_reports.csv", tmp_path / "bugs.csv")
    (tmp_path / "hunt.py").write_text(HUNT)
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 16
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "serve":
            continue  # runs until it is stopped; its own tests start it
        more = ["--runtime", "inline", "-q"] if words[0] in ("sort", "run", "eval") else []
        code = commedia([words[0], *more, *words[1:]])
        said = capsys.readouterr().err

        if "--budget" in words:
            assert code == 2
            assert "ANTHROPIC_API_KEY" in said
        else:
            assert code in ((0, 3) if "sim:sonnet" in words else (0,)), said


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
