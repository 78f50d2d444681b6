"""Where a run stands that has not said so itself: one that was cut off, or is under way."""

from dataclasses import replace
from typing import Any

from .actors.errors import CommediaError
from .supervisor.blobs import Blobs
from .supervisor.charges import BLOBS, CHARGES, Past
from .supervisor.journal import read_journal
from .supervisor.run_lock import is_locked
from .supervisor.store import RunRecord

UNFINISHED = "unfinished"


def standing(record: RunRecord) -> RunRecord:
    """Return *record*, with the status and the counts that its journal has where it lacks them.

    A run that says that it is running, and that no process holds, is `unfinished`. Calls of
    simulated agents are in no journal, so they are not counted.
    """
    status = record.data.get("status") or UNFINISHED
    was_cut_off = status == "interrupted" and record.data.get("calls") is None
    if status not in ("running", UNFINISHED) and not was_cut_off:
        return record
    if not was_cut_off and not is_locked(record.path):
        status = UNFINISHED
    return replace(record, data={**record.data, **_counted(record), "status": status})


def going_on(record: RunRecord) -> list[str]:
    """Return in lines how to go on with a run that was cut off; nothing of any other."""
    if record.data.get("status") != UNFINISHED:
        return []
    return [
        "unfinished: the run was killed, or its machine fell; what was answered is kept",
        f"go on with: commedia resume {record.path.name}",
    ]


def _counted(record: RunRecord) -> dict[str, Any]:
    """Return the counts of the run's charge journal; none where it cannot be read."""
    past = Past()
    try:
        for entry in read_journal(record.path / CHARGES, Blobs(record.path / BLOBS)):
            past.take_in(entry)
    except (CommediaError, OSError):
        return {}
    if not past.asked:
        return {}
    cost = past.spent.nanousd / 1e9
    return {
        "agents": len({path for path, _ in past.asked}),
        "calls": len(past.asked),
        "tokens": past.spent.tokens,
        "cost_usd": cost if cost else None,
        "unsettled": [call.told() for call in past.unsettled],
    }
