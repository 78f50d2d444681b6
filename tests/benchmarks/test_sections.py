"""A set of bars as a program: it runs what is asked for, keeps its rows, and counts the misses."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from commedia.benchmarks.rows import Row, at_least
from commedia.benchmarks.sections import run_sections


def met() -> list[Row]:
    """One bar that is met."""
    return [at_least("tau", 0.91, 0.9), Row("calls", "2,000")]


def missed() -> list[Row]:
    """One bar that is missed."""
    return [at_least("tau", 0.89, 0.9)]


SECTIONS = {"met": met, "missed": missed}


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMEDIA_HOME", "")  # put back after a test, as sections set their own


def test_a_missed_bar_is_seen_in_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_sections("bars", "", SECTIONS, ["--only", "met"]) == 0
    assert run_sections("bars", "", SECTIONS, []) == 1

    assert "1 bars missed" in capsys.readouterr().out


def test_rows_are_kept_as_parquet(tmp_path: Path) -> None:
    run_sections("bars", "", SECTIONS, ["-o", str(tmp_path / "rows.parquet")])

    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [(row["section"], row["name"], row["ok"]) for row in rows] == [
        ("met", "tau", True),
        ("met", "calls", None),
        ("missed", "tau", False),
    ]


def test_an_unknown_section_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_sections("bars", "", SECTIONS, ["--only", "met,nope"])

    assert "no section is called nope" in capsys.readouterr().err
