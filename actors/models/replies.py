"""Replies on their way home: one record a call, and the batch that carries them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from ..answers import Asked, Preference, write_answer
from ..questions import Question
from ..tables import ANSWERS, CLOSED, REPLIES, batch, words
from .wire import Usage

NOTHING: Final = Usage()
_NONE: Final = Preference()
_MOST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Reply:
    """How a call ended: its answer where *status* is `ok`, and what all its attempts took.

    *verdict* is a judge's answer, or the text of a typed one.
    """

    call_id: int
    status: str
    reason: str | None = None
    question: Asked | None = None
    verdict: Preference | str | None = None
    usage: Usage = NOTHING
    cost_nanousd: int | None = None
    served_model: str | None = None
    attempts: int = 0

    @property
    def answer(self) -> str | None:
        """A judge's verdict in canonical JSON: none of its own words; or a typed answer."""
        if isinstance(self.verdict, str):
            return self.verdict
        if self.verdict is None or not isinstance(self.question, Question):
            return None
        return write_answer(self.question, self.verdict)


def reply_batch(replies: Sequence[Reply]) -> pa.RecordBatch:
    """Lay *replies* out as rows of REPLIES; a judge's answer is closed."""
    found = [reply.verdict for reply in replies]
    verdicts = [each if isinstance(each, Preference) else _NONE for each in found]
    usages = [reply.usage for reply in replies]
    columns = {
        "call_id": [reply.call_id for reply in replies],
        "status": words(reply.status for reply in replies),
        "reason": words(reply.reason for reply in replies),
        "answer": [reply.answer for reply in replies],
        "grade": [verdict.grade for verdict in verdicts],
        "order": [verdict.order for verdict in verdicts],
        "tokens_in": [min(usage.tokens_in, _MOST) for usage in usages],
        "tokens_out": [min(usage.tokens_out, _MOST) for usage in usages],
        "tokens_thinking": [min(usage.thinking, _MOST) for usage in usages],
        "tokens_cache_write": [min(usage.cache_write, _MOST) for usage in usages],
        "tokens_cache_read": [min(usage.cache_read, _MOST) for usage in usages],
        "cost_nanousd": [reply.cost_nanousd for reply in replies],
        "served_model": words(reply.served_model for reply in replies),
        "attempts": [reply.attempts for reply in replies],
    }
    return batch(REPLIES, columns, rows=len(replies), integrity=CLOSED, provenance=ANSWERS)
