"""What workers, verifiers and readers share: a prompt goes in, a typed answer comes out."""

from collections.abc import AsyncIterator
from typing import ClassVar

from .actor import Actor, Context, Envelope, Ref
from .messages import Answers, Ask, Done, Play, Trial
from .models.base import Model
from .models.remote import GatewayModel
from .simulation.world import World


class Role(Actor):
    """Plays any number of agents of one role at once; every request is a clean context of its own.

    The requests come with their prompts: the file of each role says how they are written.
    """

    role: ClassVar[str]

    def __init__(self) -> None:
        self._model: Model | None = None

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Take what to play with (Play), show that it lives (Trial), or answer requests (Ask)."""
        match envelope.body:
            case Play() as play:
                self._model = open_model(play, envelope, self.context)
                yield Envelope(Done())
            case Trial():
                yield Envelope(Done())
            case Ask():
                assert self._model is not None, f"a {self.role} is asked only after it was prepared"
                async for replies in self._model.answer(envelope.batch()):
                    yield Envelope(Answers(), replies)


def open_model(play: Play, envelope: Envelope, context: Context) -> Model:
    """Return the model that *play* names: simulated here, or behind the gateway."""
    if play.model.is_simulated:
        from .models.patient import Patient  # only hosts that simulate need these
        from .models.simulated_agents import SimulatedAgents

        return Patient(SimulatedAgents(play.model, World.of_batch(envelope.batch())))
    return gateway_model(play.gateway, context)


def gateway_model(gateway: Ref | None, context: Context) -> GatewayModel:
    """Return the model behind *gateway*."""
    assert gateway is not None, "a model that is not simulated is reached by the gateway"
    return GatewayModel(gateway, context)
