"""Actors on Ray: the one file that imports it. Everything odd about Ray stays here.

Ray's own restarts and retries are off: its replay runs calls twice without telling, and with
restarts a death is noticed after seconds instead of milliseconds. Supervision is ours.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import pyarrow as pa

from ...actors.actor import Actor, Artifact, Asking, Envelope, Message, Ref
from ...actors.clock import Clock, WallClock
from ...actors.errors import ActorCancelledError, ActorDiedError, RunFailedError, UsageError
from ...actors.tables import decode, encode
from .base import checked
from .joining import check_address, check_answers, overheard, unjoined
from .meaning import meaning_of
from .naming import named
from .placing import Node, Placing, nodes_of
from .processes import JOINING, Session, settle_in, silenced, start_watchdog, told, unheard
from .shipping import pickle_cached_functions
from .sparing import quickly

STOP_S = 5.0
"""How long an actor may take to stop in good order."""

WARM = (f"{__package__}.warm",)
"""What every worker imports as it starts."""

BEAT: Final = "beat"
"""Who asks whether an actor lives is answered on a thread of its own, whatever the actor does."""

Wire = tuple[Message, Any]  # Any: bytes of a table, Ray's reference to them, or None


@dataclass(frozen=True, slots=True)
class RayRef:
    """The address of an actor on Ray."""

    name: str
    handle: Any  # Any: Ray's handles are untyped
    node: str = ""
    """The id of the node that was chosen for it; none where there was no choice."""


@dataclass(frozen=True, slots=True)
class RayArtifact:
    """A table in Ray's object store."""

    rows: int
    reference: Any  # Any: Ray's references are untyped


class _Host:
    """The one Ray actor class: it hosts any commedia actor."""

    def __init__(self, pickled: bytes) -> None:
        settle_in()
        self._actor: Actor = pickle.loads(pickled)

    async def begin(self) -> None:
        """Start the actor."""
        await self._actor.on_start(_RayContext(RayRuntime()))

    async def beat(self) -> None:
        """Show that this process lives."""

    async def receive(self, body: Message, data: bytes | None) -> AsyncIterator[Wire]:
        """Answer one envelope."""
        async for reply in self._actor.receive(_opened(body, data)):
            yield _sealed(reply)

    async def end(self) -> None:
        """Stop the actor."""
        await self._actor.on_stop()


class RayRuntime:
    """Runs actors on the Ray that this process is connected to, on all of its nodes in turn."""

    def __init__(self) -> None:
        self.clock: Clock = WallClock()
        self._placed: Placing | None = None
        self._living: set[Any] = set()

    async def start(self, actor: Actor, name: str) -> RayRef:
        """Start *actor* in a process of its own, somewhere on the cluster."""
        import ray
        from ray import cloudpickle
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

        if _has_ended:
            raise RunFailedError(f"Ray has ended, so no {name} can be started")
        remote: Any = ray.remote
        host: Any = remote(concurrency_groups={BEAT: 1})(named(_Host, name))
        options = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0, "max_concurrency": 1000}
        node = await self._placing.place(self.nodes())
        placed = host.options(**options, scheduling_strategy=On(node, soft=False) if node else None)
        # As bytes, because what Ray unpickles itself has read-only arrays.
        handle = placed.remote(cloudpickle.dumps(actor))  # type: ignore[no-untyped-call]
        ref = RayRef(name, handle, node)
        self._living.add(handle)
        try:
            await self._translated(ref, handle.begin.remote())
        except BaseException:
            self.kill(ref)
            raise
        return ref

    def ask(self, ref: Ref, envelope: Envelope) -> "_RayAsking":
        """Send *envelope* to *ref*, and return the replies to come."""
        assert isinstance(ref, RayRef)
        body, data = _sealed(checked(envelope))
        receive = ref.handle.receive.options(num_returns="streaming")
        return _RayAsking(self, ref, receive.remote(body, data))

    async def beat(self, ref: Ref) -> None:
        """Return once the process of *ref* shows that it lives."""
        assert isinstance(ref, RayRef)
        if _has_ended:
            raise ActorDiedError(ref.name)
        await self._translated(ref, ref.handle.beat.options(concurrency_group=BEAT).remote())
        self._placing.trust(ref.node)

    def doubt(self, ref: Ref) -> None:
        """Start nothing on the node of *ref*, which did not answer, until it does."""
        assert isinstance(ref, RayRef)
        self._placing.doubt(ref.node)

    def is_doubted(self, ref: Ref) -> bool:
        """Whether the node of *ref* did not answer."""
        assert isinstance(ref, RayRef)
        return ref.node in self._placing.doubted

    async def put(self, table: pa.RecordBatch) -> Artifact:
        """Put *table* into the object store, once for all who are sent it."""
        import ray

        return RayArtifact(table.num_rows, ray.put(pa.py_buffer(encode(table))))  # read in place

    def ship(self, module: ModuleType) -> None:
        """Have *module* pickled by value."""
        from ray import cloudpickle

        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]

    async def stop(self, ref: Ref) -> None:
        """Stop the actor at *ref*, in good order if it can."""
        assert isinstance(ref, RayRef)
        if ref.handle in self._living:
            with contextlib.suppress(ActorDiedError, TimeoutError):
                ending = self._translated(ref, ref.handle.end.remote())
                await asyncio.wait_for(ending, STOP_S)
        self.kill(ref)

    def kill(self, ref: Ref) -> None:
        """End the actor at *ref* at once, as a crash would; who asks it hears of it as soon."""
        import ray

        assert isinstance(ref, RayRef)
        if not _has_ended:  # else it is gone, and to touch Ray would end this process
            ray.kill(ref.handle)
        self._bury(ref)

    @property
    def _placing(self) -> Placing:
        if self._placed is None:
            import ray

            self._placed = Placing(str(ray.get_runtime_context().get_node_id()))
        return self._placed

    def nodes(self) -> dict[str, Node]:
        """Return the nodes of the cluster, by their ids."""
        import ray

        return nodes_of(ray.nodes())  # type: ignore[no-untyped-call]

    def _bury(self, ref: RayRef) -> None:
        if ref.handle in self._living:
            self._living.remove(ref.handle)
            self._placing.lost(ref.node)

    async def _translated(self, ref: RayRef, reference: Any) -> Any:
        try:
            return await reference
        except Exception as error:
            raise self.translate(ref, error) from None

    def translate(self, ref: RayRef, error: Exception) -> Exception:
        """Return what *error* means to us, and take note of what it says of the node of *ref*."""
        from ray import exceptions

        meant = meaning_of(error, exceptions, actor=ref.name)
        if isinstance(meant, ActorDiedError):
            self._bury(ref)
        if isinstance(error, exceptions.ActorUnavailableError):
            self._placing.doubt(ref.node)
        return meant


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

    def __init__(self, runtime: RayRuntime, ref: RayRef, stream: Any) -> None:
        self._runtime, self._ref = runtime, ref
        self._stream = stream
        self._is_cancelled = False

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        while True:
            try:
                body, data = await (await anext(self._stream))
            except StopAsyncIteration:
                return
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
        return self._runtime.translate(self._ref, error)


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The Ray of this process: one that it joined, or its own, with a watchdog."""

    address: str | None
    session: Session | None = None
    watchdog: "subprocess.Popen[bytes] | None" = None


_cluster: _Cluster | None = None
_users, _is_imported, _has_ended = 0, False, False
_lock = threading.Lock()


def start_ray(*, workers: int = 3, address: str | None = None) -> RayRuntime:
    """Start a Ray of our own on this machine, or return the one that runs; quiet and private.

    So many *workers* wait for actors from the start, warm: for a supervisor, a bracket and a first
    host. Who comes later starts its own. With an *address* (HOST:PORT) the cluster there is joined
    instead, with the token that Ray finds in this process's environment; it outlives us. Raises
    UsageError where it cannot be, or this process uses another Ray.
    """
    global _users, _has_ended
    with _lock:
        if _cluster is None:
            _has_ended = False
            _start(workers) if address is None else _join(check_address(address))
        elif _cluster.address != address:
            raise UsageError("this process has a session on another Ray; Ray allows one at a time")
        _users += 1
    return RayRuntime()


def stop_ray() -> None:
    """End the Ray that `start_ray` started, or leave the joined one, once all have stopped it."""
    global _users
    with _lock:
        _users = max(_users - 1, 0)
        if _users == 0 and _cluster is not None:
            _end()


def _start(workers: int) -> None:
    global _cluster
    _check_first()
    session = Session.create(WARM)
    _cluster = _Cluster(None, session, start_watchdog(session))
    try:
        with told(session.environment):
            from ray._private import node, services

            with quickly(node.Node, services, workers):
                _init(
                    address="local",
                    num_cpus=workers,  # our actors claim none; Ray starts one worker for each
                    include_dashboard=False,
                    object_store_memory=256 * 1024**2,
                    namespace=session.name,
                    _temp_dir=str(session.folder),
                )
    except BaseException as error:
        _end(patience_s=0.0)  # what is half started does nothing that is waited for
        if not isinstance(error, Exception):
            raise
        raise RunFailedError(f"Ray did not start: {str(error).splitlines()[0]}") from error


def _join(address: str) -> None:
    global _cluster
    check_answers(address)
    with told(JOINING), overheard() as heard:
        import ray

        if ray.is_initialized():
            raise UsageError("a Ray is initialised in this process already; end it before joining")
        try:
            _init(address=address)  # in a namespace of its own, as Ray gives who names none
        except Exception as error:
            with silenced():
                ray.shutdown()
            raise UsageError(unjoined(address, error, heard())) from error
    _cluster = _Cluster(address)


def _end(*, patience_s: float = STOP_S) -> None:
    global _cluster, _has_ended
    assert _cluster is not None
    session, watchdog = _cluster.session, _cluster.watchdog
    _cluster, _has_ended = None, True
    ray = sys.modules.get("ray")  # None where Ctrl-C came during its import
    if ray is not None:
        with silenced():
            ray.shutdown()
    if session is not None and watchdog is not None and watchdog.stdin is not None:
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


def _init(**settings: Any) -> None:
    import ray
    from ray import cloudpickle
    from ray._private import worker

    handler = signal.getsignal(signal.SIGTERM)
    with silenced():
        ray.init(log_to_driver=False, configure_logging=False, **settings)
    worker.print_to_stdstream = unheard
    pickle_cached_functions(cloudpickle)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray puts its own in place, which aborts


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
