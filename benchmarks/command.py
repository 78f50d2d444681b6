"""The product run as a user runs it, in processes of its own: for figures of the whole."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ENTRY = (sys.executable, "-c", "import sys; from commedia.cli.main import main; sys.exit(main())")
ADVISORIES = Path("tickets") / "rustsec_advisories.parquet"
TEXT = "{title}\n{description}"


@dataclass(frozen=True, slots=True)
class Sorted:
    """What `commedia sort --json` said: its object, its exit code, and the bytes it wrote."""

    said: dict[str, Any]
    code: int
    written: bytes


def folder() -> Path:
    """Return a new folder that is gone when this process ends."""
    made = Path(tempfile.mkdtemp(prefix="commedia-bars-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def environment() -> dict[str, str]:
    """Return this process's environment with a run store of its own and no key."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC_")}
    return {**kept, "COMMEDIA_HOME": str(folder())}


def sort(table: Path, *options: str, truth: str = "cvss_score", text: str = TEXT) -> Sorted:
    """Run `commedia sort` on *table* and return what it said; raises RuntimeError on no object."""
    out = folder() / "ranked.csv"
    columns = ["--by", "severity", "--text", text, "--id", "ticket_id", "--truth", truth]
    command = [*ENTRY, "sort", str(table), *columns, "-q", "--json", "-o", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"sort said no JSON object: {done.stdout!r} {done.stderr}") from None
    return Sorted(said, done.returncode, out.read_bytes() if out.exists() else b"")


@contextmanager
def served(table: Path, log: Path) -> Iterator[str]:
    """Run `commedia serve` over the world of *table* in another process; yields its address."""
    world = ["--world", str(table), "--id", "ticket_id", "--truth", "cvss_score"]
    with serving(*world, "--accuracy", "0.85", "--log", str(log)) as address:
        yield address


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """Run `commedia serve` with *options* in another process; yields its address."""
    command = [*ENTRY, "serve", *options, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(timeout=30)


def known_advisories(data: Path) -> Path:
    """Write the advisories that have a score into a table of their own; returns its path."""
    table = pq.read_table(data / ADVISORIES)
    known = table.filter(table.column("cvss_score").is_valid())
    path = folder() / "advisories.parquet"
    pq.write_table(known, path)
    return path


def seconds(code: str) -> float:
    """Run Python *code* in a process of its own; returns the number that it prints last."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    return float(done.stdout.split()[-1])


def passed(tests: Sequence[str]) -> tuple[int, int]:
    """Run *tests* with pytest; returns how many passed, and how many there were.

    What pytest says of those that failed goes to standard error.
    """
    command = [sys.executable, "-m", "pytest", "-q", *tests]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    return counts.get("passed", 0), sum(counts.values())
