"""Rubrics: what makes an output good, in several criteria, each with its weight."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .actors.errors import UsageError

MOST_CRITERIA = 20
MOST_NAME_CHARS = 100
MOST_DESCRIPTION_CHARS = 4_000
MOST_WEIGHT = 1e6

EXAMPLE = '[[criteria]] name = "accuracy", description = "...", weight = 2'

_KEYS = ("name", "description", "weight")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One quality, and how much it counts beside the others."""

    name: str
    description: str = ""
    weight: float = 1.0

    @property
    def by(self) -> str:
        """The quality as a judge is told it."""
        return f"{self.name}: {self.description}" if self.description else self.name


@dataclass(frozen=True, slots=True)
class Rubric:
    """What judges compare by: one criterion or several, in the order given."""

    criteria: tuple[Criterion, ...]

    @classmethod
    def of(cls, by: str) -> "Rubric":
        """Return a rubric of one quality; raises UsageError where it says nothing."""
        return cls((Criterion(_text(by, "the quality to compare by")),))

    @property
    def names(self) -> list[str]:
        """The name of each criterion."""
        return [criterion.name for criterion in self.criteria]

    @property
    def shares(self) -> list[float]:
        """The weight of each criterion, as a share of all: they sum to 1."""
        total = sum(criterion.weight for criterion in self.criteria)
        return [criterion.weight / total for criterion in self.criteria]

    def by(self) -> list[str]:
        """Return one quality text a criterion: what `run.map(run.judge, ..., by=...)` takes."""
        return [criterion.by for criterion in self.criteria]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the criteria as plain values, which `read_criteria` reads."""
        return [{key: getattr(each, key) for key in _KEYS} for each in self.criteria]


def read_rubric(path: str | Path) -> Rubric:
    """Read the rubric in *path*, a TOML or JSON file with an array `criteria` of tables.

    Each has a `name`, and maybe a `description` and a `weight` above 0 (default 1). Raises
    UsageError, which says what is wrong, where, and what to do.
    """
    source = str(path)
    content = _content(source)
    unknown = [key for key in content if key != "criteria"]
    if unknown:
        raise UsageError(
            f"rubric {source} has a key {unknown[0]!r}; it holds criteria alone, as in {EXAMPLE}"
        )
    return read_criteria(content.get("criteria"), source=f"rubric {source}")


def read_criteria(criteria: Any, *, source: str) -> Rubric:  # Any: what a file holds
    """Read *criteria*, a list of mappings; errors begin with *source*."""
    if not isinstance(criteria, Sequence) or isinstance(criteria, str | bytes) or not criteria:
        raise UsageError(f"{source} has no criteria; list at least one, as in {EXAMPLE}")
    if len(criteria) > MOST_CRITERIA:
        raise UsageError(
            f"{source} has {len(criteria)} criteria, and each is judged by itself; keep at most "
            f"{MOST_CRITERIA}"
        )
    found = [
        _criterion(each, f"criterion {place} of {source}")
        for place, each in enumerate(criteria, start=1)
    ]
    names = [criterion.name for criterion in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{source} has two criteria named {name!r}; rename one")
    return Rubric(tuple(found))


def _content(source: str) -> Mapping[str, Any]:
    file = Path(source)
    if file.suffix.lower() not in (".toml", ".json"):
        raise UsageError(f"rubric {source} is neither a .toml nor a .json file; write one of these")
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        raise UsageError(f"rubric {source} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise UsageError(
            f"rubric {source} cannot be read ({error.strerror}); check the path"
        ) from None
    kind = file.suffix[1:].upper()
    try:
        content = tomllib.loads(text) if kind == "TOML" else json.loads(text)
    except (ValueError, RecursionError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"rubric {source} is not {kind} ({why}); correct it") from None
    if not isinstance(content, dict):
        raise UsageError(
            f'rubric {source} is no object; write {{"criteria": [{{"name": "..."}}, ...]}}'
        )
    return content


def _criterion(given: Any, where: str) -> Criterion:  # Any: what a file holds
    if not isinstance(given, Mapping):
        raise UsageError(f"{where} is no table; write it as {EXAMPLE}")
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise UsageError(f"{where} has a key {unknown[0]!r}; it may have {', '.join(_KEYS)}")
    if "name" not in given:
        raise UsageError(f"{where} has no name; give it one, as in {EXAMPLE}")
    name = _text(given["name"], f"the name of {where}", most=MOST_NAME_CHARS)
    description = ""
    if given.get("description") not in (None, ""):
        description = _text(given["description"], f"the description of {where}")
    return Criterion(name, description, _weight(given.get("weight", 1.0), where))


def _text(value: Any, what: str, *, most: int = MOST_DESCRIPTION_CHARS) -> str:  # Any: as above
    if not isinstance(value, str):
        raise UsageError(f"{what} is no text but {_short(value)}; write it in quotes")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise UsageError(f"{what} is not valid UTF-8; write it in UTF-8")
    plain = " ".join(value.split())
    if not plain:
        raise UsageError(f"{what} is blank; say what a judge should look for")
    if len(plain) > most:
        raise UsageError(f"{what} has {len(plain):,} characters; keep to {most:,}")
    return plain


def _weight(value: Any, where: str) -> float:  # Any: as above
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < MOST_WEIGHT:
        raise UsageError(
            f"the weight of {where} is {_short(value)}; give a number above 0 and below a million, "
            "as in weight = 2"
        )
    return float(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
