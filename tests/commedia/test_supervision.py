"""A sort survives what its actors go through: the same laws on both runtimes, from the outside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commedia.actors.errors import IntensityExceededError
from commedia.actors.faults import Faults
from commedia.models import model_of
from commedia.results import RankResult
from commedia.session import Session
from commedia.supervisor.children import Intensity
from commedia.supervisor.progress import RunProgress
from commedia.supervisor.store import find_run

Kind = Literal["inline", "ray"]


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Each runtime in turn; on Ray, sessions join the one that all tests share."""
    if request.param == "ray":
        request.getfixturevalue("shared_ray")
    yield request.param


def bugs(rows: int = 60) -> pa.Table:
    return pa.table(
        {
            "id": [f"bug-{row}" for row in range(rows)],
            "report": [f"the {row}th thing is broken" for row in range(rows)],
            "harm": [float((row * 37) % rows) for row in range(rows)],
        }
    )


def ranked(kind: Kind, *, ask: str = "list:5", **options: Any) -> RankResult:
    with Session(runtime=kind, **options) as session:
        return session.rank(bugs(), "harm", text="report", id="id", truth="harm", ask=ask)


REFERENCE: dict[str, str] = {}


def digest(ask: str) -> str:
    """Return the digest of a plain run, in this process, on one host."""
    if ask not in REFERENCE:
        REFERENCE[ask] = ranked("inline", ask=ask, hosts=1).digest
    return REFERENCE[ask]


@pytest.mark.parametrize("ask", ["graded", "pair"])
def test_the_runtime_changes_nothing(kind: Kind, ask: str) -> None:
    assert ranked(kind, ask=ask, hosts=1).digest == digest(ask)


@pytest.mark.parametrize(("hosts", "batch_rows"), [(1, 7), (2, 10_000)])
def test_hosts_and_batches_change_nothing(hosts: int, batch_rows: int) -> None:
    result = ranked("inline", hosts=hosts, batch_rows=batch_rows)

    assert result.digest == digest("list:5")
    assert result.status == "completed"


def test_many_hosts_and_small_batches_change_nothing_on_any_runtime(kind: Kind) -> None:
    result = ranked(kind, hosts=4, batch_rows=3)

    assert result.digest == digest("list:5")
    assert result.status == "completed"


def test_a_host_that_dies_in_mid_batch_changes_nothing(kind: Kind) -> None:
    """Nor does it cost a call: each request is answered once."""
    whole = ranked("inline")
    result = ranked(kind, batch_rows=4, faults=Faults(batch=3))

    assert result.digest == whole.digest
    assert (result.calls, result.tokens) == (whole.calls, whole.tokens)
    assert result.status == "completed"
    assert "1 times a process died" in " ".join(result.notes)


def test_an_item_that_kills_its_host_is_a_dead_letter_after_three(kind: Kind) -> None:
    result = ranked(kind, faults=Faults(items=(7,)))

    assert result.dead_letters == ["bug-7"]
    assert result.n == 59
    assert "bug-7" not in result.table.column("id").to_pylist()
    assert result.status == "degraded"
    assert "3 times a process died" in " ".join(result.notes)
    assert sum(result.missing.values()) > 0


def test_more_restarts_than_the_intensity_fail_the_run_in_one_sentence(kind: Kind) -> None:
    with pytest.raises(IntensityExceededError) as caught:
        ranked(kind, hosts=1, faults=Faults(always=True), intensity=Intensity(2, 60.0))

    assert "\n" not in str(caught.value)
    assert find_run("last").data["status"] == "failed"


def test_a_new_supervisor_brings_the_run_to_the_same_end(kind: Kind) -> None:
    """The driver starts it again, and simulated answers are the same answers."""
    session = Session(runtime=kind)
    killed: list[int] = []

    def watch(progress: RunProgress) -> None:
        if progress.rounds == 2 and not killed:
            killed.append(progress.rounds)
            assert session._runtime is not None
            assert session._driver is not None
            assert session._driver._supervisor is not None
            session._runtime.kill(session._driver._supervisor)

    session._watch = watch
    with session:
        result = session.rank(bugs(), "harm", text="report", id="id", truth="harm", ask="list:5")

    assert killed == [2]
    assert result.digest == digest("list:5")


def test_the_run_folder_tells_the_whole_run(kind: Kind) -> None:
    """Matches with what was shown and answered, events in order, and the ranking as returned."""
    result = ranked(kind, hosts=1)
    record = find_run("last")
    matches = record.matches()
    ranking = record.ranking()
    events = pq.read_table(record.path / "events.parquet")

    assert matches.num_rows == result.calls
    assert set(matches.column("status").to_pylist()) == {"ok"}
    shown, order = matches.column("ids").to_pylist(), matches.column("order").to_pylist()
    assert all(set(o) == set(s) for o, s in zip(order, shown, strict=True))
    assert ranking.column("id").to_pylist() == result.table.column("id").to_pylist()
    assert events.column("seq").to_pylist() == list(range(events.num_rows))
    assert record.data["digest"] == result.digest
    assert ranking.schema.metadata[b"commedia.simulated"] == b"yes"
    assert Path(record.path).stat().st_mode & 0o077 == 0


def test_a_budget_of_agents_is_spent_to_the_last_and_never_passed(kind: Kind) -> None:
    result = ranked(kind, hosts=1, budget="30agents")

    assert result.calls == 30
    assert result.stopped == "budget"
    assert result.status == "degraded"
    assert result.n == 60


def test_a_budget_of_tokens_is_never_passed(kind: Kind) -> None:
    result = ranked(kind, hosts=1, budget="10k")

    assert 0 < result.tokens <= 10_000
    assert (result.stopped, result.status) == ("budget", "degraded")


@pytest.mark.ray
def test_sessions_are_used_again(shared_ray: Callable[[], Any]) -> None:
    with Session(runtime="ray", hosts=1) as session:
        first = session.rank(bugs(20), "harm", text="report", id="id", truth="harm")
        second = session.rank(bugs(20), "harm", text="report", id="id", truth="harm")

    assert first.digest == second.digest
    assert first.run_id != second.run_id


@pytest.mark.parametrize("column", ["same", "number"])
def test_rows_that_are_all_alike_get_equal_scores_and_a_note(column: str) -> None:
    """Neither one text for all nor one truth for all is an error, and nothing is asked."""
    table = [{"same": "one text", "text": f"text {n}", "number": n, "flat": 7} for n in range(5)]
    text, truth = ("same", "number") if column == "same" else ("text", "flat")
    with Session(runtime="inline") as session:
        result = session.rank(table, "size", text=text, truth=truth)

    assert len(set(result.table.column("score").to_pylist())) == 1
    assert (result.status, result.stopped, result.calls) == ("completed", "data", 0)
    assert "all scores are equal" in " ".join(result.notes)


FATAL = """
import os, signal
from pathlib import Path
from commedia import Preference

ASKED, DEAD = Path({folder!r}) / "asked", Path({folder!r}) / "dead"

def judge(row):
    with ASKED.open("a") as asked:
        asked.write("\\n")
    if {dies} and not DEAD.exists() and len(ASKED.read_text()) == 40:
        DEAD.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Preference(grade=1 if "7" in row["prompt"] else -1)
"""


@pytest.mark.ray
def test_a_gateway_that_is_killed_changes_nothing_and_counts_what_was_in_flight(
    shared_ray: None, tmp_path: Path
) -> None:
    results = []
    for dies in (False, True):
        folder = tmp_path / str(dies)
        folder.mkdir()
        script = folder / "script.py"
        script.write_text(FATAL.format(folder=str(folder), dies=dies))
        with Session(runtime="ray", model=model_of(f"{script}:judge"), in_flight=8) as session:
            results.append(session.rank(bugs(30), "harm", text="report", id="id", ask="pair"))
    whole, killed = results
    asked = [len((tmp_path / str(dies) / "asked").read_text()) for dies in (False, True)]

    assert (killed.digest, killed.missing, killed.status) == (whole.digest, {}, whole.status)
    assert 0 < asked[1] - asked[0] <= 8
    assert killed.calls - whole.calls == asked[1] - asked[0]
    assert any("may have been charged in vain" in note for note in killed.notes)
