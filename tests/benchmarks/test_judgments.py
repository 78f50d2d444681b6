"""The benchmark on real judgments: its yardstick, and what it does where there is no data."""

from pathlib import Path

import numpy as np
import pytest

from commedia.benchmarks import judgments
from commedia.benchmarks.replays import Replay


def test_missing_tables_are_skipped_with_their_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert judgments.main(["--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("skipped: there ") == 3


def test_a_tie_halved_is_half_a_win_for_both() -> None:
    one, other = np.zeros(3, np.int64), np.ones(3, np.int64)

    mean = judgments.by_choix(2, one, other, np.array([1, 0, 0]), alpha=0.0, halved=True)

    assert mean[0] - mean[1] == pytest.approx(np.log(2.0), abs=1e-3)


@pytest.mark.shared_data
def test_a_league_on_a_recorded_judge_asks_what_was_recorded(shared_data: Path) -> None:
    replay = Replay(f"recorded:{shared_data / 'judgments' / 'pandalm.parquet'}?judge=annotator2")

    ours, dropped, halved = np.mean([judgments.play(replay, seed) for seed in range(5)], axis=0)

    assert (len(replay.names), replay.size) == (5, 792)
    assert ours > 0.6 and dropped > 0.5 and halved > 0.5
