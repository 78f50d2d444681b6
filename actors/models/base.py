"""The Model port: the one way from a role to whatever answers it."""

from collections.abc import AsyncIterator
from typing import Protocol

import pyarrow as pa


class Model(Protocol):
    """Anything that answers requests: a batch in, a stream of replies out."""

    @property
    def reads_prompts(self) -> bool:
        """Whether requests need their `prompt` and `spec` filled, or `items` alone will do."""
        ...

    def answer(self, requests: pa.RecordBatch) -> AsyncIterator[pa.RecordBatch]:
        """Yield the replies (tables.REPLIES) to *requests* (tables.REQUESTS) as they finish.

        Every request is answered exactly once; what went wrong is a status, never an exception.
        """
        ...
