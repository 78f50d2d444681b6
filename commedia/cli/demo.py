"""`commedia demo`: the main job on a bundled table, with simulated judges and no key."""

import importlib.resources
import os
import time
from typing import TYPE_CHECKING, Literal, TextIO

import click

from .options import EXIT_CODES
from .progress import ProgressView
from .stdout import quiet_stdout

if TYPE_CHECKING:
    import pyarrow as pa

    from ..results import RankResult

EXAMPLES = """\b
Examples:
  commedia demo
  commedia demo --runtime inline
"""

BY = "severity: how much harm the bug does to users, their data or their money"
TEXT = "{title}\n{report}"
TOP = 10
KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL")

NEXT = """
What to try next:
  commedia show last --item {best}
      which matches put the first one first
  commedia sort your.csv --by 'what matters to you' --text COLUMN --truth COLUMN
      rehearse on your own table, free, where the truth is in a column
  commedia sort your.csv --by 'what matters to you' --text COLUMN --budget 2usd -o ranked.csv
      the same on Claude (needs ANTHROPIC_API_KEY), never above the budget"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--runtime",
    type=click.Choice(["ray", "inline"]),
    default="ray",
    show_default=True,
    help="Actors on Ray, or all in this process.",
)
def demo(runtime: Literal["ray", "inline"]) -> int:
    """Sort about 120 bundled bug reports by severity, on simulated judges.

    No key is used, even if there is one, and nothing leaves this machine.
    """
    for key in KEYS:
        os.environ.pop(key, None)
    began = time.perf_counter()
    from ..actors.imports import spare_pandas

    spare_pandas()
    frame = bundled_reports()
    from ..session import Session

    view = ProgressView(quiet=False)
    with (
        quiet_stdout() as out,
        Session(model="sim:judge", runtime=runtime, on_progress=view) as session,
    ):
        with view:
            result = session.rank(frame, BY, text=TEXT, id="id", truth="severity")
        times = _times(time.perf_counter() - began, session.start_s)
        _tell(result, frame, times, out)
    return EXIT_CODES.get(result.status, 1)


def bundled_reports() -> "pa.Table":
    """Return the bug reports that come with the package, with a severity truth from 0 to 100."""
    from ..inputs import read_table

    place = importlib.resources.files("commedia") / "data" / "bug_reports.csv"
    with importlib.resources.as_file(place) as path:
        return read_table(str(path))


def _tell(result: "RankResult", frame: "pa.Table", times: str, out: TextIO) -> None:
    lines = result.lines()
    out.write(lines[0] + "\n\n")
    if result.table.num_rows:
        out.write(f"The {TOP} most severe of {frame.num_rows} bug reports:\n\n")
        _print_top(result.table.slice(0, TOP), out)
    out.write("\n" + "\n".join([*lines[1:-1], times]) + "\n")
    if result.table.num_rows:
        out.write(NEXT.format(best=result.table.column("id")[0].as_py()) + "\n\n")
    out.write(lines[-1] + "\n")


def _print_top(top: "pa.Table", out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rank", "90% interval", "truth"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("title")
    for row in top.to_pylist():
        interval = f"{row['rank_low']:.0f} - {row['rank_high']:.0f}"
        title = Text(row["title"], no_wrap=True, overflow="ellipsis")
        shown.add_row(str(row["rank"]), interval, f"{row['severity']:g}", title)
    Console(file=out, highlight=False, width=None if out.isatty() else 100).print(shown)


def _times(wall_s: float, ray_s: float | None) -> str:
    if ray_s is None:
        return f"time: {wall_s:.1f} s, all ours"
    ours_s = wall_s - ray_s
    return f"time: {wall_s:.1f} s, of which Ray took {ray_s:.1f} s to start; ours {ours_s:.1f} s"
