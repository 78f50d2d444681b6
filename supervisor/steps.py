"""Steps of a workflow without a model: tools and waits, journaled so that they happen once."""

import base64
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import pyarrow as pa
from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError

from ..actors.errors import ActorDiedError, CommediaError, RunFailedError, ToolError
from ..actors.tables import bytes_of, table_of
from .backstage import Backstage, digest

T = TypeVar("T")

_JSON: Final = "json"
_ARROW: Final = "arrow"


async def call_tool(
    stage: Backstage, path: str, function: Callable[..., T], args: Mapping[str, Any]
) -> T:
    """Return what *function* returned in an earlier life, or call it on a host, and keep it.

    A value that is neither JSON, nor Arrow, nor of a type that the function's annotation names
    cannot be kept: a resumed run then calls the function again. Raises ToolError where it raises.
    """
    key = digest([_name(function), _shown(args)])
    known = stage.desk.recall(path, key)
    if known is not None:
        return _decoded(function, known["kind"], known["value"])
    try:
        value: T = await stage.do(stage.desk.call(function, args))
    except (ActorDiedError, RunFailedError):
        raise
    except Exception as error:
        why = str(error) if isinstance(error, CommediaError) else f"{type(error).__name__}: {error}"
        raise ToolError(path, why) from error
    kept = _encoded(value)
    if kept is not None:
        record = {"t": "tool", "p": path, "h": key, "kind": kept[0], "value": kept[1]}
        await stage.record(record)
    return value


async def wait_until(stage: Backstage, path: str, seconds: float) -> None:
    """Wait *seconds*, unless that was done in an earlier life of the run."""
    import asyncio

    if stage.virtual is not None:
        return await asyncio.sleep(seconds)
    key = digest(seconds)
    if stage.desk.recall(path, key) is None:
        await asyncio.sleep(seconds)
        await stage.record({"t": "sleep", "p": path, "h": key})
    return None


def _name(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", "")
    return f"{module.rpartition('.')[2]}.{getattr(function, '__qualname__', repr(function))}"


def _shown(value: Any) -> Any:  # Any: an argument, and what JSON makes of it
    """Return *value* as JSON can show it: tables by their content."""
    if isinstance(value, pa.Table | pa.RecordBatch):
        return {"arrow": digest(base64.b64encode(bytes_of(value)).decode())}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(name): _shown(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(part) for part in value]
    return value


def _encoded(value: Any) -> tuple[str, Any] | None:  # Any: what a function returned
    if isinstance(value, pa.Table | pa.RecordBatch):
        return _ARROW, base64.b64encode(bytes_of(value)).decode()
    try:
        return _JSON, TypeAdapter(type(value)).dump_python(value, mode="json")
    except (PydanticUserError, ValueError, TypeError):
        return None


def _decoded(function: Callable[..., T], kind: str, value: Any) -> T:
    if kind == _ARROW:
        table = table_of(base64.b64decode(value))
        wants_batch = inspect.signature(function).return_annotation is pa.RecordBatch
        return table.combine_chunks().to_batches()[0] if wants_batch else table  # type: ignore[no-any-return]
    wanted = inspect.signature(function, eval_str=True).return_annotation
    if wanted is inspect.Signature.empty:
        return value  # type: ignore[no-any-return]
    found: T = TypeAdapter(wanted).validate_python(value)
    return found
