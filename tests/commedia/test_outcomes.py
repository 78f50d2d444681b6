"""No run ends in silence: each says how it ended, by its status, its exit code and one sentence."""

import gc
import json
import time
from pathlib import Path
from typing import Any

import pytest

from commedia.cli.main import run as commedia
from commedia.supervisor.control import give_order
from commedia.supervisor.run_lock import lock_run
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


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, capsys)


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
    never = "note: 1 agent never ran, as the verb was called and never awaited: 'the forgotten one'"
    assert never in place.err


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


QUOTA = """
def raises(row):
    heard(row)
    raise ModelFaultError("quota")

def returns(row):
    heard(row)
    return Attempt("quota")

@workflow
async def flow(run: Run):
    claims = [f"claim {n}" for n in range(334)]
    verdicts = await run.parallel([partial(run.verify, claim, "true") for claim in claims])
    return sum(verdict.refuted for verdict in verdicts)

@workflow
async def five(run: Run):
    return await run.parallel([partial(run.work, f"part {n}") for n in range(5)])
"""


@pytest.mark.parametrize("model", ["raises", "returns"])
def test_agents_without_credit_pause_the_run_after_five(place: Place, model: str) -> None:
    """No claim is refuted by a verifier that never ran; once there is credit, all are asked."""
    place.write(QUOTA)

    assert place.run("-q", model=model) == 75
    assert place.out == ""
    assert len(place.asked) < 20
    assert "the account has no credit left" in place.err
    run_id = place.data["run_id"]
    assert f"go on with: commedia resume {run_id}" in place.err
    assert place.data["status"] == "paused"

    place.log.unlink()
    model = f"{place.file}:echo"
    assert place.command("resume", "last", "--model", model, "--runtime", "inline", "-q") == 0
    assert place.out == "0\n"
    assert len(place.asked) == 334


def test_five_of_five_that_fail_are_no_result(place: Place) -> None:
    """The workflow could end with nothing; it is paused instead."""
    place.write(QUOTA)

    assert place.run("-q", model="raises", flow="five") == 75
    assert place.data["value"] is None


def test_a_verifier_that_died_abstains(place: Place) -> None:
    place.write("""
def dies(row):
    return Attempt("refused") if "claim 1" in row["prompt"] else echo(row)

@workflow
async def flow(run: Run):
    verdicts = [await run.verify(f"claim {n}", "true") for n in range(3)]
    return [verdict.verdict.value for verdict in verdicts]
""")

    assert place.run("-q", model="dies") == 3
    assert json.loads(place.out) == ["upheld", "abstained", "upheld"]


SCHEMA = """
from pydantic import BaseModel
import pyarrow as pa
from commedia.patterns.tournament import rank

class Size(BaseModel):
    size: int

def broken(row):
    heard(row)
    if row["role"] == "judge" and row["call_id"] % 3:
        return echo_judge(row)
    return '{"length": 3}'

def echo_judge(row):
    return json.dumps({"verdict": "first"})

@workflow
async def flow(run: Run):
    return await run.parallel([partial(run.work, f"part {n}", output=Size) for n in range(100)])

@workflow
async def table(run: Run):
    rows = pa.table({"prompt": [f"row {n}" for n in range(12)]})
    return (await run.map(run.work, rows, output=Size)).column("status").to_pylist()

@workflow
async def ranked(run: Run):
    from commedia.actors.questions import Question
    found = await rank(run, [f"text {n}" for n in range(8)], "size", question=Question("pair"))
    return len(found.order)
"""


def test_agents_whose_answers_do_not_fit_pause_the_run_after_five(place: Place) -> None:
    """Each is asked again with what was wrong with its answer; then it is enough."""
    place.write(SCHEMA)

    assert place.run("-q", model="broken") == 75
    assert "too many calls in a row failed for one cause" in place.err
    assert "the answers do not fit their schema" in place.err


def test_in_a_table_of_alike_answers_that_do_not_fit_are_missing_data(place: Place) -> None:
    place.write(SCHEMA)

    assert place.run("-q", model="broken", flow="table") == 3
    assert json.loads(place.out) == ["invalid"] * 12


def test_in_a_ranking_answers_that_do_not_fit_are_missing_data(place: Place) -> None:
    place.write(SCHEMA)

    assert place.run("-q", model="broken", flow="ranked") == 3
    assert place.out == "8\n"
    assert set(place.data["missing"]) == {"invalid"}


BUDGET = """
@workflow
async def flow(run: Run):
    return [await run.work(f"part {n}") for n in range(6)]
"""


def test_a_spent_budget_says_how_to_go_on(place: Place) -> None:
    place.write(BUDGET)

    assert place.run("-q", "--budget", "4agents") == 75
    assert "the budget (4agents) is spent; what was answered is kept" in place.err
    assert len(place.asked) == 4

    assert place.command("resume", "last", "--budget", "6agents", "--runtime", "inline") == 0
    assert "reused: 4 answers and 0 steps of an earlier life of the run; asked now: 2" in place.err
    assert sorted(place.asked) == [f"part {n}" for n in range(6)]


def test_a_question_that_nobody_is_here_to_answer_pauses_the_run(place: Place) -> None:
    place.write("""
@workflow
async def flow(run: Run):
    return await run.ask("Where to?")
""")

    assert place.run("-q") == 75
    assert "paused: Where to?" in place.err
    run_id = place.data["run_id"]
    assert f'answer with: commedia answer {run_id} "..." --resume' in place.err

    assert place.command("answer", "last", "home", "--resume", "--runtime", "inline", "-q") == 0
    assert place.out == "home\n"


STOPPED = """
def stopping(row):
    from commedia.cli.main import run as commedia
    heard(row)
    if row["prompt"] == "part 2":
        assert commedia(["stop", "last", *EXTRA]) == 0
        import time
        time.sleep(0.5)
    return row["prompt"]

EXTRA = []

@workflow
async def flow(run: Run):
    said = []
    for n in range(100):
        said.append(await run.work(f"part {n}"))
        await run.sleep(0.05)
    return len(said)
"""


def test_a_run_is_stopped_from_elsewhere_and_goes_on(place: Place) -> None:
    """What was in flight is kept."""
    place.write(STOPPED)

    assert place.run("-q", "--in-flight", "1", model="stopping") == 130
    assert place.data["status"] == "interrupted"
    assert 3 <= len(place.asked) < 20
    asked = len(place.asked)

    edited = place.file.read_text().replace("range(100)", f"range({asked + 2})")
    place.file.write_text(edited)
    model = f"{place.file}:echo"
    assert place.command("resume", "last", "--model", model, "--runtime", "inline", "-q") == 0
    assert place.out == f"{asked + 2}\n"
    assert sorted(place.asked) == sorted(f"part {n}" for n in range(asked + 2))


def test_an_agent_is_skipped_from_elsewhere_and_counted(place: Place) -> None:
    place.write("""
import asyncio

async def stuck(row):
    from commedia.cli.main import run as commedia
    if row["prompt"] == "stuck":
        assert commedia(["stop", "last", "--agent", "the slow one"]) == 0
        await asyncio.sleep(60)
    return row["prompt"]

@workflow
async def flow(run: Run):
    return await run.parallel([
        partial(run.work, "stuck", label="the slow one"), partial(run.work, "quick")])
""")

    assert place.run("-q", model="stuck") == 3
    assert json.loads(place.out) == [None, "quick"]
    assert "missing: 1 agent skipped" in place.err


def test_what_does_not_run_cannot_be_stopped(place: Place) -> None:
    place.write(BUDGET)
    place.run("-q")

    assert place.command("stop", "last") == 2
    assert "is not running; its status is completed" in place.err


def test_a_run_that_runs_is_not_resumed_beside_it(place: Place) -> None:
    """Who has it, and since when, is told."""
    place.write(BUDGET)
    place.run("-q")
    with lock_run(find_run("last").path):
        assert place.command("resume", "last", "--runtime", "inline") == 2

    assert "is in use by process" in place.err
    assert "since 2" in place.err
    give_order(find_run("last").path, {"stop": True})
    assert place.command("resume", "last", "--runtime", "inline", "-q") == 0
