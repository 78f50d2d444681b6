"""`commedia eval` checks everything first, and says in its exit code and its lines how it ended."""

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from commedia.cli.main import run

ROWS = "key,q,a,b,gaps,none,best\n" + "\n".join(
    f"k{n},question {n},plain {n},good {n},{'' if n % 2 else 'x'},,{('A', 'B', 'tie')[n % 3]}"
    for n in range(12)
)
CHECK = """
import time
from commedia.actors.models.wire import Attempt

def is_good(prompt, output):
    return output.startswith("good")

def judge(row):
    first = row["prompt"].index("plain"), row["prompt"].index("good")
    return {"verdict": "more second" if first[0] < first[1] else "more first"}

def talker(row):
    return {**judge(row), "why": "it tells more"}

NUMBER = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a table, a home for runs, and no key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path / "home"))
    (tmp_path / "t.csv").write_text(ROWS + "\n")
    (tmp_path / "check.py").write_text(CHECK)
    (tmp_path / "rubric.toml").write_text('[[criteria]]\nname = "a"\n[[criteria]]\nname = "b"\n')
    (tmp_path / "bad.toml").write_text("[[criteria]]\nweight = 2")
    (tmp_path / "folder.html").mkdir()
    return tmp_path


PLAIN = ["t.csv", "--prompt", "q", "--runtime", "inline"]
SYSTEMS = ["--system", "A=a", "--system", "B=b"]
KNOWN = ["--quality", "A=0", "--quality", "B=2"]
GOOD = [*PLAIN, *SYSTEMS, "--by", "helpfulness", *KNOWN]
BAD_USAGE: dict[str, tuple[list[str], str]] = {
    "missing file": (["nowhere.csv", *GOOD[1:]], "there is no file nowhere.csv"),
    "no prompt": (["t.csv", *SYSTEMS, "--by", "x"], "Missing option '--prompt'"),
    "unknown prompt": ([*GOOD, "--prompt", "no"], "no column 'no'"),
    "no systems": ([*PLAIN, "--by", "x"], "there are no systems"),
    "one system": ([*PLAIN, "--system", "A=a", "--by", "x"], "there is one system"),
    "no pair": ([*GOOD, "--system", "C"], "'C' is no pair; write it as --system NAME=COLUMN"),
    "no value": ([*GOOD, "--run", "C="], "'C=' is no pair"),
    "named twice": ([*GOOD, "--system", "A=b"], "'A' is given twice"),
    "column and command": ([*GOOD, "--run", "A=cat"], "'A' has a column and a command"),
    "unknown column": ([*GOOD, "--system", "C=no"], "system 'C': there is no column 'no'"),
    "empty column": ([*GOOD, "--system", "C=none"], "is empty in every row"),
    "a name that is a label": ([*GOOD, "--system", "tie=a"], "no system can be named 'tie'"),
    "long name": ([*GOOD, "--system", "x" * 101 + "=a"], "at most 100 characters"),
    "no program": ([*GOOD, "--run", "C=no-such-program-here"], "which is no program here"),
    "open quote": ([*GOOD, "--run", "C=sh -c 'x"], "check its quotes"),
    "neither by nor rubric": ([*PLAIN, *SYSTEMS, *KNOWN], "give --by TEXT, or --rubric FILE"),
    "by and rubric": ([*GOOD, "--rubric", "rubric.toml"], "not both"),
    "bad rubric": ([*PLAIN, *SYSTEMS, *KNOWN, "--rubric", "bad.toml"], "has no name"),
    "no rubric": ([*PLAIN, *SYSTEMS, *KNOWN, "--rubric", "x.toml"], "cannot be read"),
    "blank by": ([*GOOD, "--by", " "], "it is blank"),
    "unknown labels": ([*GOOD, "--labels", "no"], "no column 'no' to use as labels"),
    "alien label": ([*GOOD, "--labels", "key"], "label 'k0' in row 0 (counted from 0)"),
    "no judge": ([*PLAIN, *SYSTEMS, "--by", "x"], "no model to ask: give --quality"),
    "simulated, unknown": (
        [*PLAIN, *SYSTEMS, "--by", "x", "--model", "sim:judge"],
        "sim:judge judges by what is known: give --quality",
    ),
    "no key": (
        [*PLAIN, *SYSTEMS, "--by", "x", "--model", "claude-haiku-5-5"],
        "needs a key: set ANTHROPIC_API_KEY, or give --quality",
    ),
    "mixed panel": ([*GOOD, "--model", "sim:judge", "--model", "check.py:judge"], "panel"),
    "quality of none": ([*GOOD, "--quality", "C=1"], "quality of 'C': there is no such system"),
    "quality lacks": ([*PLAIN, *SYSTEMS, "--by", "x", "--quality", "A=1"], "'B' has no quality"),
    "quality in words": ([*GOOD[:-1], "B=high"], "'high' of system 'B' is no number"),
    "quality nan": ([*GOOD[:-1], "B=nan"], "is no number"),
    "author of none": ([*GOOD, "--author", "C=x"], "author of 'C'"),
    "ask": ([*GOOD, "--ask", "list:1"], "question 'list:1' is none of"),
    "ask score": ([*GOOD, "--ask", "score"], "give --check"),
    "target": ([*GOOD, "--target", "1"], "1 is not between 0 and 1"),
    "budget": ([*GOOD, "--budget", "5m"], "budget '5m'"),
    "timeout": ([*GOOD, "--timeout", "soon"], "'soon' is no time"),
    "jobs": ([*GOOD, "--jobs", "0"], "0 is not in the range"),
    "check of what": ([*GOOD, "--check", "t.csv"], "'t.csv' is no FILE.py:FUNCTION"),
    "check file": ([*GOOD, "--check", "nowhere.py:f"], "there is no file"),
    "check function": ([*GOOD, "--check", "check.py:no"], "has no no"),
    "check number": ([*GOOD, "--check", "check.py:NUMBER"], "is no function"),
    "no page": ([*GOOD, "-o", "page.csv"], "page.csv is no page; write to a .html file"),
    "no folder": ([*GOOD, "-o", "no/page.html"], "there is no folder no"),
    "page is a folder": ([*GOOD, "-o", "folder.html"], "folder.html is a folder"),
}


@pytest.mark.parametrize("case", BAD_USAGE)
def test_bad_usage_is_one_sentence_before_anything_runs(
    folder: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, sentence = BAD_USAGE[case]

    code = run(["eval", *arguments])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.startswith("commedia: ") and err.count("\n") == 1 and len(err) < 600
    assert not (folder / "home").exists()


def test_in_a_pipe_the_leaderboard_is_csv_and_the_account_stands_apart(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["eval", *GOOD])

    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    lines = err.splitlines()
    assert code == 0
    assert [row["system"] for row in rows] == ["B", "A"]
    assert list(rows[0])[:5] == ["rank", "system", "score", "low", "high"]
    assert lines[0].startswith("simulated") and lines[-1].startswith("simulated")
    assert any(line.startswith("completed: 2 systems on 12 items") for line in lines)


def test_json_is_one_object_and_the_page_is_written_where_it_is_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["eval", *GOOD, "--labels", "best", "--json", "-q", "-o", "page.html"])

    out, err = capsys.readouterr()
    account = json.loads(out)
    assert (code, out.count("\n")) == (0, 1)
    assert (account["status"], account["page"]) == ("completed", "page.html")
    assert account["agreement"]["pairs"] > 0
    assert {"system", "score", "low", "high"} <= account["leaderboard"][0].keys()
    assert (folder / "page.html").read_text().startswith("<!doctype html>")
    assert err.startswith("simulated") and err.count("\n") == 1


def test_missing_outputs_make_it_degraded(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["eval", *GOOD, "--system", "C=gaps", "--quality", "C=1"])

    err = capsys.readouterr().err
    assert code == 3
    assert "missing outputs: 6 of 36" in err
    assert "C: blank (6)" in err


def test_commands_are_run_as_they_stand_and_said_to_have_no_sandbox(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*PLAIN, "--system", "A=a", "--by", "help", "--quality", "A=0", "--quality", "C=3"]
    code = run(["eval", *options, "--run", "C=sh -c 'cat; echo !'", "--timeout", "20s"])

    err = capsys.readouterr().err
    assert code == 0
    assert "commands run with your rights and without a sandbox" in err
    assert "outputs: 12 of 12 commands done" in err


def test_a_function_of_a_file_checks_and_one_judges(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = run(["eval", *PLAIN, *SYSTEMS, "--check", "check.py:is_good", "--json", "-q"])
    by_check = json.loads(capsys.readouterr().out)
    options = [*PLAIN, *SYSTEMS, "--by", "x", "--model", "check.py:judge"]
    judged = run(["eval", *options, "--json", "-q"])
    by_judge = json.loads(capsys.readouterr().out)

    assert (checked, judged) == (0, 0)
    assert [row["score"] for row in by_check["leaderboard"]] == [1.0, 0.0]
    assert by_check["check"].endswith("check.py:is_good") and not by_check["simulated"]
    assert [row["system"] for row in by_judge["leaderboard"]] == ["B", "A"]


def test_check_alone_has_judges_score(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["eval", *GOOD, "--json", "-q", "--check"])

    account = json.loads(capsys.readouterr().out)
    assert (code, account["check"], account["calls"]) == (0, "judges", 24)


def test_resume_goes_on_and_show_shows_it_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*PLAIN, *SYSTEMS, "--by", "x", "--model", "check.py:judge", "--target", "0.9999"]
    first = run(["eval", *options, "--budget", "5agents", "-q"])
    capsys.readouterr()
    second = run(["resume", "last", "--runtime", "inline", "--budget", "50agents", "--json", "-q"])
    account = json.loads(capsys.readouterr().out)
    shown = run(["show", "last"])

    assert (first, second, shown) == (3, 0, 0)
    assert account["calls"] == 12
    assert any("5 answers of an earlier life" in note for note in account["notes"])
    out = capsys.readouterr().out
    assert "completed: 2 systems" in out and "\n1,B," in "\n" + out


@pytest.mark.parametrize("ask", ["graded", "list:2"])
def test_an_item_of_an_evaluation_is_shown_with_its_outputs_and_verdicts(
    folder: Path, capsys: pytest.CaptureFixture[str], ask: str
) -> None:
    run(["eval", *GOOD, "--id", "key", "--labels", "best", "--ask", ask, "-q"])
    capsys.readouterr()

    assert run(["show", "last", "--item", "k3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[-1] == "simulated judges, no language model"
    assert lines[1:3] == ["k3: question 3", "label: A"]
    assert "    good 3" in lines and "    plain 3" in lines
    assert any(line.startswith(f"round 1, {ask} by helpfulness, sim:judge: ") for line in lines)
    assert run(["show", "last", "--item", "k3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["system"] for each in told["systems"]} == {"A", "B"}
    assert {*told["matches"][0]["shown"]} == {"A", "B"}


def test_an_item_is_shown_with_the_judges_reasons(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*PLAIN, *SYSTEMS, "--by", "x", "--model", "check.py:talker"]
    run(["eval", *options, "--reasons", "-q"])
    capsys.readouterr()

    assert run(["show", "last", "--item", "3"]) == 0
    assert "    because: it tells more" in capsys.readouterr().out.splitlines()


def test_an_item_that_was_scored_alone_is_shown_with_its_scores(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*PLAIN, *SYSTEMS, "--system", "C=gaps", "--check", "check.py:is_good"]
    assert run(["eval", *options, "-q"]) == 3
    capsys.readouterr()

    assert run(["show", "last", "--item", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"B: 1", "A: 0", "C: no output (blank)"} <= {*lines}


def test_an_item_that_an_evaluation_does_not_have_is_refused_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["eval", *GOOD, "-q"])
    capsys.readouterr()

    assert run(["show", "last", "--item", "nowhere"]) == 2
    assert "has no item 'nowhere'" in capsys.readouterr().err


def test_the_list_of_runs_says_what_was_evaluated(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["eval", *GOOD, "-q"])
    capsys.readouterr()

    assert run(["runs"]) == 0
    assert "helpfulness" in capsys.readouterr().out


def runs(pid: int) -> bool:
    """Whether the process *pid* runs; one that is dead and not yet buried does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_command_does_not_outlive_its_evaluation(folder: Path, number: signal.Signals) -> None:
    """Stopped while commands run, it can be resumed, and leaves no process behind."""
    work = (
        'read q; echo $$ >> ../../../../../pids; [ "$q" = "question 0" ] && exec echo x; sleep 300'
    )
    options = [*PLAIN, "--system", "A=a", "--by", "x", "--quality", "A=0", "--quality", "C=1"]
    main = [sys.executable, "-c", "from commedia.cli.main import main; main()"]
    with subprocess.Popen(
        [*main, "eval", *options, "--run", f"C=sh -c '{work}'", "--jobs", "2"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        next(line for line in process.stderr if line.startswith("outputs: 1 of 12"))
        pids = folder / "pids"
        while pids.read_text().count("\n") < 3:
            assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=60)

    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in err
    assert not any(runs(int(pid)) for pid in pids.read_text().split())
    data = json.loads(next((folder / "home" / "runs").glob("*/run.json")).read_text())
    assert data["status"] == "interrupted"
