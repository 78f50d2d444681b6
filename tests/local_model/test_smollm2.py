"""A server and a model that we did not write: a real judge that knows nothing is found out.

llama.cpp's Messages API ignores structured output, and SmolLM2-135M picks what it sees first, when
it answers at all. `make local-model` installs both.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from commedia import Session

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-local-model" / "bin" / "python"
ADVISORIES = ROOT.parent / "shared" / "data" / "tickets" / "rustsec_advisories.parquet"

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.timeout(700),
    pytest.mark.skipif(not PYTHON.exists(), reason="`make local-model` was not run"),
    pytest.mark.skipif(not ADVISORIES.exists(), reason="the shared data is not beside the house"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    command = [PYTHON, ROOT / "benchmarks" / "local_model.py"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


@pytest.mark.parametrize("ask", ["pair", "list:10"])
def test_a_judge_without_information_is_found_out(address: str, ask: str) -> None:
    table = pq.read_table(ADVISORIES).slice(0, 40)
    with Session(model="smollm2", base_url=address, runtime="inline", budget="300k") as session:
        result = session.rank(table, "severity", text="{title}", ask=ask)

    assert result.status == "degraded"
    assert not result.simulated
    assert sum(result.missing.values()) > 0
    assert result.tokens <= 300_000
    assert (result.predicted_tau or 0.0) < 0.3
    assert result.wall_s <= 300
