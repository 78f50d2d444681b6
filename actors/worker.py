"""The worker: one goal, a clean context, a typed answer."""

from typing import ClassVar, Final

from .prompts import Segment
from .role import Role

VARIANT: Final = "worker-1"
"""The version of what a worker is told around its prompt: part of every call's identity."""


class Worker(Role):
    """Plays workers: their prompt is the workflow's own, word for word."""

    role: ClassVar[str] = "worker"


def segments(prompt: str) -> list[Segment]:
    """Return what a worker is shown."""
    return [Segment(prompt)]
