"""Runs can be listed, shown and explained, in words and as JSON."""

import json
from pathlib import Path

import pytest

from commedia.cli.main import run
from commedia.session import Session

ROWS = [{"key": f"item-{i}\x1b", "t": f"text {i}", "s": i} for i in range(12)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one run in it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, Session(runtime="inline") as session:
        patch.setenv("COMMEDIA_HOME", str(home))
        session.rank(ROWS, "how\x1b[2J big it is", text="t", id="key", truth="s", ask="pair")
    return home


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMEDIA_HOME", str(home))


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that succeeds and return what it shows."""
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    assert err == "" and "\x1b" not in out
    return out


def test_runs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = json.loads(shown(capsys, "runs", "--json"))["runs"]
    text = shown(capsys, "runs")

    assert listed["run_id"] in text
    assert "completed" in text and "(simulated)" in text and "how␛[2J big it is" in text


def test_no_heading_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "runs").split()[:7] == [
        *("run", "when", "status", "items", "calls", "cost", "what")
    ]


def test_a_run_is_shown_by_last_and_by_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    last = shown(capsys, "show", "last")
    run_id = json.loads(shown(capsys, "show", "last", "--json"))["run_id"]

    assert shown(capsys, "show", run_id[:-2]) == last
    assert "12 rows ranked" in last and "item-11␛" in last
    assert last.splitlines()[-1].startswith("simulated")


def test_an_item_is_explained_by_its_matches(capsys: pytest.CaptureFixture[str]) -> None:
    account = json.loads(shown(capsys, "show", "last", "--item", "item-3\x1b", "--json"))
    text = shown(capsys, "show", "last", "--item", "item-3\x1b")

    assert account["comparisons"] == len(account["matches"]) > 0
    assert all("item-3\x1b" in match["ids"] for match in account["matches"])
    assert f"item-3␛: rank {account['rank']} of 12" in text
    assert sum(line.startswith("round") for line in text.splitlines()) == account["comparisons"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "nothing"], "there is no run 'nothing'"),
        (["show", "last", "--item", "nobody"], "ranked no item 'nobody'"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2

    out, err = capsys.readouterr()
    assert out == "" and sentence in err and err.count("\n") == 1


def test_a_run_that_never_ended_can_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "20260101-000000-abc"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"run_id": "20260101-000000-abc", "by": "size"}')

    assert "unfinished" in shown(capsys, "runs")
    assert "unfinished: 0 rows to rank" in shown(capsys, "show", "last")


def test_no_runs_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path))

    assert run(["runs"]) == 0
    assert "no runs yet" in capsys.readouterr().err
    assert run(["show", "last"]) == 2
