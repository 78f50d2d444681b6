"""Recorded judges: what was answered answers again, in the order shown, and nothing else does."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commedia import Session
from commedia.actors.answers import Preference, parse_answer
from commedia.actors.errors import UsageError
from commedia.actors.messages import ModelSpec
from commedia.actors.models.clients import is_keyless, open_client
from commedia.actors.models.recorded import RecordedClient, Source
from commedia.actors.models.wire import Request
from commedia.actors.questions import Question
from commedia.supervisor.run import Run
from commedia.supervisor.store import find_run

ROW = {
    "judge": "anna",
    "item_id": "q/1",
    "cand_x": "x",
    "cand_y": "y",
    "shown_first": "x",
    "rep": 0,
}
XY, YX = ["q/1/x", "q/1/y"], ["q/1/y", "q/1/x"]


SIZED = pa.table({"id": list("1234"), "text": list("abcd"), "size": [1, 2, 3, 4]})
"""Four items to sort by size."""


def simulated() -> str:
    """Return the folder of a run that a simulated judge answered."""
    with Session(model="sim:judge", runtime="inline") as session:
        run = session.rank(SIZED, "size", text="text", id="id", ask="pair", truth="size").run_id
    return str(find_run(run).path)


def record(folder: Path, *rows: dict[str, Any]) -> str:
    """Write *rows* of verdicts, each but for what it says like ROW, and return the judge's name."""
    whole = [{**ROW, **row} for row in rows]
    columns = {name: [row[name] for row in whole] for name in (*ROW, "winner")}
    pq.write_table(pa.table(columns), folder / "verdicts.parquet")
    return f"recorded:{folder / 'verdicts.parquet'}"


def ask(name: str, ids: list[str], task: str = "pair", **spec: Any) -> Preference | str:
    """Return what the recorded judge *name* answers, or the reason why it does not."""
    question = Question.parse(task)
    row = {"spec": json.dumps({"items": ids, "by": "worth", "repeat": 0, **spec})}
    request = Request(1, question, (("user", "which?"),), row)
    attempt = asyncio.run(RecordedClient(name).attempt(request, max_tokens=9, timeout_s=1.0))
    return parse_answer(question, attempt.text) if attempt.outcome == "ok" else str(attempt.reason)


@pytest.mark.parametrize(("winner", "grade"), [("x", 1), ("y", -1), ("tie", 0)])
@pytest.mark.parametrize("task", ["pair", "graded"])
def test_a_recorded_verdict_answers_from_the_side_of_the_first(
    tmp_path: Path, winner: str, grade: int, task: str
) -> None:
    name = record(tmp_path, {"winner": winner})

    assert ask(name, XY, task) == Preference(grade)


def test_each_order_has_its_own_verdict(tmp_path: Path) -> None:
    """A judge who always picks the first shown does so on its record."""
    name = record(tmp_path, {"winner": "x"}, {"winner": "y", "shown_first": "y"})

    assert ask(name, XY) == ask(name, YX) == Preference(1)


@pytest.mark.parametrize("first", ["x", None])
def test_an_order_not_recorded_is_answered_by_the_other(tmp_path: Path, first: str | None) -> None:
    name = record(tmp_path, {"winner": "x", "shown_first": first})

    assert ask(name, XY) == Preference(1)
    assert ask(name, YX) == Preference(-1)


@pytest.mark.parametrize(
    ("ids", "task"), [(["q/1/x", "q/1/z"], "pair"), (["q/2/x", "q/2/y"], "pair"), (XY, "list:2")]
)
def test_what_was_never_asked_is_unrecorded(tmp_path: Path, ids: list[str], task: str) -> None:
    assert ask(record(tmp_path, {"winner": "x"}), ids, task) == "unrecorded"


def test_a_verdict_that_could_not_be_read_is_unrecorded(tmp_path: Path) -> None:
    assert ask(record(tmp_path, {"winner": None}), XY) == "unrecorded"


def test_the_other_order_does_not_speak_for_one_that_was_not_read(tmp_path: Path) -> None:
    """It would agree with itself, as if the judge had not minded the order."""
    name = record(tmp_path, {"winner": "x"}, {"winner": None, "shown_first": "y"})

    assert ask(name, XY) == Preference(1)
    assert ask(name, YX) == "unrecorded"


def test_an_order_that_was_read_once_answers(tmp_path: Path) -> None:
    name = record(tmp_path, {"winner": None}, {"winner": "y", "rep": 1})

    assert ask(name, XY) == Preference(-1)


def test_repetitions_are_chosen_by_repeat(tmp_path: Path) -> None:
    name = record(tmp_path, {"winner": "x"}, {"winner": "y", "rep": 1}, {"winner": "tie", "rep": 2})

    assert [ask(name, XY, repeat=r) for r in range(4)] == [Preference(g) for g in (1, -1, 0, 1)]


def test_filters_leave_one_judge_of_several(tmp_path: Path) -> None:
    name = record(tmp_path, {"winner": "x"}, {"winner": "y", "judge": "bert & co"})

    assert ask(f"{name}?judge=anna&rep=0", XY) == Preference(1)
    assert ask(f"{name}?judge=bert+%26+co", XY) == Preference(-1)


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("?judge=carl", "no row of .* has judge 'carl'"),
        ("?mood=good", "lacks what it needs: column mood"),
        ("?judge", "'judge' is no filter"),
    ],
)
def test_a_filter_that_leaves_nothing_is_said(tmp_path: Path, tail: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Source.parse(record(tmp_path, {"winner": "x"}) + tail).rows()


def test_a_session_says_why_a_record_cannot_be_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": ["q"]}), tmp_path / "few.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    for name, words in [
        ("none.parquet", "there is no file"),
        ("few.parquet", "lacks what it needs: column cand_x, cand_y, winner"),
        ("text.parquet", "no Parquet table .* needs the columns item_id, cand_x, cand_y, winner"),
    ]:
        with (
            Session(model=f"recorded:{tmp_path / name}", runtime="inline") as session,
            pytest.raises(UsageError, match=words),
        ):
            session.rank(["one", "two"], by="worth")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"budget": "2usd"}, "cost nothing"), ({"base_url": "http://127.0.0.1:1"}, "no use for a")],
)
def test_a_recorded_judge_takes_no_money_and_no_address(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    name = record(tmp_path, {"winner": "x"})

    with (
        Session(model=name, runtime="inline", **options) as session,
        pytest.raises(UsageError, match=words),
    ):
        session.rank(["one", "two"], by="worth")


def test_a_recorded_judge_runs_no_workflow(tmp_path: Path) -> None:
    async def flow(run: Run) -> str:
        return await run.work("hello")

    with (
        Session(model=record(tmp_path, {"winner": "x"}), runtime="inline") as session,
        pytest.raises(UsageError, match="comparisons alone"),
    ):
        session.run(flow)


def test_a_recorded_judge_needs_no_key() -> None:
    spec = ModelSpec(name="recorded:verdicts.parquet")

    assert spec.is_recorded and not spec.is_simulated and is_keyless(spec)
    assert isinstance(open_client(spec, None), RecordedClient)


@pytest.mark.parametrize("task", ["pair", "graded", "list:4"])
def test_the_matches_of_a_run_answer_again(task: str) -> None:
    """Asked the same, a record of a simulated judge's run gives the same order, as real judgments
    do: nothing of it is simulated any more."""
    items = pa.table({"text": [f"text {n}" for n in range(12)], "worth": range(12)})
    with Session(model="sim:judge", runtime="inline") as session:
        first = session.rank(items, by="worth", truth="worth", ask=task, seed=3)

    with Session(model=f"recorded:{first.run_id}", runtime="inline") as session:
        again = session.rank(items, by="worth", ask=task, seed=3)
        unsaid = session.rank(items, by="worth", seed=3)
        other = session.rank(items, by="another quality", ask=task, seed=3)

    assert unsaid.digest == again.digest
    assert again.to_arrow()["id"].to_pylist() == first.to_arrow()["id"].to_pylist()
    assert again.calls == first.calls and again.simulated
    assert other.status == "degraded"


def test_of_several_judges_one_is_chosen(tmp_path: Path) -> None:
    name = record(tmp_path, {"winner": "x"}, {"winner": "y", "judge": "ben"})

    with pytest.raises(UsageError, match="holds verdicts of 2 judges \\(anna, ben\\); choose one"):
        Source.parse(name).open()
    assert ask(f"{name}?judge=ben", XY) == Preference(-1)


def test_a_record_of_a_simulated_judge_is_simulated(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b", "c", "d"], "text": list("abcd"), "size": [1, 2, 3, 4]})
    with Session(runtime="inline") as session:
        first = session.rank(table, "size", text="text", id="id", ask="pair", truth="size")
    with Session(model=f"recorded:{first.run_id}", runtime="inline") as session:
        again = session.rank(table, "size", text="text", id="id", ask="pair")
        third = session.rank(table, "size", text="text", id="id", ask="pair")

    assert first.simulated and again.simulated and third.simulated
    assert "simulated" in again.lines()[0]


def test_a_record_says_nothing_of_a_text_that_was_changed(tmp_path: Path) -> None:
    texts = list("abcd")
    table = pa.table({"id": list("1234"), "text": texts, "size": [1, 2, 3, 4]})
    with Session(runtime="inline") as session:
        first = session.rank(table, "size", text="text", id="id", ask="pair", truth="size")
    changed = table.set_column(1, "text", [["a", "b", "other", "d"]])

    with (
        Session(model=f"recorded:{first.run_id}", runtime="inline") as session,
        pytest.raises(UsageError, match=r"1 of 4 rows \(3\) had another text"),
    ):
        session.rank(changed, "size", text="text", id="id", ask="pair")


def test_the_matches_of_a_replayed_simulation_say_so() -> None:
    """A run that is killed never says in its account that it was simulated."""
    first = simulated()
    with Session(model=f"recorded:{first}", runtime="inline") as session:
        again = session.rank(SIZED, "size", text="text", id="id", ask="pair")
    folder = find_run(again.run_id).path
    (folder / "run.json").unlink()

    assert Source.parse(f"recorded:{folder}").is_simulated()


@pytest.mark.parametrize("key", ["simulated", "commedia.simulated"])
@pytest.mark.parametrize(("value", "is_said"), [("yes", True), ("true", True), ("no", False)])
def test_a_file_says_by_its_metadata_that_it_is_simulated(
    tmp_path: Path, key: str, value: str, is_said: bool
) -> None:
    name = record(tmp_path, {"winner": "x"})
    file = Path(name.removeprefix("recorded:"))
    pq.write_table(pq.read_table(file).replace_schema_metadata({key: value}), file)

    assert Source.parse(name).is_simulated() is is_said


def test_a_panel_with_a_record_of_a_simulated_judge_is_simulated(tmp_path: Path) -> None:
    """Whichever judge comes first."""
    verdict = {"cand_x": "1", "cand_y": "2", "winner": "x"}
    real = record(tmp_path, verdict)
    panel = [real, f"recorded:{simulated()}"]

    with Session(model=panel, runtime="inline") as session:
        result = session.rank(SIZED, "size", text="text", id="id", ask="pair")

    assert result.simulated


def test_a_table_of_verdicts_may_have_any_other_column(tmp_path: Path) -> None:
    """What a run's matches tell of texts is not looked for there."""
    name = record(tmp_path, {"winner": "x"})
    file = Path(name.removeprefix("recorded:"))
    pq.write_table(pq.read_table(file).append_column("text_hashes", [["no hash"]]), file)

    assert Source.parse(name).strange_texts(XY, ["one", "two"]) == []


def test_a_sort_on_other_texts_is_not_resumed_with_a_record() -> None:
    """A session's model goes before the one that the sort began with."""
    known = f"recorded:{simulated()}"
    others = SIZED.set_column(1, "text", [["a", "b", "other", "d"]])
    with Session(model=lambda row: Preference(grade=1), runtime="inline") as session:
        begun = session.rank(others, "size", text="text", id="id", ask="pair")

    with (
        Session(model=known, runtime="inline") as session,
        pytest.raises(UsageError, match=r"1 of 4 rows \(3\) had another text"),
    ):
        session.resume_rank(begun.run_id)
