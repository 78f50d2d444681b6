"""Steps of a workflow without a model: tools and waits, journaled so that they happen once."""

import asyncio
import base64
import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

import pyarrow as pa
from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from ..actors.errors import ActorDiedError, CommediaError, RunFailedError, ToolError, UsageError
from ..actors.tables import bytes_of, concat, table_of
from .backstage import Backstage, digest
from .keys import key_of

T = TypeVar("T")

_JSON: Final = "json"
_ARROW: Final = "arrow"
_BATCH: Final = "batch"
_UNREADABLE: Final = (PydanticUserError, ValueError, TypeError, NameError)


async def call_tool(
    stage: Backstage, path: str, function: Callable[..., T], args: Mapping[str, Any]
) -> T:
    """Return what *function* returned in an earlier life, or call it on a host, and keep it.

    A value that is neither JSON, nor Arrow, nor of a type that the function's annotation names
    cannot be kept, nor can a call whose arguments have no content that can be told: a resumed run
    then calls the function again. Raises ToolError where it raises.
    """
    key = key_of(function, args)
    known = None if key is None else stage.recall(path, key)
    if known is not None:
        with suppress(*_UNREADABLE):  # by an edited function, which returns another type now
            return _decoded(function, known["kind"], known["value"])
    with stage.underway():
        value = await _called(stage, path, function, args)
        kept = None if key is None else _encoded(function, value)
        if kept is None:
            stage.event("unkept", f"{path}: what the tool was given or returned cannot be kept")
        else:
            record = {"t": "tool", "p": path, "h": key, "kind": kept[0], "value": kept[1]}
            await stage.record(record)
    await stage.unless_paused()
    return value


async def wait_until(stage: Backstage, path: str, seconds: float) -> None:
    """Wait *seconds*, or what was left of them when an earlier life of the run ended."""
    if stage.virtual is not None:
        return await asyncio.sleep(seconds)
    key, now = digest(seconds), stage.desk.clock.epoch()
    known = stage.recall(path, key)
    until = now + seconds if known is None else float(known["until"])
    if known is None:
        stage.desk.note({"t": "sleep", "p": path, "h": key, "until": until})
    return await asyncio.sleep(min(until - now, seconds))


async def _called(
    stage: Backstage, path: str, function: Callable[..., T], args: Mapping[str, Any]
) -> T:
    try:
        value: T = await stage.do(stage.desk.call(function, args))
    except (ActorDiedError, RunFailedError, UsageError):
        raise
    except Exception as error:
        why = str(error) if isinstance(error, CommediaError) else f"{type(error).__name__}: {error}"
        raise ToolError(path, why) from error
    return value


def _encoded(function: Callable[..., T], value: T) -> tuple[str, Any] | None:
    """Return *value* as the journal keeps it; None where it would not come back as it is."""
    if isinstance(value, pa.Table | pa.RecordBatch):
        kind = _BATCH if isinstance(value, pa.RecordBatch) else _ARROW
        return kind, base64.b64encode(bytes_of(value)).decode()
    try:
        shown = TypeAdapter(type(value)).dump_python(value, mode="json")
        kept = json.loads(json.dumps(shown, allow_nan=False))
        is_same = bool(_decoded(function, _JSON, kept) == value)
    except _UNREADABLE:
        return None
    return (_JSON, kept) if is_same else None


def _decoded(function: Callable[..., T], kind: str, value: Any) -> T:
    if kind in (_ARROW, _BATCH):
        table = table_of(base64.b64decode(value))
        return concat(table.to_batches(), table.schema) if kind == _BATCH else table  # type: ignore[no-any-return]
    wanted = inspect.signature(function, eval_str=True).return_annotation
    if wanted is inspect.Signature.empty:
        return value  # type: ignore[no-any-return]
    found: T = TypeAdapter(wanted).validate_python(value)
    return found
