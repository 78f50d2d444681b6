"""Through the real SDK, to a server in another process: the same ranking, within its budget."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from commedia.results import RankResult
from commedia.session import Session

ENTRY = [sys.executable, "-c", "import sys; from commedia.cli.main import main; sys.exit(main())"]
ROWS = 40


@dataclass(frozen=True)
class Served:
    """A server over the world of *table*, and its log."""

    address: str
    table: pa.Table
    log: Path

    def charged(self) -> int:
        """Return the tokens that the server charged, all requests together."""
        usages = [json.loads(line)["usage"] for line in self.log.read_text().splitlines()]
        return sum(u["input_tokens"] + u["output_tokens"] for u in usages if u)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    world = folder / "world.csv"
    table = pa.table(
        {
            "key": [f"k{n}" for n in range(ROWS)],
            "note": [f"note number {n} about a thing" for n in range(ROWS)],
            "harm": [float(n * 17 % ROWS) for n in range(ROWS)],
        }
    )
    pacsv.write_csv(table, world)
    log = folder / "served.jsonl"
    options = ["--world", str(world), "--id", "key", "--truth", "harm", "--log", str(log)]
    command = [*ENTRY, "serve", *options, "--port", "0", "--accuracy", "0.85"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert server.stdout is not None
    yield Served(server.stdout.readline().strip(), table, log)
    server.terminate()
    server.wait(timeout=30)


def ranked(served: Served, *, budget: str | None = None, ask: str = "list:5") -> RankResult:
    """Rank through the server where there is a budget, else directly."""
    model = "claude-haiku-5-5" if budget else None
    address = served.address if budget else None
    with Session(runtime="inline", model=model, base_url=address, budget=budget) as session:
        return session.rank(served.table, "harm", text="note", id="key", truth="harm", ask=ask)


@pytest.mark.parametrize("ask", ["list:5", "graded"])
def test_the_ranking_is_the_one_that_the_judge_gives_directly(served: Served, ask: str) -> None:
    before = served.charged()
    direct = ranked(served, ask=ask)
    over_http = ranked(served, budget="10M", ask=ask)

    assert over_http.digest == direct.digest
    assert over_http.calls == direct.calls
    assert over_http.simulated, "the endpoint declares itself"
    kept = pq.read_schema(str(over_http.output)).metadata
    assert kept[b"commedia.simulated"] == b"yes"
    assert over_http.tokens == served.charged() - before
    assert over_http.status == "completed"


def test_half_the_budget_that_it_needs_is_never_passed(served: Served) -> None:
    needed = ranked(served, budget="10M").tokens
    before = served.charged()
    half = ranked(served, budget=f"{needed // 2}tokens")

    assert (half.status, half.stopped) == ("degraded", "budget")
    assert 0 < served.charged() - before <= needed // 2
    assert half.n == ROWS


@pytest.mark.shared_data
def test_a_real_table_is_sorted_as_promised(shared_data: Path) -> None:
    """420 advisories with a real score, a simulated judge of 85%: the bar of the benchmark."""
    table = pq.read_table(shared_data / "tickets" / "rustsec_advisories.parquet")
    text = "{title}\n{description}"
    with Session(runtime="inline", accuracy=0.85) as session:
        result = session.rank(table, "severity", text=text, id="ticket_id", truth="cvss_score")

    assert result.truth is not None
    assert (result.truth["tau_b"] or 0.0) >= 0.89
    assert result.calls <= 1550
    assert (result.n, result.table.num_rows) == (420, 420)
    assert result.status == "completed"
