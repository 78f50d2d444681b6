"""The benchmark of workflows: `python -m commedia.benchmarks.workflows` prints every figure.

Exits 1 when a bar is missed. Another part is a function that returns rows; `SECTIONS` names it.
"""

import sys
from collections.abc import Sequence

from . import laws, patterns, resuming, width
from .incidents import incidents
from .rows import Row
from .sections import Section, run_sections

HEADER = """\
Workflows. Where agents are simulated (`sim:`), no model was asked: what is measured of them rests
on their profile. Incidents, processes, journals and servers are real."""


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
    module = "commedia.benchmarks.workflows"
    return run_sections(module, HEADER, SECTIONS, arguments, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
