"""Evaluations: the better system comes first, blindly judged, and nothing is paid for twice."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluations import ITEMS, QUALITY, THREE, TWO, Judge, Row, evaluate, order, shown_in

from commedia.actors.errors import RunFailedError, UsageError
from commedia.eval_result import EvalResult
from commedia.rubrics import Criterion, Rubric
from commedia.session import Session
from commedia.supervisor.store import find_run


def test_the_better_system_comes_first_with_an_interval_around_its_score() -> None:
    result = evaluate(
        THREE, systems={"A": "a", "B": "b", "C": "c"}, quality={"A": -2, "B": 0, "C": 2}
    )

    assert (order(result), result.status) == (["C", "B", "A"], "completed")
    for row in result.leaderboard.to_pylist():
        assert row["low"] < row["score"] < row["high"]
        assert 1 <= row["rank_low"] <= row["rank"] <= row["rank_high"] <= 3
    assert result.leaderboard.column("score").to_numpy().sum() == pytest.approx(0)


@pytest.mark.parametrize("ask", ["pair", "graded", "list:3", "list:10"])
def test_the_same_seed_gives_the_same_evaluation_however_judges_are_asked(ask: str) -> None:
    systems = {"A": "a", "B": "b", "C": "c"}
    options = {"systems": systems, "quality": {"A": -1, "B": 0, "C": 1}, "ask": ask, "seed": 5}

    one, two = evaluate(THREE, **options), evaluate(THREE, **options)

    assert one.digest == two.digest
    assert order(one) == ["C", "B", "A"]
    assert one.ask == ("list:3" if ask == "list:10" else ask)


def test_judges_are_blind_to_who_made_what() -> None:
    """They see the task once, and two outputs of it: no name of a system, no id."""
    judge = Judge("plain", "good")
    items = [{**row, "name": f"secret-{n}"} for n, row in enumerate(ITEMS)]
    systems = {"gpt-x": "a", "claude-y": "b"}
    evaluate(items, judge, systems=systems, id="name", target=0.999)

    assert judge.asked
    for row in judge.asked:
        prompt = row["prompt"]
        assert not re.search("gpt-x|claude-y|secret-", prompt)
        assert len(re.findall(r"<task>\s*question \d+\s*</task>", prompt)) == 1
        numbers = {text.split()[1] for text in shown_in(prompt)}
        assert numbers == set(re.findall(r"question (\d+)", prompt))


def test_every_system_is_shown_first_about_as_often_as_second() -> None:
    judge = Judge("plain", "good")
    result = evaluate(ITEMS, judge, target=0.9999)

    seen = Counter(tuple(shown_in(row["prompt"])) for row in judge.asked)
    first = Counter(outputs[0].split()[0] for outputs in seen)
    assert len(ITEMS) <= result.calls <= 2 * len(ITEMS)
    assert set(seen.values()) == {1}  # never twice in the same order
    assert abs(first["plain"] - first["good"]) <= 2


def test_who_beat_whom_is_counted_with_ties() -> None:
    judge = Judge("plain", "good")
    items = [*ITEMS, *({"q": f"even {n}", "a": f"good {n}", "b": f"good {n}"} for n in range(4))]
    result = evaluate(items, judge, budget="16agents")  # each two outputs meet once

    found = result.to_json()
    assert found["wins"] == {"new": {"old": 12}, "old": {"new": 0}}
    assert found["ties"] == 4
    assert result.wins.to_pylist()[0] == {
        "system": "new",
        "against": "old",
        "wins": 12,
        "losses": 0,
        "ties": 4,
    }


def test_what_judges_refuse_is_missing_and_no_verdict() -> None:
    judge = Judge(
        "plain", "good", refuses=lambda prompt: bool(re.search(r"question [0-3]\s", prompt))
    )
    result = evaluate(ITEMS, judge, target=0.9999, budget="12agents")

    assert (result.status, result.missing) == ("degraded", {"refused": 4})
    assert result.leaderboard.column("wins").to_pylist() == [8, 0]


@pytest.mark.parametrize("check", [None, True])
def test_judges_without_a_usable_answer_end_it_and_that_is_said(check: bool | None) -> None:
    """It is not said that all was asked."""
    items = [{"q": f"question {n}", "a": "plain", "b": "good"} for n in range(60)]
    result = evaluate(items, Judge(refuses=lambda prompt: True), check=check)

    assert (result.status, result.stopped) == ("degraded", "silence")
    assert result.calls < 120
    assert any("stopped: the judges had no usable answer" in line for line in result.lines())


def test_a_missing_output_is_counted_and_is_no_loss() -> None:
    items = [{**row, "b": None if n < 3 else row["b"]} for n, row in enumerate(ITEMS)]
    result = evaluate(items, Judge("plain", "good"), budget="9agents")

    assert (result.status, result.missing) == ("degraded", {"output": 3})
    assert result.leaderboard.column("missing").to_pylist() == [3, 0]
    assert result.leaderboard.column("losses").to_pylist() == [0, 9]
    assert any("new: blank (3)" in note for note in result.notes)


def test_a_rubric_is_asked_criterion_by_criterion_and_weighed() -> None:
    """Where criteria disagree, the heavier one decides."""
    asked: list[Row] = []

    def judge(row: Row) -> Any:
        asked.append(row)
        is_first_short = shown_in(row["prompt"])[0].startswith("good")
        is_short = row["by"].startswith("brevity")
        return {"verdict": "more first" if is_first_short == is_short else "more second"}

    heavy, light = Criterion("depth", "it explains why", 3.0), Criterion("brevity", "", 1.0)
    result = evaluate(ITEMS, judge, rubric=Rubric((heavy, light)))

    assert order(result) == ["old", "new"]
    assert {row["by"] for row in asked} == {"depth: it explains why", "brevity"}
    best = result.leaderboard.to_pylist()[0]
    assert best["score: depth"] > 0 > best["score: brevity"]
    assert best["low"] < best["score"] < best["high"]


def test_a_check_by_judges_scores_each_output_alone() -> None:
    judge = Judge("plain", "good")
    result = evaluate(ITEMS, judge, check=True)

    assert (result.status, result.calls, order(result)) == ("completed", 24, ["new", "old"])
    assert {len(shown_in(row["prompt"])) for row in judge.asked} == {1}
    assert result.leaderboard.column("score").to_pylist() == [4.0, 1.0]
    assert result.wins.num_rows == 0
    assert set(result.per_item.column("score").to_pylist()) == {1.0, 4.0}


def is_good(prompt: str, output: str) -> bool:
    """Check by one word."""
    return output.startswith("good")


def test_a_function_checks_without_any_judge() -> None:
    result = evaluate(ITEMS, check=is_good)

    assert (result.status, result.calls, result.judges) == ("completed", 0, [])
    assert result.leaderboard.column("score").to_pylist() == [1.0, 0.0]
    best = result.leaderboard.to_pylist()[0]
    assert 0.75 < best["low"] < best["high"] == pytest.approx(1.0)


def test_a_check_is_given_the_label_where_there_are_labels() -> None:
    items = [{**row, "best": "new"} for row in ITEMS]
    seen: list[tuple[str, str, str | None]] = []

    def check(prompt: str, output: str, label: str | None) -> float:
        seen.append((prompt, output, label))
        return len(output)

    evaluate(items, check=check, labels="best")

    assert len(seen) == 24
    assert ("question 0", "plain 0", "new") in seen


def test_a_check_that_raises_leaves_its_output_out_and_one_that_always_does_fails() -> None:
    def check(prompt: str, output: str) -> float:
        return 1 / (0 if "3" in output else 2)

    result = evaluate(ITEMS, check=check)

    assert (result.status, result.missing) == ("degraded", {"check": 2})
    assert any("ZeroDivisionError" in note for note in result.notes)
    with pytest.raises(RunFailedError, match="no number for any output"):
        evaluate(ITEMS, check=lambda prompt, output: float("nan"))


def test_what_a_check_cannot_see_moves_no_score_and_is_said() -> None:
    """A system that skips the hard items does not win by that."""
    items = [
        {"q": f"q {n}", "a": "9" if n % 2 else "4", "b": "8" if n % 2 else None} for n in range(20)
    ]
    result = evaluate(items, check=lambda prompt, output: float(output))

    assert order(result) == ["old", "new"]
    assert result.leaderboard.column("score").to_pylist() == pytest.approx([6.5, 5.5])
    assert any("scores are adjusted for what is missing" in note for note in result.notes)
    assert not any("no loss" in note for note in result.notes)


def test_systems_that_no_item_connects_are_said_to_be_apart() -> None:
    items = [
        {"q": f"q {n}", "a": "9" if n % 2 else None, "b": None if n % 2 else "4"} for n in range(8)
    ]
    result = evaluate(items, check=lambda prompt, output: float(output))

    assert result.leaderboard.column("p_best").to_pylist() == pytest.approx([0.5, 0.5], abs=0.05)
    assert any("no item was scored for both old and new" in note for note in result.notes)


def panel(**favourites: str) -> list[Callable[[Row], Any]]:
    """Return judges, each of which prefers what begins with its favourite word, if any does."""

    def judge_of(name: str, favourite: str) -> Callable[[Row], Any]:
        def judge(row: Row) -> Any:
            first, second = shown_in(row["prompt"])
            if first.startswith(favourite) != second.startswith(favourite):
                is_first = first.startswith(favourite)
            else:
                is_first = (hash_of(first) > hash_of(second)) == (hash_of(name + first) % 3 > 0)
            return {"verdict": "more first" if is_first else "more second"}

        judge.__name__ = name
        return judge

    return [judge_of(name, favourite) for name, favourite in favourites.items()]


def hash_of(text: str) -> int:
    """Return a number that stands for *text* in every process."""
    import zlib

    return zlib.crc32(text.encode())


MANY = [
    {"q": f"question {n}", "a": f"plain {n}", "b": f"good {n}", "c": f"superb {n}"}
    for n in range(60)
]


def test_a_judge_that_favours_its_own_model_is_named_with_an_interval() -> None:
    judges = panel(vain="good", fair="none", just="none")
    systems = {"A": "a", "B": "b", "C": "c"}
    result = evaluate(
        MANY,
        judges,
        systems=systems,
        author={"B": "scripted:vain", "C": "scripted:fair"},
        target=0.9999,
    )

    vain, fair = sorted(result.favours, key=lambda each: each["system"])
    assert (vain["judge"], vain["system"]) == ("scripted:vain", "B")
    assert vain["low"] > 0 and vain["low"] < vain["effect"] < vain["high"]
    assert fair["low"] < 0 < fair["high"]
    assert any("scripted:vain favours B" in note for note in result.notes)


def test_a_single_judge_of_its_own_model_is_said_to_be_beyond_telling() -> None:
    result = evaluate(ITEMS, Judge("plain", "good"), author={"new": "scripted"})

    assert [each["effect"] for each in result.favours] == [None]
    assert any("cannot be told" in note for note in result.notes)


def test_a_server_or_a_notebook_may_await_it() -> None:
    async def serve() -> EvalResult:
        async with Session(runtime="inline") as session:
            return await session.aeval(ITEMS, **TWO, by="quality", quality=QUALITY)

    assert asyncio.run(serve()).digest == evaluate(ITEMS, quality=QUALITY).digest


def test_a_resumed_evaluation_asks_nothing_again() -> None:
    first = evaluate(ITEMS, Judge("plain", "good"), target=0.9999)
    judge = Judge("plain", "good")
    with Session(model=judge, runtime="inline") as session:
        second = session.resume_eval("last")

    assert judge.asked == []
    assert (second.run_id, second.digest, second.calls) == (first.run_id, first.digest, first.calls)


@pytest.mark.parametrize("rubric", [Rubric.of("x"), Rubric((Criterion("x"), Criterion("y")))])
def test_one_that_its_budget_ended_goes_on_where_it_was(rubric: Rubric) -> None:
    options: dict[str, Any] = {"target": 0.9999, "rubric": rubric}
    whole = evaluate(ITEMS, Judge("plain", "good"), **options)
    first = evaluate(ITEMS, Judge("plain", "good"), **options, budget="5agents")
    judge = Judge("plain", "good")
    with Session(model=judge, runtime="inline", budget="100agents") as session:
        second = session.resume_eval("last")

    assert (first.status, first.stopped, first.calls) == ("degraded", "budget", 5)
    assert (second.status, second.calls) == ("completed", whole.calls)
    assert len(judge.asked) == whole.calls - 5


def test_the_folder_of_a_run_holds_its_tables_and_its_page() -> None:
    result = evaluate(ITEMS, quality=QUALITY)

    folder = Path(result.output)
    board = pq.read_table(folder / "leaderboard.parquet")
    assert board.schema.metadata[b"commedia.simulated"] == b"true"
    assert board.column("system").to_pylist() == order(result)
    assert pq.read_table(folder / "per_item.parquet").num_rows == 24
    assert (folder / "page.html").read_text().startswith("<!doctype html>")
    assert isinstance(result.to_arrow(), pa.Table)


@pytest.mark.parametrize(("check", "ask"), [(None, "graded+why"), (True, "score+why")])
def test_judges_say_why_where_they_are_asked_for_reasons(check: bool | None, ask: str) -> None:
    judge = Judge("plain", "good")

    def talkative(row: Row) -> Any:
        return {**judge({**row, "task": row["task"].removesuffix("+why")}), "why": "it tells"}

    result = evaluate(ITEMS, talkative, check=check, reasons=True)
    with Session(model=judge, runtime="inline") as session:
        again = session.resume_eval("last")

    whys = find_run(result.run_id).matches().column("why").to_pylist()
    assert (result.ask, again.ask) == (ask, ask)
    assert set(whys) == {"it tells"}
    assert all("why" in row["prompt"] for row in judge.asked)


@pytest.mark.parametrize("key", ["leaderboard", "wins", "ties", "missing", "calls", "cost_usd"])
def test_the_json_of_an_evaluation_has_its_parts(key: str) -> None:
    assert key in json.loads(
        json.dumps(evaluate(ITEMS[:2], quality=QUALITY).to_json(), allow_nan=False)
    )


def test_an_option_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="eval has no option 'truth'"):
        evaluate(ITEMS, truth="a")
