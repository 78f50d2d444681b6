"""The benchmark of rankings: `python -m commedia.benchmarks.rankings` prints every figure.

Exits 1 when a bar is missed. Another part is a function that returns rows; `SECTIONS` names it.
"""

import subprocess
import sys
import textwrap
from collections.abc import Sequence
from functools import partial
from typing import Final

import pyarrow.parquet as pq

from ..session import Session
from . import aims, engine, judgments, leagues, many, sorting
from .command import ADVISORIES
from .rows import Row
from .sections import Section, run_sections
from .whole import ROOT

HEADER: Final = """\
Rankings. Sections in capitals are SIMULATED: what they say rests on the simulated judge. Human and
model judgments, advisories, heights, processes and nodes are real."""

_SEEDS: Final = aims.Seeds()
_SETTINGS: Final = judgments.Settings()
_METHOD_SEEDS: Final = 2
_NEVER: Final = ("quick", "pointwise")


def every_method() -> list[Row]:
    """SIMULATED: every method on 1,000 items, judge right on 85% of random pairs, to its end."""
    rows = []
    for r in sorting.compare(1000, 0.85, seeds=_METHOD_SEEDS):
        told = f"{r.calls:,.0f} calls, {r.tokens / 1e6:.1f} Mtok, {r.rounds:,.0f} rounds"
        never = r.method in _NEVER
        ok = r.tau < 0.90 if never else None
        rows.append(Row(f"{r.method}: {told}: tau", f"{r.tau:.3f}", "< 0.9" if never else "", ok))
    return rows


def same_budget() -> list[Row]:
    """Real truth, a simulated judge: every method given the tokens that lists take until 0.90."""
    rows = []
    for name, results in sorting.recorded_results(_SETTINGS.data, seeds=_METHOD_SEEDS):
        rows.append(Row(name, "tau-b", "top-10 recall"))
        rows += [
            Row(f"    {r.method}", f"{r.tau:.3f}", f"{r.recall_at_10:.2f}")
            for r in sorted(results, key=lambda result: -result.tau)
        ]
    return rows or [Row("skipped: the shared data is not beside the house", "")]


def refused() -> list[Row]:
    """A tiny real model on somebody else's server, 848 advisories by their titles: refused."""
    python = ROOT / ".venv-local-model" / "bin" / "python"
    table = _SETTINGS.data / ADVISORIES
    if not python.exists() or not table.exists():
        return [Row("skipped: `make local-model` was not run, or the data is not there", "")]
    command = [str(python), str(ROOT / "benchmarks" / "local_model.py")]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        address = server.stdout.readline().strip()
        options = {"model": "smollm2", "base_url": address, "budget": "20M", "in_flight": 4}
        with Session(runtime="inline", **options) as session:  # type: ignore[arg-type]
            result = session.rank(pq.read_table(table), "severity", text="{title}")
        server.stdin.close()
    flips = [note for note in result.notes if "pairs flipped" in note]
    return [
        Row("stopped by", str(result.stopped), "= judge", result.stopped == "judge"),
        Row("its flips are named", str(len(flips)), "= 1", len(flips) == 1),
        Row("calls until then", f"{result.calls:,}"),
        *(Row(line, "") for note in flips for line in textwrap.wrap(note, 80)),
    ]


SECTIONS: Final[dict[str, Section]] = {
    **{name: partial(section, _SETTINGS) for name, section in judgments.SECTIONS.items()},
    "same-budget": same_budget,
    "every-method": every_method,
    **{name: partial(section, _SEEDS) for name, section in aims.SECTIONS.items()},
    "leagues": leagues.leagues,
    "many": many.many,
    "many-on-ray": many.many_on_ray,
    **engine.SECTIONS,
    "refused": refused,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    module = "commedia.benchmarks.rankings"
    return run_sections(module, HEADER, SECTIONS, arguments, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
