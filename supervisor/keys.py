"""What a step without a model is known by: its function and its arguments, by their content."""

import base64
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError

from ..actors.tables import bytes_of
from .backstage import digest

_PLAIN = (str, int, float, bool, type(None))


class UnkeyedError(Exception):
    """Something whose content cannot be told from that of another: such a step is not kept."""


def key_of(function: Callable[..., Any], args: Mapping[str, Any]) -> str | None:
    """Return the key of a call: the same for the same code and arguments, in every process.

    None where an argument, or what the function closes over, has no content that can be told.
    """
    try:
        return digest([_function(function), _content(args)])
    except UnkeyedError:
        return None


def _function(function: Callable[..., Any]) -> Any:  # Any: JSON
    if isinstance(function, partial):
        return ["partial", _function(function.func), _content([function.args, function.keywords])]
    if (bound := getattr(function, "__self__", None)) is not None and hasattr(function, "__func__"):
        return ["method", _content(bound), _function(function.__func__)]
    code = getattr(function, "__code__", None)
    if code is None:  # a class, or one of C's functions
        return [getattr(function, "__module__", ""), getattr(function, "__qualname__", "")]
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    defaults = [function.__defaults__, function.__kwdefaults__]
    name = [Path(code.co_filename).stem, getattr(function, "__qualname__", "")]
    return [name, _code(code), _content(cells), _content(defaults)]


def _code(code: CodeType) -> Any:  # Any: JSON
    """Return what *code* does, wherever in its file it stands."""
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code.hex(), constants, list(code.co_names)]


def _content(value: Any) -> Any:  # Any: a value, and what JSON makes of it
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, pa.Table | pa.RecordBatch):
        return {"arrow": digest(base64.b64encode(bytes_of(value)).decode())}
    if isinstance(value, BaseModel):
        return [type(value).__qualname__, value.model_dump(mode="json")]
    if isinstance(value, Mapping):
        return {str(name): _content(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_content(part) for part in value]
    if callable(value) and hasattr(value, "__code__"):
        return _function(value)
    try:
        shown = TypeAdapter(type(value)).dump_python(value, mode="json")
    except (PydanticUserError, ValueError, TypeError):
        raise UnkeyedError(type(value).__qualname__) from None
    return [type(value).__qualname__, shown]
