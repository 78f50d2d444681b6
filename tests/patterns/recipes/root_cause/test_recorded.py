"""The hunt on recorded incidents, a few of them: `make bars SET=workflows` runs all."""

from pathlib import Path

import pytest

from commedia.benchmarks.incidents import judge, measure


@pytest.mark.shared_data
def test_recorded_incidents_are_mostly_solved(shared_data: Path) -> None:
    found = measure(shared_data / "incidents_nezha", most=4, contexts=())

    every = judge(found, found.witnesses)

    assert sum(one.right for one in every) >= 3
    assert all(one.right for one in every if one.named)
