"""What a person sees of a run while it goes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Where a run stands: calls and tokens so far, and how sure its ranking is.

    *said* are the lines that its workflow has logged since this was told last; where it
    *is_urgent* they are for a person who waits, and nothing else is new.
    """

    phase: str
    rounds: int
    calls: int
    expected_calls: int | None
    tokens: int
    cost_usd: float | None
    predicted_tau: float | None
    missing: int
    elapsed_s: float
    simulated: bool
    model: str
    said: tuple[str, ...] = ()
    is_sort: bool = True
    predicted_recall: float | None = None
    is_urgent: bool = False
    run_id: str = ""
