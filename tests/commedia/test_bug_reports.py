"""The bundled reports are a fair first table: varied, sound, with a truth worth sorting by."""

from collections import Counter

from commedia.cli.demo import TEXT, bundled_reports
from commedia.inputs import prepare


def test_the_bundled_reports_are_varied_and_sound() -> None:
    frame = bundled_reports()
    prepared = prepare(frame, text=TEXT, id="id", truth="severity")

    assert frame.column_names == ["id", "title", "report", "component", "severity"]
    assert len(prepared.ids) == 120
    assert len(set(frame["title"].to_pylist())) == len(set(frame["report"].to_pylist())) == 120
    assert len(set(frame["component"].to_pylist())) >= 8


def test_the_truth_is_spread_with_few_ties() -> None:
    truth = bundled_reports()["severity"].to_pylist()
    quarters = Counter(min(value // 25, 3) for value in truth)

    assert min(truth) >= 0 and max(truth) <= 100
    assert max(Counter(truth).values()) <= 4
    assert min(quarters.values()) >= 20
