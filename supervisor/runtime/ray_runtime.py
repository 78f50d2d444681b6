"""Actors on Ray: the one file that imports it. Everything odd about Ray stays here.

Ray's own restarts and retries are off: its replay runs calls twice without telling, and with
restarts a death is noticed after seconds instead of milliseconds. Supervision is ours.
"""

import asyncio
import contextlib
import functools
import io
import logging
import os
import pickle
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import pyarrow as pa

from ...actors.actor import Actor, Artifact, Asking, Envelope, Message, Ref
from ...actors.clock import Clock, WallClock
from ...actors.errors import (
    ActorCancelledError,
    ActorDiedError,
    CommediaError,
    RunFailedError,
    UsageError,
)
from ...actors.tables import decode, encode
from .base import checked
from .processes import Session, start_watchdog, told

STOP_S = 5.0
"""How long an actor may take to stop in good order."""

WARM = (f"{__package__}.warm",)
"""What every worker imports as it starts."""

_RAISED: Final = re.compile(r"\w+(Error|Exception): ")

Wire = tuple[Message, Any]  # Any: bytes of a table, Ray's reference to them, or None


@dataclass(frozen=True, slots=True)
class RayRef:
    """The address of an actor on Ray."""

    name: str
    handle: Any  # Any: Ray's handles are untyped


@dataclass(frozen=True, slots=True)
class RayArtifact:
    """A table in Ray's object store."""

    rows: int
    reference: Any  # Any: Ray's references are untyped


class _Host:
    """The one Ray actor class: it hosts any commedia actor."""

    def __init__(self, pickled: bytes) -> None:
        self._actor: Actor = pickle.loads(pickled)

    async def begin(self) -> None:
        """Start the actor."""
        await self._actor.on_start(_RayContext(RayRuntime()))

    async def receive(self, body: Message, data: bytes | None) -> AsyncIterator[Wire]:
        """Answer one envelope."""
        async for reply in self._actor.receive(_opened(body, data)):
            yield _sealed(reply)

    async def end(self) -> None:
        """Stop the actor."""
        await self._actor.on_stop()


class RayRuntime:
    """Runs actors on the Ray that this process is connected to."""

    def __init__(self) -> None:
        self.clock: Clock = WallClock()

    async def start(self, actor: Actor, name: str) -> RayRef:
        """Start *actor* in a process of its own, somewhere on the cluster."""
        import ray
        from ray import cloudpickle

        host = ray.remote(_Host).options(
            num_cpus=0, max_restarts=0, max_task_retries=0, max_concurrency=1000
        )
        # As bytes, because what Ray unpickles itself has read-only arrays.
        ref = RayRef(name, host.remote(cloudpickle.dumps(actor)))  # type: ignore[no-untyped-call]
        try:
            await _translated(ref, ref.handle.begin.remote())
        except BaseException:
            self.kill(ref)
            raise
        return ref

    def ask(self, ref: Ref, envelope: Envelope) -> "_RayAsking":
        """Send *envelope* to *ref*, and return the replies to come."""
        assert isinstance(ref, RayRef)
        body, data = _sealed(checked(envelope))
        receive = ref.handle.receive.options(num_returns="streaming")
        return _RayAsking(ref, receive.remote(body, data))

    async def put(self, table: pa.RecordBatch) -> Artifact:
        """Put *table* into the object store, once for all who are sent it."""
        import ray

        return RayArtifact(table.num_rows, ray.put(encode(table)))

    def ship(self, module: ModuleType) -> None:
        """Have *module* pickled by value."""
        from ray import cloudpickle

        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]

    async def stop(self, ref: Ref) -> None:
        """Stop the actor at *ref*, in good order if it can."""
        assert isinstance(ref, RayRef)
        with contextlib.suppress(ActorDiedError, TimeoutError):
            await asyncio.wait_for(_translated(ref, ref.handle.end.remote()), STOP_S)
        self.kill(ref)

    def kill(self, ref: Ref) -> None:
        """End the actor at *ref* at once, as a crash would."""
        import ray

        assert isinstance(ref, RayRef)
        ray.kill(ref.handle)


@dataclass(slots=True)
class _RayContext:
    """What an actor on Ray may do."""

    runtime: RayRuntime

    @property
    def clock(self) -> Clock:
        return self.runtime.clock

    def ask(self, ref: Ref, envelope: Envelope) -> Asking:
        return self.runtime.ask(ref, envelope)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class _RayAsking:
    """A question under way: a streaming call of Ray's."""

    def __init__(self, ref: RayRef, stream: Any) -> None:
        self._ref = ref
        self._stream = stream
        self._is_cancelled = False

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        while True:
            try:
                reference = await anext(self._stream)
            except StopAsyncIteration:
                return
            except Exception as error:
                raise self._translate(error) from None
            try:
                body, data = await reference
            except Exception as error:
                raise self._translate(error) from None
            yield _opened(body, data)

    def cancel(self) -> None:
        """Take the question back."""
        import ray

        self._is_cancelled = True
        with contextlib.suppress(Exception):  # a question that has ended cannot be taken back
            ray.cancel(self._stream)

    def _translate(self, error: Exception) -> Exception:
        if self._is_cancelled:
            return ActorCancelledError("the question was taken back")
        return _translate(self._ref, error)


_cluster: "tuple[Session, Any] | None" = None
_users = 0
_is_imported = False
_lock = threading.Lock()


def start_ray(*, workers: int = 3) -> RayRuntime:
    """Start a Ray of our own on this machine, or return the one that runs; quiet and private.

    So many *workers* wait for actors from the start, warm: for a supervisor, a bracket and a first
    host. Who comes later starts its own.
    """
    global _cluster, _users
    with _lock:
        if _cluster is None:
            _check_first()
            session = Session.create(WARM)
            _cluster = session, start_watchdog(session)
            try:
                with told(session):
                    _init(session, workers)
                _pickle_cached_functions()
            except BaseException as error:
                _end(patience_s=0.0)  # what is half started does nothing that is waited for
                if not isinstance(error, Exception):
                    raise
                raise RunFailedError(f"Ray did not start: {str(error).splitlines()[0]}") from error
        _users += 1
    return RayRuntime()


def stop_ray() -> None:
    """End the Ray that `start_ray` started, once all who started it have stopped it."""
    global _users
    with _lock:
        _users = max(_users - 1, 0)
        if _users == 0 and _cluster is not None:
            _end()


def _end(*, patience_s: float = STOP_S) -> None:
    global _cluster
    assert _cluster is not None
    session, watchdog = _cluster
    _cluster = None
    ray = sys.modules.get("ray")  # None where Ctrl-C came during its import
    if ray is not None:
        with _silenced():
            ray.shutdown()
    session.end(patience_s=patience_s)
    watchdog.stdin.close()
    watchdog.wait()


def _check_first() -> None:
    """Raise UsageError where someone else has imported Ray: it reads its token only then."""
    global _is_imported
    if "ray" in sys.modules and not _is_imported:
        raise UsageError(
            "this process imported ray before commedia started its own, which is private by what "
            "is set before that import; start the session first, or use runtime='inline'"
        )
    _is_imported = True


def _init(session: Session, workers: int) -> None:
    import ray
    from ray._private import worker

    handler = signal.getsignal(signal.SIGTERM)
    with _silenced(), _quickly(workers):
        ray.init(
            address="local",
            num_cpus=workers,  # our actors claim none; Ray starts one worker for each
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            object_store_memory=256 * 1024**2,
            namespace=session.name,
            _temp_dir=str(session.folder),
        )
    worker.print_to_stdstream = _unheard
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray puts its own in place, which aborts


@contextlib.contextmanager
def _quickly(workers: int) -> Any:
    """Have Ray start all *workers* at once, and nothing that nobody here asks for.

    That is its autoscaler, its log monitor and what is left of its dashboard: a second of CPU each,
    while Ray starts. No public setting spares them, or starts more workers at a time than there
    are cores. Where a Ray has other names for these, it starts as it likes.
    """
    from ray._private import services
    from ray._private.node import Node

    def cores() -> int:
        return workers

    replaced: list[tuple[Any, str, Any]] = [
        (Node, "start_monitor", _unheard),
        (Node, "start_log_monitor", _unheard),
        (Node, "start_api_server", _unheard),
        (services, "multiprocessing", SimpleNamespace(cpu_count=cores)),
    ]
    with contextlib.ExitStack() as undo:
        for owner, name, stand_in in replaced:
            if hasattr(owner, name):
                undo.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, stand_in)
        yield


@contextlib.contextmanager
def _silenced() -> Any:
    """Keep Ray's talk off this process's output while it starts or ends."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # Ray sets the levels of its own loggers as it starts
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _unheard(*_: Any, **__: Any) -> None:
    """Take the place of what prints Ray's own messages, which go to standard output unasked."""


def _sealed(envelope: Envelope) -> Wire:
    table = envelope.table
    if isinstance(table, RayArtifact):
        return envelope.body, table.reference
    return envelope.body, encode(table) if isinstance(table, pa.RecordBatch) else None


def _opened(body: Message, data: bytes | None) -> Envelope:
    if data is None:
        return checked(Envelope(body))
    if body.carries is None:
        raise TypeError(f"{type(body).__name__} carries no table")
    return Envelope(body, decode(data, body.carries))


def _pickle_cached_functions() -> None:
    """Let a function with a cache (functools) travel, as any other function of a script does."""
    from ray import cloudpickle

    cloudpickle.CloudPickler.dispatch_table[_CACHED] = _without_cache


def _without_cache(cached: Any) -> Any:  # Any: a function that functools caches; pickle's answer
    """Say how a cached function travels: by name where it is installed, else as what it caches."""
    from ray import cloudpickle

    shipped = cloudpickle.list_registry_pickle_by_value()  # type: ignore[no-untyped-call]
    if cached.__module__ not in {"__main__", *shipped}:
        return cached.__qualname__
    return _recached, (cached.__wrapped__, *cached.cache_parameters().values())


def _recached(function: Any, maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize, typed)(function)


_CACHED: Final = type(functools.cache(_recached))


async def _translated(ref: RayRef, reference: Any) -> Any:
    try:
        return await reference
    except Exception as error:
        raise _translate(ref, error) from None


def _translate(ref: RayRef, error: Exception) -> Exception:
    """Return what *error* means to us: the actor's own error, its death, or a cancelled ask."""
    from ray import exceptions

    if isinstance(error, exceptions.RayTaskError):
        cause = error.cause
        if not isinstance(cause, Exception):
            return error
        if not isinstance(cause, CommediaError):  # a fault of ours: keep where it happened
            cause.add_note(str(error))
        return cause
    if isinstance(error, exceptions.TaskCancelledError):
        return ActorCancelledError("the question was taken back")
    if isinstance(error, exceptions.RayActorError):
        return ActorDiedError(ref.name)
    if isinstance(error, exceptions.RaySystemError):
        why = [line for line in str(error).splitlines() if _RAISED.match(line)]
        said = why[-1] if why else str(error).partition("\n")[0]
        return RunFailedError(f"what was sent to the {ref.name} cannot be read there: {said}")
    return error
