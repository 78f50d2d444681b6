"""`commedia run`, `resume`, `stop` and `answer`, as a user types them."""

import json
import os
import re
from pathlib import Path

import pytest

from commedia.cli.main import run as commedia
from commedia.supervisor.store import list_runs

FLOW = '''
"""Two workflows."""
from pydantic import BaseModel
from commedia import Run, workflow


class Finding(BaseModel):
    text: str
    score: int


@workflow
async def hunt(run: Run, incident: str, sources: list[str], deep: bool = False) -> list[str]:
    """Find an incident's cause.

    Args:
        incident: what happened, in a sentence
        sources: where to look
    """
    prompts = [f"{incident} Look only at {source}." for source in sources]
    thunks = [lambda prompt=prompt: run.work(prompt, output=Finding) for prompt in prompts]
    found = await run.parallel(thunks, on_error="collect")
    return [finding.text for finding in found]


@workflow
async def chat(run: Run) -> str:
    """Ask and repeat."""
    print("printed by the workflow")
    return await run.ask("Which colour?", ["red", "blue"])


def model(row):
    if "broken" in row["prompt"]:
        raise ValueError("no")
    return {"text": row["prompt"].split()[-1], "score": 1}
'''


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "flow.py"
    file.write_text(FLOW)
    return file


def hunting(*more: str, model: str = "flow.py:model") -> list[str]:
    options = ["run", "--runtime", "inline", "--model", model]
    return [*options, "flow.py:hunt", "--incident", "p99 doubled.", *more]


def test_a_workflow_is_run_with_its_own_options(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = commedia(hunting("--sources", "logs", "--sources", "deploys"))

    shown = capsys.readouterr()
    assert (code, json.loads(shown.out)) == (0, ["logs.", "deploys."])
    assert "completed: 2 agents, 2 calls" in shown.err


def test_simulated_runs_say_so_first_and_last(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commedia(hunting("--sources", "logs", model="sim:ideal")) == 0

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("simulated: sim:ideal")
    assert lines[-1].startswith("simulated: sim:ideal")


def test_json_is_one_object_with_the_value(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = hunting("--sources", "logs")
    line[1:1] = ["--json", "-q"]

    assert commedia(line) == 0
    account = json.loads(capsys.readouterr().out)
    assert (account["status"], account["value"], account["simulated"]) == (
        "completed",
        ["logs."],
        False,
    )


def test_with_json_what_a_workflow_prints_is_no_result(
    flow: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ["run", "--json", "-q", "--runtime", "inline", "--model", "flow.py:model"]

    assert commedia([*line, "flow.py:chat"]) == 75
    shown = capfd.readouterr()
    account = json.loads(shown.out)
    assert (account["question"], account["options"]) == ("Which colour?", ["red", "blue"])
    assert "printed by the workflow\n" in shown.err
    assert "paused: Which colour?\none of: red, blue\n" in shown.err


def test_what_is_missing_is_said_and_exits_3(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = commedia(hunting("--sources", "logs", "--sources", "broken"))

    shown = capsys.readouterr()
    assert (code, json.loads(shown.out)) == (3, ["logs."])
    assert "missing: 1 agent failed, 1 branch failed" in shown.err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["run", "nowhere.py"], "there is no file"),
        (["run", "flow.py"], "several workflows, hunt, chat"),
        (["run", "flow.py:nothing"], "has no workflow 'nothing'"),
        (["run", "huntt"], "workflow 'huntt'"),
        (["run"], "FILE.py"),
        (["run", "flow.py:hunt", "--incident", "x"], "--sources is missing"),
        (["run", "flow.py:hunt", "--sauces", "x"], "--sauces"),
        (["run", "flow.py:hunt", "--incident", "x", "--sources", "y"], "--model sim:sonnet"),
        (["run", "--model", "sim:nobody", "flow.py:chat"], "no simulated agents 'sim:nobody'"),
        (["run", "--model", "flow.py:nobody", "flow.py:chat"], "has no nobody"),
        (
            ["run", "--model", "claude-haiku-5-5", "flow.py:chat"],
            "or rehearse with --model sim:son",
        ),
        (["run", "--model", "gpt", "flow.py:chat"], "give sim:sonnet, a Claude model such as"),
        (["run", "--model", "flow.py", "flow.py:chat"], "is FILE.py:FUNCTION; give flow.py:model"),
        (["run", "--times", "2", "flow.py:chat"], "--times means nothing without --every"),
        (["run", "--goal-model", "x", "flow.py:chat"], "means nothing without --goal"),
        (["run", "--patience", "3", "flow.py:chat"], "means nothing without --goal"),
        (["run", "--every", "soon", "flow.py:chat"], "'soon' is no time"),
        (["run", "--goal", "x", "--every", "1s", "flow.py:chat"], "cannot be given together"),
        (["run", "--world", "nothing.jsonl", "flow.py:chat"], "cannot be read"),
        (["resume", "never"], "no runs"),
        (["stop", "never"], "no runs"),
        (["answer", "never", "x"], "no runs"),
    ],
)
def test_bad_input_gets_one_sentence(
    line: list[str], sentence: str, flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = commedia(line)

    shown = capsys.readouterr()
    assert (code, shown.out) == (2, "")
    assert sentence in shown.err
    assert "Traceback" not in shown.err
    assert len(shown.err.strip().splitlines()) <= (60 if line == ["run"] else 1)
    assert list_runs() == []


def test_help_comes_from_docstring_and_annotations(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commedia(["run", "flow.py:hunt", "--help"]) == 0

    shown = capsys.readouterr().out
    assert "Find an incident's cause." in shown
    assert re.search(r"--incident \S+\s+what happened, in a sentence", shown)
    assert "--deep / --no-deep" in shown


def test_saved_workflows_are_run_by_name_and_listed(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = flow.parent / ".commedia" / "workflows"
    saved.mkdir(parents=True)
    (saved / "chatter.py").write_text(FLOW.replace("async def hunt", "async def hunted"))

    assert commedia(["run", "--list"]) == 0
    assert "chatter:chat" in capsys.readouterr().out
    assert commedia(["run", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["workflows"]
    assert {"chatter:chat", "root_cause"} <= {each["name"] for each in listed}
    line = ["run", "--runtime", "inline", "--model", "flow.py:model", "chatter:hunted"]
    assert commedia([*line, "--incident", "x", "--sources", "logs"]) == 0


def test_inline_a_workflow_may_print(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commedia(["run", "--runtime", "inline", "--model", "sim:ideal", "flow.py:chat"])

    assert "printed by the workflow" in capsys.readouterr().out


def test_a_question_pauses_with_75_and_an_answer_goes_on(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["run", "-q", "--runtime", "inline", "--model", "flow.py:model", "flow.py:chat"]

    assert commedia(line) == 75
    assert "commedia answer" in capsys.readouterr().err
    assert commedia(["answer", "last", "green"]) == 2
    assert "one of: red, blue" in capsys.readouterr().err
    assert commedia(["answer", "last", "blue", "--resume", "--runtime", "inline"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "blue"
    assert commedia(["answer", "last", "red"]) == 2


def test_a_goal_runs_again_until_it_is_met(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (flow.parent / "judge.py").write_text(
        "asked = []\n"
        "def model(row):\n"
        "    if 'The condition: done' not in row['prompt']:\n"
        "        return 'a draft'\n"
        "    asked.append(1)\n"
        "    verdict = 'met' if len(asked) == 2 else 'not yet'\n"
        "    return {'verdict': verdict, 'guidance': 'again', 'progress': True}\n"
    )
    (flow.parent / "draft.py").write_text(
        "from commedia import Run, workflow\n"
        "@workflow\n"
        "async def draft(run: Run) -> str:\n"
        "    return await run.work('write')\n"
    )
    line = ["run", "--runtime", "inline", "--model", "judge.py:model", "--goal", "done", "draft.py"]

    assert commedia(line) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ended"], found["passes"], found["value"]) == ("met", 2, "a draft")


def test_every_so_often_ends_after_so_many_times(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (flow.parent / "tick.py").write_text(
        "from commedia import Run, workflow\n"
        "@workflow\n"
        "async def tick(run: Run) -> float:\n"
        "    return run.now()\n"
    )
    line = ["run", "--runtime", "inline", "--model", "sim:ideal", "--every", "2h", "--times", "3"]

    assert commedia([*line, "tick.py"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["value"] == 14_400.0
    passes = [line for line in shown.err.splitlines() if line.startswith("pass")]
    assert passes == ["pass 1: 0.0", "pass 2: 7200.0", "pass 3: 14400.0"]


def test_a_completed_run_is_resumed_for_nothing(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commedia(hunting("--sources", "logs")) == 0
    capsys.readouterr()

    assert commedia(["resume", "last", "--runtime", "inline", "--mode", "replay"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == ["logs."]
    assert "reused: 1 answer" in shown.err


def test_nothing_is_kept_where_nothing_can_be(
    flow: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMMEDIA_HOME", os.devnull)

    assert commedia(hunting("--sources", "logs")) == 2
    assert "COMMEDIA_HOME" in capsys.readouterr().err
