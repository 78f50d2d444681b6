"""What is remembered of judges from one sort to the next: what their pilots found."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from .actors.judge import VARIANT
from .actors.messages import ModelSpec
from .actors.prompts import estimate_tokens
from .patterns.ranking.economics import Traits
from .rubrics import Rubric
from .supervisor.store import runs_home

KEPT: Final = timedelta(days=30)
"""Models change behind their names: what is older is found out anew."""

_SAMPLED: Final = 200


def known_traits(model: ModelSpec, rubric: Rubric, texts: Sequence[str]) -> Traits | None:
    """Return what an earlier pilot found of *model* on such texts by this rubric, if it is recent.

    None for models that cost nothing: their pilots need not be saved, and the same seed is to give
    the same ranking the second time.
    """
    if not _is_paid(model):
        return None
    try:
        kept = json.loads(_file(model, rubric, texts).read_text(encoding="utf-8"))
        age = datetime.now(UTC) - datetime.fromisoformat(kept["found"])
        return Traits.of(kept["traits"]) if age < KEPT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_traits(
    model: ModelSpec, rubric: Rubric, texts: Sequence[str], traits: Mapping[str, float]
) -> None:
    """Remember what a pilot found; a disk that refuses costs no more than the next pilot."""
    if not _is_paid(model):
        return
    file = _file(model, rubric, texts)
    beside = file.with_suffix(f".{os.getpid()}")
    kept: dict[str, Any] = {"model": model.name, "found": datetime.now(UTC).isoformat()}
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.write_text(json.dumps({**kept, "traits": dict(traits)}), encoding="utf-8")
        beside.replace(file)
    except OSError:
        return


def _is_paid(model: ModelSpec) -> bool:
    return not (
        model.is_simulated or model.script is not None or model.name.startswith("recorded:")
    )


def _file(model: ModelSpec, rubric: Rubric, texts: Sequence[str]) -> Path:
    """Return where that is kept: one judge on texts of another length is another judge."""
    sample = texts[:_SAMPLED]
    length = sum(map(estimate_tokens, sample)) // max(len(sample), 1)
    shape = [model.name, model.base_url, VARIANT, rubric.by(), length.bit_length()]
    name = blake2b(json.dumps(shape).encode(), digest_size=12).hexdigest()
    return runs_home().parent / "judges" / f"{name}.json"
