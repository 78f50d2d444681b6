"""The patterns' benchmark prints its sections, and measures what it says."""

import pytest

from commedia.benchmarks.patterns import Quality, Settings, main, stops


def test_a_section_is_printed_with_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--only", "estimates", "--seeds", "1"])

    shown = capsys.readouterr().out
    assert "left, estimated" in shown
    assert "SIMULATED" in shown
    assert code == 0


def test_more_passes_find_more() -> None:
    rows = {row.name: row.value for row in stops(Settings(seeds=1))}
    recall = {name.partition(":")[0]: float(value) for name, value in rows.items()}

    assert recall["one model, 1 passes"] < recall["one model, 12 passes"] <= 1


def test_f1_is_the_harmonic_mean() -> None:
    assert Quality(0.5, 1.0).f1 == pytest.approx(2 / 3)
