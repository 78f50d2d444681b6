"""The sorting benchmark runs in parts, prints bars, and fails when one is missed."""

import pytest

from commedia.benchmarks import sort_bars as sorting
from commedia.benchmarks.cases import Case, run_cases
from commedia.benchmarks.rows import Row, at_least, at_most, render, within


def test_a_part_of_the_benchmark_meets_its_bars(capsys: pytest.CaptureFixture[str]) -> None:
    status = sorting.main(["--only", "stop", "--seeds", "1"])

    printed = capsys.readouterr().out
    assert "SIMULATED" in printed.splitlines()[0]
    assert printed.count(" ok") == 9
    assert status == 0


def test_a_missed_bar_is_named_and_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = at_least("a figure", 0.1, 0.9)
    monkeypatch.setitem(sorting.SECTIONS, "fixed", lambda settings: [missed])

    assert sorting.main(["--only", "fixed"]) == 1
    assert "MISS" in capsys.readouterr().out


def test_an_unknown_section_is_refused() -> None:
    with pytest.raises(SystemExit):
        sorting.main(["--only", "nonsense"])


def test_a_missing_table_is_skipped_with_its_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: pytest.TempPathFactory
) -> None:
    assert sorting.main(["--only", "table", "--data", str(tmp_path)]) == 0
    assert "skipped" in capsys.readouterr().out


def test_rows_know_their_bars() -> None:
    rows = [at_least("a", 1, 1), at_most("b", 2, 1), within("c", 0.5, 0, 1), Row("d", "x")]

    assert [row.ok for row in rows] == [True, False, True, None]
    assert "MISS" in render("title", rows)


def test_two_processes_measure_what_one_does() -> None:
    case = Case("list:10", budget=300, rounds=2)
    alone, together = (run_cases(case, 2, processes=processes) for processes in (1, 2))

    assert [trial.tau for trial in alone] == [trial.tau for trial in together]
