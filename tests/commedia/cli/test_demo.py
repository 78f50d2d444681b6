"""The demo shows the main job to someone who has nothing: no key, no table, no Ray."""

from pathlib import Path

import pytest

from commedia.cli.main import run


def test_the_demo_shows_the_ten_worst_and_what_to_try_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-to-be-used")

    assert run(["demo", "--runtime", "inline"]) == 0

    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0].startswith("simulated") and lines[-1].startswith("simulated")
    assert sum(line.lstrip()[:2].strip().isdigit() for line in lines) >= 10
    assert "Infusion continues at ten times the set rate" in shown
    assert "90% interval" in shown and "tau-b" in shown and "not with the truth" in shown
    assert "all ours" in shown and "What to try next" in shown
