"""What a person is told of a run as it goes: where it stands, and what its workflow logs."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..actors.actor import Message
from ..actors.bracket import Progress
from .logbook import Logbook
from .orders import Noted, RunSpec, Tally

_OFTEN_S: Final = 0.25
_SOON_S: Final = 0.1
"""Lines that are logged within so many seconds are told together."""


class Teller:
    """Has *note* tell the driver where a run stands, and the lines that its workflow logs."""

    def __init__(
        self, spec: RunSpec, tally: Tally, log: Logbook, note: Callable[[Message], None]
    ) -> None:
        self._spec, self._tally, self._log, self._note = spec, tally, log, note
        self._loop = asyncio.get_running_loop()
        self._said: list[str] = []
        self._told_s = 0.0
        self.phase = ""
        self.ranking: Progress | None = None

    def tell(self) -> None:
        """Tell where the run stands."""
        said, self._said = tuple(self._said), []
        self._told_s = self._log.elapsed_s
        now = self._tally.progress(self.ranking, phase=self.phase, elapsed_s=self._told_s)
        spec = self._spec
        told = replace(now, model=spec.model.name, is_sort=spec.is_sort, said=said)
        self._note(Noted(progress=replace(told, run_id=spec.run_id)))

    def tell_at_times(self) -> None:
        """Tell where the run stands, unless that was told a moment ago."""
        if self._log.elapsed_s - self._told_s > _OFTEN_S:
            self.tell()

    def say(self, line: str) -> None:
        """Tell *line* soon; any thread may say one."""
        self._loop.call_soon_threadsafe(self._say, line)

    def tell_the_rest(self) -> None:
        """Tell the lines that wait to be told, if any do."""
        if self._said:
            self.tell()

    def _say(self, line: str) -> None:
        self._said.append(line)
        if len(self._said) == 1:
            self._loop.call_later(_SOON_S, self.tell_the_rest)
