"""The benchmark of workflows: `python -m commedia.benchmarks.workflows` prints every figure.

Exits 1 when a bar is missed. Another part is a function that returns rows; `SECTIONS` names it.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence

from . import laws, patterns, resuming, width
from .command import folder
from .incidents import incidents
from .rows import Row, render

HEADER = """\
Workflows. Where agents are simulated (`sim:`), no model was asked: what is measured of them rests
on their profile. Incidents, processes, journals and servers are real."""

Section = Callable[[], list[Row]]


def stop_rules() -> list[Row]:
    """SIMULATED: 20 findings of mixed detectability, each stop rule beside fixed passes."""
    settings = patterns.Settings()
    parts = (patterns.stops, patterns.grounds, patterns.estimates)
    return [row for part in parts for row in part(settings)]


def verification() -> list[Row]:
    """SIMULATED: 400 claims, verifiers of the author's family and of another: n = 1, 3, 5."""
    return patterns.verification(patterns.Settings())


SECTIONS: dict[str, Section] = {
    "incidents": incidents,
    "clock": laws.clock,
    "order": laws.order,
    "journal": laws.journal,
    "silence": laws.silence,
    "stops": stop_rules,
    "verification": verification,
    "width": width.measure,
    **{f"resume-{name}": section for name, section in resuming.SECTIONS.items()},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser("python -m commedia.benchmarks.workflows", description=__doc__)
    parser.add_argument("--only", help=f"some of {', '.join(SECTIONS)}, separated by commas")
    chosen = parser.parse_args(arguments)
    names = chosen.only.split(",") if chosen.only else list(SECTIONS)
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"no section is called {', '.join(unknown)}")
    os.environ["COMMEDIA_HOME"] = str(folder())  # no run of these is anybody's
    warnings.simplefilter("ignore", UserWarning)  # degraded runs: they are counted here
    sys.stdout.write(HEADER + "\n")
    missed, start = 0, time.monotonic()
    for name in names:
        began = time.monotonic()
        rows = SECTIONS[name]()
        missed += sum(row.ok is False for row in rows)
        title = (SECTIONS[name].__doc__ or "").partition("\n")[0]
        sys.stdout.write(render(f"{name}: {title} ({time.monotonic() - began:.0f} s)", rows) + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{missed} bars missed, {time.monotonic() - start:.0f} s\n")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
