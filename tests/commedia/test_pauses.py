"""What pauses or stops a run, and that it goes on where it was."""

import json

import pytest
from places import Place

from commedia.supervisor.control import give_order
from commedia.supervisor.run_lock import lock_run
from commedia.supervisor.store import find_run

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
