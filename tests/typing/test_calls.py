"""A wrong argument of a workflow is an error before it runs."""

import re
from pathlib import Path

from mypy import api

ROOT = Path(__file__).parents[2]
FOLLOWED = "commedia.supervisor.run,commedia.supervisor.workflow"
"""What the calls are about; to follow the rest would take half a minute."""

CONFIG = f"""\
[mypy]
strict = true
mypy_path = {ROOT / ".src"}
follow_imports = skip
[mypy-{FOLLOWED}]
follow_imports = silent
"""


def test_mypy_finds_each_wrong_call_and_no_other(tmp_path: Path) -> None:
    """The marks that let `mypy tests` pass are taken off: their lines, and only they, are wrong."""
    calls = (Path(__file__).parent / "calls.py").read_text()
    bare = re.sub(r"  # type: ignore.*", "  # wrong", calls)
    (tmp_path / "calls.py").write_text(bare)
    (tmp_path / "mypy.ini").write_text(CONFIG)
    config, cache = str(tmp_path / "mypy.ini"), str(tmp_path / "cache")

    said, crashed, _ = api.run(
        ["--config-file", config, "--cache-dir", cache, str(tmp_path / "calls.py")]
    )

    wrong = {n for n, line in enumerate(bare.splitlines(), 1) if line.endswith("# wrong")}
    assert crashed == ""
    assert len(wrong) > 10
    assert {int(n) for n in re.findall(r"calls\.py:(\d+): error", said)} == wrong, said
