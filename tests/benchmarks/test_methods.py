"""Methods are measured side by side, at their end and at the same price, and drawn."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest

from commedia.actors.questions import Question
from commedia.actors.simulation.judge import REFERENCE, Bench
from commedia.actors.simulation.keyed import text_keys
from commedia.benchmarks.entrants import entrants
from commedia.benchmarks.picture import Series, chart
from commedia.benchmarks.sorting import (
    Afresh,
    Result,
    compare,
    draw,
    expectations,
    main,
    same_budget,
)
from commedia.benchmarks.trial import tokens_per_call
from commedia.patterns.ranking.baselines import METHODS


def test_the_table_has_every_method_and_the_files_have_it_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows, picture = tmp_path / "rows.parquet", tmp_path / "picture.svg"
    arguments = ["--n", "20", "--seeds", "1", "--data", str(tmp_path), "--accuracy", "0.8"]

    assert main([*arguments, "-o", str(rows), "--picture", str(picture)]) == 0

    printed = capsys.readouterr().out
    kept = pq.read_table(rows)
    names = [entrant.name for entrant in entrants()]
    assert "SIMULATED" in printed.splitlines()[0]
    assert printed.count("skipped") == 2
    assert kept["method"].to_pylist() == names
    assert {*METHODS} <= {*names}
    assert all(f"\n{name} " in printed for name in names)
    assert {"calls", "tokens", "rounds", "tau", "recall_at_10", "cpu_s"} <= {*kept.column_names}
    drawn = "".join(ElementTree.fromstring(picture.read_text()).itertext())
    assert all(name in drawn for name in names)


def test_several_settings_have_a_table_and_a_picture_each(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = tmp_path / "picture.svg"
    settings = ["--n", "10,12", "--accuracy", "0.8,0.9", "--seeds", "1", "--only", "quick"]
    main([*settings, "--data", str(tmp_path), "--picture", str(picture)])

    assert capsys.readouterr().out.count("judge right on") == 4
    assert len([*tmp_path.glob("picture-1?-0.?.svg")]) == 4


def test_a_method_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--n", "10", "--only", "bogo", "--data", str(tmp_path)])


def test_nobody_spends_more_than_the_others() -> None:
    truth = np.random.default_rng(0).integers(0, 8, 60).astype(float)
    results = same_budget(truth, 300_000.0, seeds=1)

    assert len(results) >= len(METHODS) + 3
    for result in results:
        told_to_spend = result.method.startswith(("ours", "random", "window"))
        price = tokens_per_call(Question.parse(result.question))
        assert result.tokens < 300_000 + price  # the last call may go over
        assert not told_to_spend or result.tokens > 300_000 - 2 * price


def test_the_curve_ends_where_the_method_does() -> None:
    (result,) = compare(60, 0.85, seeds=2, only=["merge, 15"])
    tokens = [x for x, _ in result.curve]

    assert result.curve[-1] == (result.tokens, result.tau)
    assert tokens == sorted(set(tokens))
    assert len(tokens) > 5


def test_who_is_asked_again_answers_afresh_and_the_same_in_another_run() -> None:
    utility = np.zeros(40)
    bench = Bench(REFERENCE, 0, "worth", utility, text_keys([str(item) for item in range(40)]))
    shown = np.stack([np.arange(20), np.arange(20, 40)], 1)
    judge, again = Afresh(bench), Afresh(bench)
    first, second = (judge(Question("pair"), shown) for _ in range(2))

    assert (first != second).any()
    assert (again(Question("pair"), np.concatenate([shown, shown])) == [*first, *second]).all()


def test_what_was_published_stands_beside_what_is_seen() -> None:
    seen = Result("merge", "pair", 1000, 0.85, 1, 8500.0, 7.2e6, 2000.0, 0.7, 0.5, 1.0, False)
    other = Result("quick", "pair", 200, 0.85, 1, 8500.0, 7.2e6, 2000.0, 0.7, 0.5, 1.0, False)
    (row,) = expectations([seen, other])

    assert (row.name, row.ok) == ("merge", None)
    assert row.value == "8,500 calls, 0.700"
    assert "8,566" in row.bar


def test_a_hostile_name_is_inert_in_a_picture() -> None:
    svg = chart([Series("<script>&", [(1.0, 0.5)])], title="a < b", x="<x>", y="y")

    assert "<script" not in svg
    assert "<script>&" in "".join(ElementTree.fromstring(svg).itertext())


def test_names_in_a_picture_do_not_overlap() -> None:
    svg = chart([Series(f"s{i}", [(1.0, 0.9)]) for i in range(20)], title="t", x="x", y="y")
    texts = [e for e in ElementTree.fromstring(svg).iter() if (e.text or "").startswith("s")]
    heights = sorted(float(text.get("y", "nan")) for text in texts)

    assert len(heights) == 20
    assert min(np.diff(heights)) > 14


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no points"):
        chart([Series("empty", [])], title="t", x="x", y="y")


def test_ours_are_drawn_bold() -> None:
    ours = Result("ours", "pair", 9, 0.8, 1, 1.0, 10.0, 1.0, 0.7, 0.5, 1.0, True, ((10.0, 0.7),))

    assert 'class="l b"' in draw([ours])
