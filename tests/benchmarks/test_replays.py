"""Recorded verdicts held again as an evaluation: the record alone answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commedia.benchmarks.replays import Habits, Replay
from commedia.patterns.ranking.audit import Swaps


def record(folder: Path, rows: list[dict[str, Any]]) -> str:
    """Write a table of verdicts, and return the name of the judge that it is."""
    pq.write_table(pa.Table.from_pylist(rows), folder / "verdicts.parquet")
    return f"recorded:{folder / 'verdicts.parquet'}"


def verdicts(items: int, *, always_first: bool = False) -> list[dict[str, Any]]:
    """Return the verdicts on two of three systems on each item, in both orders: the one that comes
    first in the alphabet wins, or whichever was shown first."""
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    return [
        {
            "item_id": f"q{item}",
            "cand_x": pairs[item % 3][0],
            "cand_y": pairs[item % 3][1],
            "shown_first": first,
            "winner": first if always_first else "x",
        }
        for item in range(items)
        for first in "xy"
    ]


def test_a_league_is_answered_by_the_record(tmp_path: Path) -> None:
    replay = Replay(record(tmp_path, verdicts(60)))

    league = replay.league(calls=48, seed=1)

    assert 20 <= len(league.verdicts()) <= 48
    assert np.all(np.diff(league.strengths().mean) < 0)


def test_what_was_not_read_is_asked_for_in_vain(tmp_path: Path) -> None:
    """It is one of the calls, as it was when it was recorded."""
    rows = verdicts(30)
    for row in rows[:20]:
        row["winner"] = None
    replay = Replay(record(tmp_path, rows))

    league = replay.league(calls=60, seed=1)

    assert replay.size == 60 and len(replay.verdicts(np.arange(60))[0]) == 40
    assert len(league.verdicts()) <= 40


def test_swaps_are_counted_as_a_pilot_counts_them(tmp_path: Path) -> None:
    (tmp_path / "fair").mkdir()
    fair = record(tmp_path / "fair", verdicts(20))
    blind = record(tmp_path, verdicts(20, always_first=True))
    seen, unseen = Swaps.none(), Swaps.none()

    Replay(fair).league(calls=40, seed=1, swaps=seen)
    Replay(blind).league(calls=40, seed=1, swaps=unseen)

    assert seen.asked > 5 and seen.flipped == 0
    assert unseen.flipped == unseen.first == unseen.asked == 20


def test_a_league_can_be_held_on_some_of_the_items(tmp_path: Path) -> None:
    replay = Replay(record(tmp_path, verdicts(20)))
    among = np.arange(20) < 5

    league = replay.league(calls=40, seed=1, among=among)

    assert len(league.verdicts()) == 10


def test_a_session_comes_to_the_scores_of_the_league(tmp_path: Path) -> None:
    """Where a benchmark drives a league by itself, for its speed, that is what a user gets."""
    replay = Replay(record(tmp_path, verdicts(40)))

    assert replay.unlike_a_session(calls=50, seed=3) < 1e-12


def test_habits_are_counted_over_pairs_that_were_read_in_both_orders(tmp_path: Path) -> None:
    """Of four pairs one was not read in one order, one always had the first shown preferred."""
    said = [("x", "x"), ("y", "y"), ("x", "y"), (None, "x")]
    rows = [
        {"item_id": str(item), "cand_x": "a", "cand_y": "b", "shown_first": first, "winner": won}
        for item, both in enumerate(said)
        for first, won in zip("xy", both, strict=True)
    ]

    counted = Habits.counted(Replay(record(tmp_path, rows)))

    assert counted.pairs == 3 and counted.flips == pytest.approx(1 / 3)
    assert counted.bias > 0.0
