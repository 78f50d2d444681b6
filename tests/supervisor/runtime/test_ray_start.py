"""What is checked before a Ray of our own is started."""

import subprocess
import sys

RAY_FIRST = """
import ray
from commedia.actors.errors import UsageError
from commedia.supervisor.runtime.ray_runtime import start_ray
try:
    start_ray()
except UsageError as error:
    print(error)
"""
SPARED = """
import sys
import commedia.supervisor.runtime.warm
import pyarrow as pa
pa.array(["a"]).to_pylist()
print("pandas" in sys.modules)
pa.table({"a": [1]}).to_pandas()
print("pandas" in sys.modules)
"""


def printed(code: str) -> list[str]:
    """Return the lines that a fresh process prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_ray_that_was_imported_before_is_refused_in_one_sentence() -> None:
    [line] = printed(RAY_FIRST)

    assert line.startswith("this process imported ray before")


def test_a_worker_imports_pandas_only_when_it_is_needed() -> None:
    assert printed(SPARED) == ["False", "True"]
