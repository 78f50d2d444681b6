"""What a finished workflow prints: its value on standard output, its account on standard error."""

import json
import os
from typing import TYPE_CHECKING, Any, TextIO

from .options import EXIT_CODES, print_json

if TYPE_CHECKING:
    from ..run_result import RunResult
    from .progress import ProgressView


def deliver_run(
    result: "RunResult[Any]",
    out: TextIO,
    view: "ProgressView",
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print *result*; return the exit code of its status."""
    try:
        if as_json:
            print_json(result.to_json(), out)
        elif result.status in ("completed", "degraded"):
            _print_value(result, out)
    except BrokenPipeError:
        pass  # the reader has seen enough; the value is in the run's folder
    lines = result.lines()
    if result.simulated and view.has_said_simulated:
        lines = lines[1:]
    lines += trace_lines(result)
    if quiet and result.status == "completed":
        lines = lines[-1:] if result.simulated else []
    try:
        for line in lines:
            view.say(line)
    except BrokenPipeError:
        pass
    return EXIT_CODES.get(result.status, 1)


def trace_lines(result: "RunResult[Any]") -> list[str]:
    """Return where the workflow raised, if it did: its traceback, or how to see that."""
    from ..inert import inert_lines

    if not result.trace:
        return []
    if not os.environ.get("COMMEDIA_TRACEBACK"):
        return [f"for its traceback: COMMEDIA_TRACEBACK=1 commedia show {result.run_id}"]
    return inert_lines(result.trace).splitlines()


def _print_value(result: "RunResult[Any]", out: TextIO) -> None:
    from ..inert import inert_lines

    value = result.to_json()["value"]
    if value is None:
        return
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    out.write(inert_lines(text) + "\n")
    out.flush()
