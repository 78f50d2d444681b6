"""The shipped recipe on recorded incidents in files: what the bars say of tables, twice alike.

`root_cause` itself runs, inline and without a model, on a few of the incidents exported to files,
twice each: every run reads its files, digests them and analyses the digests anew.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq

from ..choice import NOBODY
from ..patterns.recipes.root_cause.answers import Report
from ..patterns.recipes.root_cause.synthesis import hunt
from ..patterns.recipes.root_cause.workflow import root_cause
from ..session import Session
from .command import folder as temporary_folder
from .recorded import Incident, cases, look
from .rows import Row

CASES = 3
"""At equal distances; of one system the logs of nearly all hold no row."""


def agreement(folder: Path) -> list[Row]:
    """Return whether the recipe's causes are the bar's own, and whether a rerun changes them."""
    alike = changed = without_rows = 0
    with Session(model=NOBODY, runtime="inline") as session:
        for _, incident in cases(folder, CASES):
            files = export(incident, temporary_folder())
            report, again = (run_recipe(session, incident, files) for _ in range(2))
            sizes = {str(kind): table.num_rows for kind, table in incident.evidence.items()}
            alike += report.causes == hunt(look(incident), sizes).causes
            changed += report != again
            without_rows += 0 in sizes.values()
    several = f"{CASES} cases, {without_rows} with a file without rows"
    return [
        Row(
            f"recipe and bar agree on {alike} of {several}", f"{alike}", f"{CASES}", alike == CASES
        ),
        Row(f"of {CASES} cases, a rerun from files changes", f"{changed}", "0", changed == 0),
    ]


def export(incident: Incident, folder: Path) -> dict[str, Path]:
    """Write the evidence of *incident* as a user has it, into *folder*; returns the files."""
    files = {}
    for kind, table in incident.evidence.items():
        files[str(kind)] = path = folder / f"{kind}.parquet"
        pq.write_table(table.drop_columns(["row"]), path)
    return files


def run_recipe(session: Session, incident: Incident, files: Mapping[str, Path]) -> Report:
    """Return what `root_cause` reports of *incident* from *files*."""
    at = repr(incident.at)
    return session.run(root_cause, incident="It broke.", evidence=dict(files), at=at).value
