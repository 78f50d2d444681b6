"""The hunt on recorded incidents, a few of them: `make bars SET=workflows` runs all."""

from pathlib import Path

import pytest

from commedia.benchmarks.incidents import judge, measure
from commedia.benchmarks.recorded import cases, look
from commedia.benchmarks.shipped import export, run_recipe
from commedia.patterns.recipes.root_cause.synthesis import hunt
from commedia.session import Session


@pytest.mark.shared_data
def test_recorded_incidents_are_mostly_solved(shared_data: Path) -> None:
    found = measure(shared_data / "incidents_nezha", most=4, contexts=())

    every = judge(found, found.witnesses)

    assert sum(one.right for one in every) >= 3
    assert all(one.right for one in every if one.named)


@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore:run .* is degraded")
def test_the_recipe_says_of_files_what_the_bars_say_of_tables(
    shared_data: Path, tmp_path: Path
) -> None:
    """Of this incident the logs hold no row."""
    _, incident = next(cases(shared_data / "incidents_nezha"))
    sizes = {str(kind): table.num_rows for kind, table in incident.evidence.items()}

    with Session(runtime="inline") as session:
        report = run_recipe(session, incident, export(incident, tmp_path))

    assert report.left_out.keys() == {"logs"}
    assert report.causes == hunt(look(incident), sizes).causes
