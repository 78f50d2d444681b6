"""What a command line names: a model, which may be a function in a file, and a simulated world."""

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .actors.errors import UsageError
from .actors.messages import Script
from .actors.simulation.world import Thing, World
from .panel import Judges
from .workflows import load_file, load_name

_MOST_NAMED = 8


def model_of(name: str | None) -> str | Script | None:
    """Return the model that *name* means: `FILE.py:FUNCTION` is a scripted one."""
    if name is not None and name.endswith(".py"):
        raise UsageError(f"a scripted model is FILE.py:FUNCTION; {_functions(name)}")
    if name is None or ".py:" not in name:
        return name
    found = load_name(name)
    if not callable(found):
        raise UsageError(f"{name} is no function; a scripted model is one that takes a request")
    script: Script = found
    return script


def models_of(names: Sequence[str]) -> Judges:
    """Return the judge, or the panel, that *names* mean."""
    found = [model_of(name) for name in names]
    judges = [each for each in found if each is not None]
    return judges if len(judges) > 1 else (judges[0] if judges else None)


def _functions(file: str) -> str:
    """Return in a clause which functions of *file* could be meant."""
    module = load_file(file)
    found = [
        f"{file}:{name}"
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    return f"give {' or '.join(found[:_MOST_NAMED])}" if found else f"{file} holds no function"


def source_of(script: Script | None) -> str | None:
    """Return where a scripted model can be found again; None where it cannot."""
    code = getattr(script, "__code__", None)
    name = getattr(script, "__qualname__", "<")
    if code is None or "<" in name or not Path(code.co_filename).is_file():
        return None
    return f"{Path(code.co_filename).resolve()}:{name}"


def world_of(source: str | None) -> World | None:
    """Return the world in *source*: JSON lines of things, or `FILE.py:NAME`; raises UsageError."""
    if source is None:
        return None
    if ".py:" in source:
        found = load_name(source)
        if not isinstance(found, World):
            raise UsageError(f"{source} is a {type(found).__name__}, and no World")
        return found
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the world {source} cannot be read: {error}") from None
    things = [_thing(source, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    try:
        return World(things)
    except ValueError as error:
        raise UsageError(f"the world {source}: {error}") from None


def _thing(source: str, number: int, line: str) -> Thing:
    try:
        facts: dict[str, Any] = json.loads(line)
        return Thing(**{**facts, "wrong": tuple(facts.get("wrong", ()))})
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"line {number} of the world {source} is no thing: {error}") from None
