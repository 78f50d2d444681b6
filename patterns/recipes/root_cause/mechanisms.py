"""Kinds of fault by mechanism: what each leaves in each kind of evidence, and what it does not.

Nothing here knows a system or how often a fault occurs:

- `cpu_contention`: another process takes the processor. The service's cpu rises and everything
  it does slows, so calls into and out of it wait.
- `cpu_consumed`: its own code burns the processor, so one operation's self time swells.
- `network_delay`: packets to or from it are late: the time between a caller's span and its own
  rises by about the same for every call, while neither works longer and its cpu does not rise.
- `exception`: its control flow is cut: what should follow in a trace is missing, and nothing of
  its own explains it, or an exception is logged.
- `return`: a call returns something else than it should: the flow goes on by another branch, so
  its usual next line is missing and an error of its own stands in its place.
"""

from dataclasses import dataclass

from .answers import Fault
from .evidence import Kind


@dataclass(frozen=True, slots=True)
class Expectation:
    """That *sign* is present or absent; when *needed*, finding it otherwise contradicts."""

    sign: str
    present: bool = True
    needed: bool = False


_CHANGED = (Expectation("changed"),)
"""A deploy can bring any of them."""

MECHANISMS: dict[Fault, dict[Kind, tuple[Expectation, ...]]] = {
    "cpu_contention": {
        "events": _CHANGED,
        "metrics": (Expectation("cpu rises", needed=True),),
        "spans": (Expectation("starves"), Expectation("burns", present=False)),
    },
    "cpu_consumed": {
        "events": _CHANGED,
        "metrics": (Expectation("cpu rises", needed=True),),
        "spans": (Expectation("burns", needed=True),),
    },
    "network_delay": {
        "events": _CHANGED,
        "metrics": (Expectation("cpu rises", present=False),),
        "spans": (Expectation("calls wait", needed=True), Expectation("burns", present=False)),
    },
    "exception": {
        "events": _CHANGED,
        "metrics": (Expectation("cpu rises", present=False),),
        "spans": (Expectation("calls vanish"), Expectation("calls wait", present=False)),
        "logs": (
            Expectation("lines vanish"),
            Expectation("exceptions"),
            Expectation("errors", present=False),
        ),
    },
    "return": {
        "events": _CHANGED,
        "metrics": (Expectation("cpu rises", present=False),),
        "spans": (Expectation("calls vanish"), Expectation("calls wait", present=False)),
        "logs": (Expectation("lines vanish"), Expectation("errors", needed=True)),
    },
}
