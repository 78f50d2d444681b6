"""No run ends in silence: each says how it ended, by its status, its exit code and one sentence."""

import gc
import json
import time

import pytest
from places import Place

from commedia.cli.main import run as commedia


def test_a_completed_run_prints_its_value_and_exits_with_0(place: Place) -> None:
    place.write("""
@workflow
async def flow(run: Run):
    return await run.work("hello")
""")

    assert place.run("-q") == 0
    assert (place.out, place.err) == ("HELLO\n", "")
    assert place.data["status"] == "completed"


def test_a_run_that_lacks_something_is_degraded_and_says_what(place: Place) -> None:
    place.write("""
def half(row):
    return Attempt("refused") if "odd" in row["prompt"] else "even"

@workflow
async def flow(run: Run):
    words = [("odd" if n % 2 else "even") + f" {n}" for n in range(6)]
    return await run.parallel([partial(run.work, word) for word in words])
""")

    assert place.run(model="half") == 3
    assert json.loads(place.out) == ["even", None] * 3
    assert "missing: 3 agents refused, 3 branches failed" in place.err
    assert place.data["missing"] == {"refused": 3}


RAISES = """
@workflow
async def flow(run: Run):
    await run.work("hello")
    return deeper({})

def deeper(table):
    return table["no such key"]
"""


def test_a_workflow_that_raises_fails_in_one_sentence(place: Place) -> None:
    """Where it raised is kept: of the user's own code alone."""
    place.write(RAISES)

    assert place.run() == 1
    assert place.out == ""
    line = place.file.read_text().splitlines().index('    return table["no such key"]') + 1
    assert f"failed: KeyError: 'no such key' (flow.py:{line})" in place.err
    assert f"COMMEDIA_TRACEBACK=1 commedia show {place.data['run_id']}" in place.err
    trace = place.data["trace"]
    assert [word for word in ("in flow", "in deeper", "KeyError") if word not in trace] == []
    assert "commedia" not in trace.replace(str(place.file), "")


def test_the_traceback_is_shown_to_who_asks_for_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMMEDIA_TRACEBACK", "1")
    place.write(RAISES)
    options = ["--model", f"{place.file}:echo", "--runtime", "inline"]

    assert commedia(["run", *options, str(place.file)]) == 1
    assert 'return table["no such key"]' in capsys.readouterr().err
    assert commedia(["show", "last"]) == 0
    assert 'return table["no such key"]' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('a\\nb')", "ValueError: a"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("await run.work('')", "worker.prompt is empty"),
        ("raise ExceptionGroup('two', [ValueError('a')])", "ExceptionGroup: two"),
    ],
)
def test_whatever_a_workflow_raises_is_a_failed_run(place: Place, raised: str, said: str) -> None:
    place.write(f"""
@workflow
async def flow(run: Run):
    {raised}
""")

    assert place.run("-q") == 1
    assert f"failed: {said}" in place.err
    assert place.data["status"] == "failed"


LOGS = """
@workflow
async def flow(run: Run):
    run.log("begun")
    with run.phase("Greet"):
        said = await run.work("hello")
    run.log(f"got {said}")
    return said
"""


def test_what_a_workflow_logs_is_shown_while_it_runs_and_afterwards(place: Place) -> None:
    place.write(LOGS)

    assert place.run() == 0
    lines = place.err.splitlines()
    assert lines.index("begun") < lines.index("got HELLO") < len(lines) - 1
    assert place.command("show", "last") == 0
    shown = [line.partition(" s  ")[2] for line in place.out.splitlines()]
    assert [line for line in shown if line] == ["begun", "got HELLO"]


GOAL = """
def judged(row):
    if "The condition:" not in row["prompt"]:
        return "a draft"
    return {"verdict": VERDICT, "guidance": "no data", "progress": False}

@workflow
async def flow(run: Run):
    return await run.work("draft")
"""


@pytest.mark.parametrize(
    ("verdict", "passes", "ended"),
    [("impossible", "1 pass", "impossible"), ("not yet", "3 passes", "no progress")],
)
def test_a_goal_that_is_not_met_is_missing(
    place: Place, verdict: str, passes: str, ended: str
) -> None:
    """What the last pass came to is printed all the same."""
    place.write(GOAL + f"VERDICT = {verdict!r}")

    assert place.run("--goal", "it is done", model="judged") == 3
    assert json.loads(place.out)["value"] == "a draft"
    assert f"the goal is not met after {passes} ({ended}): no data" in place.err
    assert place.data["status"] == "degraded"


def test_a_pass_that_fails_is_missing(place: Place) -> None:
    place.write("""
@workflow
async def flow(run: Run):
    return 1 // (run.previous.number - 1 if run.previous else 1)
""")

    every = ["--model", "sim:ideal", "--runtime", "inline", "--every", "1h", "--times", "3"]
    assert place.command("run", "-q", *every, str(place.file)) == 3
    assert "1 of 3 passes failed" in place.err


def test_an_agent_that_nobody_awaited_is_told_of(place: Place) -> None:
    place.write("""
@workflow
async def flow(run: Run):
    forgotten = run.verify("a claim", "it is true", label="the forgotten one")
    value = await run.work("hello")
    forgotten.close()  # or Python warns of it
    return value
""")

    assert place.run() == 0
    why = "as nobody awaited the verb, or it was cancelled first: 'the forgotten one'"
    assert f"note: 1 agent never ran, {why}" in place.err


def test_what_a_model_in_a_file_raises_is_told(place: Place) -> None:
    """The first line of it."""
    place.write("""
def raises(row):
    raise LookupError("no row for Ada\\nmore")

@workflow
async def flow(run: Run):
    return await run.parallel([run.work("hello"), run.work("hello again")])
""")

    assert place.run("-q", model="raises") == 3
    assert "answers are missing because: LookupError: no row for Ada (2)" in place.err
    assert place.command("show", "last") == 0
    assert "LookupError: no row for Ada (2)" in place.out


@pytest.mark.parametrize("raises", ["sys.exit(3)", "await run.parallel([leaves])"])
def test_a_workflow_that_leaves_fails_without_noise(
    place: Place, raises: str, caplog: pytest.LogCaptureFixture
) -> None:
    place.write(f"""
import sys

async def leaves():
    sys.exit(3)

@workflow
async def flow(run: Run):
    await run.work("hello")
    {raises}
""")

    assert place.run("-q") == 1
    assert "failed: SystemExit: 3 (flow.py:" in place.err
    gc.collect()
    assert caplog.records == []


def test_a_budget_of_time_is_of_all_lives_together(place: Place) -> None:
    place.write("""
@workflow
async def flow(run: Run):
    await run.sleep(60)
""")

    assert place.run("-q", "--budget", "1s") == 75
    began = time.monotonic()
    assert place.command("resume", "last", "--runtime", "inline", "-q") == 75
    assert time.monotonic() - began < 0.9
    assert "the budget (1s) is spent" in place.err
