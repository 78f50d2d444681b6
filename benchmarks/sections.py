"""A set of bars as a program: its sections, one after the other, and how many bars were missed."""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from .command import folder
from .rows import Row, render

Section = Callable[[], list[Row]]


def run_sections(
    module: str,
    header: str,
    sections: Mapping[str, Section],
    arguments: Sequence[str] | None = None,
    *,
    about: str | None = None,
) -> int:
    """Print *header* and the *sections* asked for; return 1 when a bar is missed.

    *module* is what is run as `python -m`, *about* what its help says.
    """
    parser = argparse.ArgumentParser(f"python -m {module}", description=about)
    parser.add_argument("--only", help=f"some of {', '.join(sections)}, separated by commas")
    parser.add_argument("-o", dest="output", type=Path, help="write the rows to this Parquet file")
    chosen = parser.parse_args(arguments)
    names = chosen.only.split(",") if chosen.only else list(sections)
    if unknown := [name for name in names if name not in sections]:
        parser.error(f"no section is called {', '.join(unknown)}")
    os.environ["COMMEDIA_HOME"] = str(folder())  # no run of these is anybody's
    warnings.simplefilter("ignore", UserWarning)  # degraded runs: they are counted here
    sys.stdout.write(header + "\n")
    found: dict[str, list[Row]] = {}
    start = time.monotonic()
    for name in names:
        began = time.monotonic()
        rows = found[name] = sections[name]()
        title = f"{name}: {_title(sections[name])} ({time.monotonic() - began:.0f} s)"
        sys.stdout.write(render(title, rows) + "\n")
        sys.stdout.flush()
    if chosen.output:
        write(found, chosen.output)
    missed = sum(row.ok is False for rows in found.values() for row in rows)
    sys.stdout.write(f"\n{missed} bars missed, {time.monotonic() - start:.0f} s\n")
    return int(missed > 0)


def write(found: Mapping[str, Sequence[Row]], path: Path) -> None:
    """Write the rows that were *found* as Parquet: section, name, value, bar, ok."""
    lines = [{"section": name, **asdict(row)} for name, rows in found.items() for row in rows]
    columns = {column: [line[column] for line in lines] for column in _SCHEMA.names}
    pq.write_table(pa.table(columns, _SCHEMA), path)


_SCHEMA: Final = pa.schema(
    [*((name, pa.string()) for name in ("section", "name", "value", "bar")), ("ok", pa.bool_())]
)


def _title(section: Section) -> str:
    told = section.func if isinstance(section, partial) else section
    return (told.__doc__ or "").partition("\n")[0]
