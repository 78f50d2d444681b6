"""A tournament as a workflow sees it."""

import pyarrow as pa

from ..actors.bracket import Progress
from .backstage import Backstage
from .tournament import Tournament


class Bracketed:
    """A tournament as a workflow sees it."""

    def __init__(self, backstage: Backstage, tournament: Tournament) -> None:
        self._stage, self._tournament = backstage, tournament

    async def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round (schema MATCHES); no rows once the ranking has stopped."""
        return await self._stage.do(self._tournament.next_matches(limit))

    async def record(self, outcomes: pa.RecordBatch) -> Progress:
        """Give the bracket a round's outcomes (schema OUTCOMES); returns where it stands."""
        return await self._stage.do(self._tournament.record(outcomes))

    async def exclude(self, items: tuple[int, ...]) -> Progress:
        """Take *items* out of the tournament."""
        return await self._stage.do(self._tournament.exclude(items))

    async def standing(self) -> tuple[pa.RecordBatch, Progress]:
        """Return the ranking so far (schema STANDING), and where it stands."""
        return await self._stage.do(self._tournament.standing())
