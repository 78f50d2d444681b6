"""Workflows run in this process, by functions or by simulated agents."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from commedia.run_result import RunResult
from commedia.session import Session

Row = Mapping[str, Any]
UPHELD = {"verdict": "upheld", "reason": "looked and found nothing", "evidence": []}


def play(
    script: Callable[..., Coroutine[Any, Any, Any]],
    *args: Any,
    model: str | Callable[[Row], Any] = "sim:ideal",
    **options: Any,
) -> RunResult[Any]:
    """Run *script* inline on *model*; *options* are the session's."""
    with Session(model=model, runtime="inline", **options) as session:
        return session.run(script, *args)


def echo(row: Row) -> Any:
    """Answer with the prompt itself; verifiers uphold, judges prefer what is shown first."""
    if row["role"] == "verifier":
        return UPHELD
    if row["role"] == "judge":
        return {"verdict": "first"}
    return row["prompt"]
