"""The driver's side of a run: starts the supervisor, hands the key over, and starts it again."""

from collections.abc import Callable

from ..actors.actor import Envelope, Ref
from ..actors.errors import ActorDiedError, RunFailedError
from ..actors.messages import HandOver
from .children import ChildSpec, Restart, RestartPolicy
from .orders import Execute, Finished, GatewayStarted, Halt, Noted
from .progress import RunProgress
from .runtime.base import Runtime, one_reply
from .supervisor import Supervisor


class Driver:
    """Runs one workflow under a supervisor. A supervisor that dies is started again where that
    costs nothing, as simulated answers do; a paid run ends there, and says so."""

    def __init__(
        self, runtime: Runtime, *, key: str | None, watch: Callable[[RunProgress], None]
    ) -> None:
        self._runtime = runtime
        self._key = key
        self._watch = watch
        self._supervisor: Ref | None = None
        self._is_halted = False

    async def run(self, order: Execute) -> Finished:
        """Run *order* to its end; raises what ended it."""
        policy = RestartPolicy(order.spec.intensity)
        is_free = order.spec.model.is_simulated
        kind = Restart.TRANSIENT if is_free else Restart.TEMPORARY
        spec = ChildSpec("supervisor", Supervisor, kind)
        while True:
            self._supervisor = await self._runtime.start(spec.create(), spec.name)
            try:
                return await self._follow(order)
            except ActorDiedError as error:
                now = self._runtime.clock.now()
                if not policy.restarts(spec, died=True, now=now):
                    raise RunFailedError(
                        f"the run's supervisor ended ({error.why}); what it had paid for is in "
                        f"{order.spec.folder}"
                    ) from error
            finally:
                await self._runtime.stop(self._supervisor)

    async def halt(self, *, cancel: bool = False) -> None:
        """Make no new call; with *cancel*, take back those under way as well."""
        self._is_halted = True  # for a supervisor that is still starting
        if self._supervisor is not None:
            order = Halt(how="cancel" if cancel else "drain")
            await one_reply(self._runtime.ask(self._supervisor, Envelope(order)))

    async def _follow(self, order: Execute) -> Finished:
        assert self._supervisor is not None
        order = order.model_copy(update={"is_halted": self._is_halted})
        async for reply in self._runtime.ask(self._supervisor, Envelope(order)):
            match reply.body:
                case GatewayStarted(gateway=gateway):
                    handing = self._runtime.ask(gateway, Envelope(HandOver(key=self._key)))
                    await one_reply(handing)
                case Noted(progress=progress):
                    self._watch(progress)
                case Finished() as finished:
                    return finished
        raise RunFailedError("the run's supervisor ended without a result")
