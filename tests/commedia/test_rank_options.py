"""Sorts with more in mind than one order; and wishes that make no sense."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from commedia import Preference, Session
from commedia.actors.errors import UsageError
from commedia.actors.messages import ModelSpec
from commedia.actors.simulation.judge import JudgeProfile
from commedia.cli.main import run
from commedia.judges import keep_traits, known_traits
from commedia.patterns.ranking.economics import Traits
from commedia.results import RankResult
from commedia.rubrics import Criterion, Rubric
from commedia.supervisor.store import find_run

RUBRIC = Rubric((Criterion("severity", weight=3.0), Criterion("urgency", "how soon it bites")))


def table(n: int, *, start: int = 0) -> pa.Table:
    rng = np.random.default_rng(4)
    truth = rng.standard_normal(2_000)[start : start + n]
    names = [f"B{row}" for row in range(start, start + n)]
    return pa.table({"key": names, "text": [f"report {name}" for name in names], "truth": truth})


def ranked(
    items: pa.Table, by: str | None = "severity", model: Any = None, **options: Any
) -> RankResult:
    with Session(runtime="inline", model=model) as session:
        return session.rank(items, by, text="text", id="key", truth="truth", **options)


def test_the_best_ten_come_first_for_a_fraction_of_the_calls() -> None:
    whole, best = ranked(table(300), ask="list:10"), ranked(table(300), top=10)

    assert best.predicted_recall is not None and best.predicted_recall >= 0.9
    assert best.top == 10
    assert best.calls < 0.6 * whole.calls
    assert (best.truth or {})["recall_at_10"] >= 0.8  # type: ignore[operator]
    assert best.n == 300
    assert any("predicted recall of the best 10" in line for line in best.lines())


def test_rows_that_are_known_are_not_asked_about_again_and_rows_that_left_are_dropped() -> None:
    first = ranked(table(300), ask="list:10")
    grown = ranked(table(300, start=30), ask="list:10", since=first.run_id)

    assert grown.calls < 0.5 * first.calls
    assert grown.status == "completed"
    assert any(f"of run {first.run_id} about rows" in note for note in grown.notes)
    assert "B0" not in grown.table.column("id").to_pylist()
    assert (grown.truth or {})["tau_b"] > 0.85  # type: ignore[operator]


def test_a_table_that_grows_every_day_is_paid_for_once() -> None:
    first = ranked(table(300), ask="list:10")
    second = ranked(table(330), ask="list:10", since=first.run_id)
    third = ranked(table(360), ask="list:10", since=second.run_id)

    assert third.calls < 0.5 * first.calls
    assert (third.truth or {})["tau_b"] > 0.85  # type: ignore[operator]


def test_one_new_row_is_asked_about() -> None:
    first = ranked(table(100), ask="list:10")
    grown = ranked(table(101), ask="list:10", since=first.run_id)

    asked = dict(
        zip(*(grown.table.column(n).to_pylist() for n in ("id", "comparisons")), strict=True)
    )
    assert asked["B100"] > 0
    assert grown.calls < 0.2 * first.calls


def test_a_run_by_another_quality_or_about_other_rows_says_nothing() -> None:
    first = ranked(table(40), ask="list:5")

    with pytest.raises(UsageError, match="ranked by severity, and not by urgency"):
        ranked(table(40), "urgency", since=first.run_id)
    with pytest.raises(UsageError, match="none has the same id and text"):
        ranked(table(40, start=100), since=first.run_id)


def test_a_rubric_gives_a_score_by_each_criterion_beside_the_total() -> None:
    result = ranked(table(80), None, rubric=RUBRIC, ask="list:10")

    assert result.table.column_names[6:8] == ["score severity", "score urgency"]
    assert (result.truth or {})["tau_b"] > 0.85  # type: ignore[operator]
    assert result.status == "completed"


def test_a_panel_asks_each_of_its_judges_and_says_how_they_differ() -> None:
    panel = ["sim:judge", "sim:judge-strong", JudgeProfile("sim:mine", list_slope=8.0)]
    result = ranked(table(200), model=panel, ask="list:10")

    assert result.simulated
    [note] = [note for note in result.notes if note.startswith("the panel")]
    assert all(name in note for name in ("sim:judge:", "sim:judge-strong:", "sim:mine:"))
    assert (result.truth or {})["tau_b"] > 0.88  # type: ignore[operator]


def test_a_pilot_tells_what_it_found_and_its_calls_count() -> None:
    result = ranked(table(800))

    assert result.judge is not None
    assert {"list_noise", "tie", "much", "is_graded", "flips"} <= result.judge.keys()
    assert any("(list:10 in the end)" in line for line in result.lines())
    assert result.status == "completed"


def test_a_judge_that_seems_to_know_nothing_is_refused_unless_it_is_kept() -> None:
    always_first = JudgeProfile("sim:first", bias=60.0, list_slope=60.0)
    refused = ranked(table(600), model=always_first)
    kept = ranked(table(600), model=always_first, keep_judge=True)

    assert (refused.status, refused.stopped) == ("degraded", "judge")
    assert any("60 of 60 pairs flipped" in note for note in refused.notes)
    assert kept.stopped != "judge"
    assert kept.calls > refused.calls


def test_a_panel_is_named() -> None:
    judges = ["sim:judge", "sim:judge-biased"]
    result = ranked(table(40), model=judges, ask="pair", target=0.5)

    assert any(
        "ranked by a panel of sim:judge, sim:judge-biased" in line for line in result.lines()
    )
    assert result.lines()[0].startswith("simulated: sim:judge, sim:judge-biased are")


def test_the_recall_of_as_many_as_were_asked_for_is_told() -> None:
    result = ranked(table(60), top=5)

    assert "recall_at_5" in (result.truth or {})
    assert any("top-5 recall" in line for line in result.lines())


def test_a_forecast_that_knows_nothing_is_not_told() -> None:
    shown: list[int | None] = []
    with Session(runtime="inline", on_progress=lambda p: shown.append(p.expected_calls)) as session:
        session.rank(table(2), "severity", text="text", truth="truth")

    assert all(calls is None or calls < 100 for calls in shown)


@pytest.mark.parametrize("model", [3, [3], object()])
def test_what_is_no_model_is_refused_at_once(model: Any) -> None:
    with pytest.raises(UsageError, match="is none: give a name, a function"):
        Session(model=model)


@pytest.mark.parametrize("name", ["pointwise", "bucket"])
def test_what_was_scored_stands_by_its_score_where_the_budget_ends_first(name: str) -> None:
    items = table(40)
    with Session(runtime="inline", budget="10agents") as session:
        result = session.rank(items, "severity", text="text", id="key", truth="truth", method=name)
    columns = (result.table.column(name).to_pylist() for name in ("comparisons", "score"))
    scores = [score for asked, score in zip(*columns, strict=True) if asked]

    assert result.stopped == "budget"
    assert len(scores) == 10 and len(set(scores)) > 2
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", ["pointwise", "quick", "swiss", "random"])
def test_a_classical_method_ranks_through_the_same_path(name: str) -> None:
    result = ranked(table(60), method=name)

    assert result.n == 60
    assert result.status == "completed"
    assert (result.truth or {})["tau_b"] > 0.5  # type: ignore[operator]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"top": 0}, "--top takes 1 or more"),
        ({"wide": True}, "--wide is for --top alone"),
        ({"top": 3, "focus": 0.1}, "--top goes with neither"),
        ({"focus": 1.5}, "focus 1.5 is not between 0 and 1"),
        ({"target": 1.0}, "target 1 is not between 0 and 1"),
        ({"ask": "list:99"}, "none of auto, pair, graded"),
        ({"method": "merge", "target": 0.5}, "without --target and --keep-judge"),
        ({"method": "merge", "keep_judge": True}, "without --target and --keep-judge"),
        ({"ask": "score"}, "--method pointwise"),
        ({"method": "bogo"}, "there is no method 'bogo'; there are merge"),
        ({"method": "merge", "top": 3}, "it goes without"),
        ({"votes": 3}, "--votes is for a --method"),
        ({"since": "nothing"}, "there are no runs"),
        ({"rubric": RUBRIC}, "not by both"),
        ({"colour": "red"}, "rank has no option 'colour'"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(options: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError) as error:
        ranked(table(20), **options)

    assert why in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("panel", "why"),
    [
        ([], "at least one judge"),
        (["sim:judge", "sim:judge"], "twice on the panel"),
        (["sim:judge", lambda row: None], "simulated judges or of real ones"),
    ],
)
def test_a_panel_that_is_none_is_refused(panel: list[Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        ranked(table(20), model=panel)


def test_a_workflow_has_agents_of_one_model() -> None:
    async def nothing(run: Any) -> None: ...

    panel = Session(runtime="inline", model=["sim:haiku", "sim:opus"])
    with panel as session, pytest.raises(UsageError, match="a panel judges rankings"):
        session.run(nothing)


def test_what_a_pilot_found_of_a_paid_judge_is_remembered_and_of_a_free_one_is_not() -> None:
    paid, free = ModelSpec(name="claude-haiku-5-5"), ModelSpec(name="sim:judge")
    rubric, texts = Rubric.of("severity"), ["a text of some length"] * 5
    found = Traits(list_noise=1.8, is_graded=False, flips=0.3)
    for model in (paid, free):
        assert known_traits(model, rubric, texts) is None
        keep_traits(model, rubric, texts, found.told())

    assert known_traits(paid, rubric, texts) == found
    assert known_traits(free, rubric, texts) is None
    assert known_traits(paid, Rubric.of("urgency"), texts) is None
    assert known_traits(paid, rubric, ["a text " * 100] * 5) is None


def test_a_sort_of_an_earlier_version_is_refused_in_one_sentence() -> None:
    result = ranked(table(20), ask="list:5")
    file = find_run(result.run_id).path / "run.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({name: told[name] for name in told if name != "criteria"}))

    with Session(runtime="inline") as session, pytest.raises(UsageError, match="earlier version"):
        session.resume_rank(result.run_id)


def test_a_sort_with_a_pilot_is_resumed_as_it_was() -> None:
    first = ranked(table(800))
    with Session(runtime="inline") as session:
        again = session.resume_rank(first.run_id)

    assert again.digest == first.digest
    assert again.judge == first.judge


def test_what_goes_on_from_a_simulated_sort_is_simulated() -> None:
    first = ranked(table(60), ask="pair")

    def judge(row: Mapping[str, Any]) -> Preference:
        return Preference(grade=1)

    grown = ranked(table(61), model=judge, ask="pair", since=first.run_id)

    assert grown.simulated
    assert grown.to_json()["known"] == first.calls
    assert any("another judge's; they are a simulated judge's" in note for note in grown.notes)
    assert "a simulated judge's verdicts count here" in grown.lines()[0]


def test_a_run_that_failed_says_so_when_it_is_to_be_gone_on_from() -> None:
    first = ranked(table(30), ask="pair")
    folder = find_run(first.run_id).path
    for file in (folder / "matches").iterdir():
        file.unlink()
    account = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**account, "status": "failed"}))

    with pytest.raises(UsageError, match="no comparison to go on from: it is failed, without any"):
        ranked(table(30), since=first.run_id)


def test_an_item_is_told_how_many_earlier_matches_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = ranked(table(60), ask="pair")
    grown = ranked(table(61), ask="pair", since=first.run_id)

    assert run(["show", grown.run_id, "--item", "B7"]) == 0
    assert f"count from earlier: commedia show {first.run_id} --item" in capsys.readouterr().out


def test_a_run_without_a_comparison_says_so_when_it_is_to_be_gone_on_from() -> None:
    first = ranked(table(30), method="pointwise")

    with pytest.raises(UsageError, match="has no comparison to go on from: it asked for scores"):
        ranked(table(30), since=first.run_id)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Preference(order=(0, 1)), "a Preference of pair has a grade from -1 to 1"),
        (Preference(grade=2), "a Preference of pair has a grade from -1 to 1"),
    ],
)
def test_a_judge_of_ones_own_is_told_what_its_preference_lacks(
    answer: Preference, why: str
) -> None:
    result = ranked(table(8), model=lambda row: answer, ask="pair")

    assert result.status == "degraded"
    assert any(why in note for note in result.notes)


def test_a_judge_of_ones_own_that_returns_no_preference_is_told_what_one_is() -> None:
    result = ranked(table(8), model=lambda row: {"grade": 1}, ask="pair")

    assert any("returns a commedia.Preference: grade=1, 0 or -1" in note for note in result.notes)


def test_a_sort_that_ends_for_want_of_usable_answers_says_so() -> None:
    result = ranked(table(60), model=lambda row: "no answer", ask="pair")

    assert (result.status, result.stopped) == ("degraded", "silence")
    assert "stopped: too many calls in a row had no usable answer" in "\n".join(result.lines())


def test_reasons_that_nobody_asked_for_are_dropped() -> None:
    result = ranked(table(8), model=lambda row: Preference(grade=1, why="so"), ask="pair")

    assert result.missing == {}
