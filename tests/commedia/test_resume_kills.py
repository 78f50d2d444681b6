"""Whoever is killed, the run comes to the same end, and what was finished is not asked again.

A driver that is killed on Ray is in `test_exit.py`: few tests may start a Ray of their own.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from commedia.benchmarks.beheading import beheaded
from commedia.benchmarks.command import ENTRY
from commedia.benchmarks.flows.outage import AT, AT_FAULT, write_evidence
from commedia.benchmarks.killing import Chain, killed, telling_apart
from commedia.benchmarks.players import (
    NOBODY,
    Flow,
    Player,
    RuntimeKind,
    counting_model,
    served_model,
)
from commedia.cli.main import run as commedia

SURVEY = Flow("commedia.benchmarks.flows.survey:survey", {"topics": 5})
TRIAGE = Flow("commedia.benchmarks.flows.triage:triage", {"tickets": 8})


@pytest.fixture
def player(tmp_path: Path) -> Player:
    """A model that counts what it is asked."""
    return counting_model(tmp_path)


def check(chain: Chain, whole: Chain) -> None:
    """Check the laws of a run that was killed, beside one that was not."""
    assert chain.value == whole.value
    assert (chain.code, chain.said["status"]) == (0, "completed")
    assert chain.asked.keys() == whole.asked.keys()
    assert not chain.finished_again
    assert chain.unlisted(whole) == chain.sent_again == 0
    assert chain.steps_again == 0


def test_a_driver_killed_twice_changes_nothing(
    player: Player, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a tool called again whose value was on disk."""
    tools = tmp_path / "tools.log"
    monkeypatch.setenv("COMMEDIA_TOOL_LOG", str(tools))
    whole = beheaded(TRIAGE, player)
    tools.unlink()
    wall_s = whole.said["wall_s"]
    chain = killed(TRIAGE, player, [0.2 * wall_s, 0.2 * wall_s])

    check(chain, whole)
    assert chain.kills == 2
    called = tools.read_text().split()
    assert len(set(called)) == 8
    assert len(called) <= 8 + 2 * 2  # a tool that was running at a kill has no value


def test_a_server_is_asked_again_for_what_was_in_flight_alone(tmp_path: Path) -> None:
    with served_model(tmp_path) as server:
        player = telling_apart(SURVEY, server)
        whole = beheaded(SURVEY, player)
        chain = beheaded(SURVEY, player, at=[0.5 * len(whole.asked)])

    check(chain, whole)
    assert chain.kills == 1
    assert player.logged(player.digests) == whole.asked
    assert whole.said["simulated"]


def test_a_finished_call_that_is_asked_again_is_found_by_its_digest() -> None:
    """Though other calls are listed that were in flight, and some share a digest."""
    digests = {"/a": ("one",), "/b": ("two",), "/c": ("two",), "/d": ("three",)}
    player = Player("claude", "http://localhost", digests=digests)
    whole = Chain(asked=player.logged(digests))
    chain = Chain(listed=player.logged(["/d", "/d"]))
    chain.take_in(["one", "two"], set())
    chain.take_in(["one", "two", "two", "three"], player.finished({"/a", "/b"}))

    assert chain.finished_again == ["one"]
    assert chain.repeats(whole) == chain.unlisted(whole) == 2
    assert player.finished({"/a", "/b", "/c"}) == {"one", "two"}
    assert player.paths_of("two") == ["/b", "/c"]


@pytest.mark.parametrize("kind", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_killed_supervisor_changes_nothing(
    kind: RuntimeKind, player: Player, request: pytest.FixtureRequest
) -> None:
    if kind == "ray":
        request.getfixturevalue("shared_ray")
    whole = beheaded(SURVEY, player)
    calls = len(whole.asked)
    chain = beheaded(SURVEY, player, at=[0.3 * calls, 0.6 * calls], runtime=kind)

    check(chain, whole)
    assert chain.kills == 2


def test_a_hunt_without_a_model_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name, as another process would: that nobody is asked is found again, too."""
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path / "home"))
    evidence = write_evidence(tmp_path)
    hunt = Flow("root_cause", {"incident": "It is slow.", "evidence": evidence, "at": str(AT)})
    options = ["--runtime", "inline", "--json", "-q"]

    whole = _said(["run", *Player(NOBODY).words(hunt), *options, *hunt.words], capsys)
    again = _said(["resume", "last", *options], capsys)

    assert again["value"] == whole["value"]
    assert again["value"]["causes"][0]["service"] == AT_FAULT


SORT = """
import time

def judge(row):
    with open({log!r}, "a") as log:
        log.write(str(row["call_id"]) + "\\n")
    time.sleep(0.005)
    first, second = (int(text.split()[-1]) for text in shown(row["prompt"]))
    return {{"verdict": "first" if first > second else "second"}}

def shown(prompt):
    import re
    return re.findall(r"number [0-9]+", prompt)[:2]
"""


def _wait_for_lines(log: Path, count: int, driver: "subprocess.Popen[str]") -> None:
    while driver.poll() is None:
        lines = log.read_text().splitlines() if log.exists() else []
        if len(lines) >= count:
            return
        with pytest.raises(subprocess.TimeoutExpired):
            driver.wait(0.02)
    raise AssertionError("the sort ended before it was killed")


def test_a_sort_that_was_killed_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By another process, with the same digest, and no finished call is asked again."""
    log, table, model = tmp_path / "asked.log", tmp_path / "table.csv", tmp_path / "judge.py"
    model.write_text(SORT.format(log=str(log)))
    rows = [f"{n},thing number {(n * 37) % 20}" for n in range(20)]
    table.write_text("id,text\n" + "\n".join(rows) + "\n")
    options = ["--by", "size", "--text", "text", "--ask", "pair", "--model", f"{model}:judge"]
    command = ["sort", str(table), *options, "--runtime", "inline", "--json", "-q"]
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path / "whole"))
    whole = _said(command, capsys)
    asked = log.read_text().splitlines()
    log.unlink()

    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path / "killed"))
    with subprocess.Popen(
        [*ENTRY, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as driver:
        _wait_for_lines(log, len(asked) // 2, driver)
        driver.kill()
    resumed = _said(["resume", "last", "--runtime", "inline", "--json", "-q"], capsys)

    assert resumed["digest"] == whole["digest"]
    assert resumed["status"] == whole["status"]
    again = log.read_text().splitlines()
    assert set(again) == set(asked)
    assert len(again) - len(asked) <= 64  # what was in flight at the kill


def _said(command: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    commedia(command)
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said
