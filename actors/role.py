"""What workers, verifiers and readers share: a prompt goes in, a typed answer comes out."""

from collections.abc import AsyncIterator
from typing import ClassVar

from .actor import Actor, Context, Envelope
from .messages import Answers, Ask, Connect, Done, Play, Trial
from .models.base import Model
from .models.remote import GatewayModel, Line
from .simulation.world import World


class Role(Actor):
    """Plays any number of agents of one role at once; every request is a clean context of its own.

    The requests come with their prompts: the file of each role says how they are written.
    """

    role: ClassVar[str]

    def __init__(self) -> None:
        self._model: Model | None = None
        self._line = Line()

    async def receive(self, envelope: Envelope) -> AsyncIterator[Envelope]:
        """Take what to play with (Play, Connect), show that it lives (Trial), or answer (Ask)."""
        match envelope.body:
            case Play() as play:
                self._model = open_model(play, envelope, self._line, self.context)
                yield Envelope(Done())
            case Connect(gateway=gateway):
                self._line.gateway = gateway
                yield Envelope(Done())
            case Trial():
                yield Envelope(Done())
            case Ask():
                assert self._model is not None, f"a {self.role} is asked only after it was prepared"
                async for replies in self._model.answer(envelope.batch()):
                    yield Envelope(Answers(), replies)


def open_model(play: Play, envelope: Envelope, line: Line, context: Context) -> Model:
    """Return the model that *play* names: simulated here, or behind the gateway."""
    if play.model.is_simulated:
        from .models.patient import Patient  # only hosts that simulate need these
        from .models.simulated_agents import SimulatedAgents

        return Patient(SimulatedAgents(play.model, World.of_batch(envelope.batch())))
    return GatewayModel(line, context)
