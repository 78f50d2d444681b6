"""What the examples hold, loaded by path as the command line loads it."""

from pathlib import Path
from typing import Any

from commedia.workflows import load_name

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def held(file: str, name: str) -> Any:
    """Return what *file* of the examples calls *name*."""
    return load_name(f"{EXAMPLES / file}:{name}")
