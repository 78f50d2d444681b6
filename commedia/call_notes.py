"""What is to be said of a run's calls: which answers are missing and why, what was paid in vain."""

from collections.abc import Mapping

from .actors.answers import SILENT_CALLS
from .inert import inert
from .results import counted, perhaps_charged
from .supervisor.orders import Finished

CAUSES = {
    "auth": "the key was refused",
    "quota": "the account has no credit left",
    "model": "the server knows no such model",
    "connection": "the server could not be reached",
    "deadline": "no answer came in time",
    "max_tokens": "the answer did not end in time",
    "dead_letter": "an item killed its process again and again",
    "host_died": "the process died",
    "unusable": "no answer could be used",
    "schema": "the answers do not fit their schema",
    "type": "the answers do not fit the type that was asked for",
    "not_json": "the answers are no JSON",
    "script": "the scripted model raised",
    "rate_limited": "the server allows no more requests for now",
    "overloaded": "the server is overloaded",
    "server_error": "the server failed",
    "unrecorded": "the record has no answer to what was asked",
    "journal": "the run's journal could not be written",
}
"""Why answers are missing, in words; other causes say their own name."""
_MOST_CAUSES = 10
_MOST_SAID = 200


def causes_in_words(causes: Mapping[str, int]) -> str:
    """Return why answers are missing, and how many for each cause, the most frequent first."""
    ranked = sorted(causes.items(), key=lambda cause: (-cause[1], cause[0]))
    words = [f"{_in_words(cause)} ({n})" for cause, n in ranked[:_MOST_CAUSES]]
    return ", ".join([*words, *(["others"] if len(ranked) > _MOST_CAUSES else [])])


def _in_words(cause: str) -> str:
    word, _, rule = cause.partition(": ")
    return f"{CAUSES[word]}: {rule}" if rule and word in CAUSES else CAUSES.get(cause, cause)


def _next_call(tokens: int, nanousd: int, *, is_priced: bool) -> str:
    most = f"{tokens:,} tokens" + (f" (${nanousd / 1e9:,.4f})" if is_priced and nanousd else "")
    return (
        f"the next call may take {most} at most, and is begun only where the budget has that left; "
        "what it does not take comes back"
    )


def call_notes(finished: Finished) -> list[str]:
    """Return what a person should know of the calls of a *finished* ranking or evaluation."""
    tally, notes = finished.tally, []
    if tally.broken or tally.causes:
        words = causes_in_words(tally.causes or {tally.broken or "": 1})
        notes.append(f"answers are missing because: {words}")
    if tally.said and tally.causes:
        notes.append(f"the server said: {inert(tally.said, _MOST_SAID)}")
    if finished.halted == "budget" and any(tally.wanted):
        notes.append(_next_call(*tally.wanted, is_priced=tally.is_priced))
    if tally.unknown:
        notes.append(f"{tally.unknown} attempts may have been charged in vain; they count in full")
    if tally.reused:
        notes.append(
            f"{counted(tally.reused, 'answer')} of an earlier life of the run used again; asked "
            f"now: {counted(tally.asked, 'call')}"
        )
    if tally.unsettled:
        told = perhaps_charged([call.told() for call in tally.unsettled])
        notes.append(f"cut off or taken back in flight: {told}")
    if tally.overruns:
        notes.append(
            f"the server charged {tally.overruns} calls more than they can have taken, so the "
            "budget could not be held to it, and nothing more was asked"
        )
    if finished.halted == "silence":
        notes.append(f"{SILENT_CALLS} calls in a row had no usable answer, so the run was ended")
    if tally.deaths:
        notes.append(f"{len(tally.deaths)} times a process died and was started again")
    return notes
