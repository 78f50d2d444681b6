"""Functions that check outputs: anyone's code, in a thread that a budget's end leaves."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from .actors.bracket import Progress
from .actors.errors import RunFailedError
from .actors.tables import OUTCOMES, concat
from .eval_clock import OVER_BUDGET, EvalClock
from .eval_outputs import Outputs
from .evals import EvalJob
from .patterns.evaluation import Evaluated
from .patterns.value_board import board_of_values

NO_NUMBER: Final = "it returned no finite number"


@dataclass(slots=True)
class _Said:
    """What the checks said: a number or why there is none, by item and system."""

    found: dict[tuple[int, int], float | str] = field(default_factory=dict)
    is_share: bool = True
    is_ended: bool = False


async def check_all(job: EvalJob, outputs: Outputs, clock: EvalClock) -> Evaluated:
    """Have the user's function check every output, as far as the *clock* allows.

    A check that is under way when the time is over is left to itself: nobody waits for it, and
    what it returns counts no more. Its failures are counted in *outputs*.
    """
    said = _Said()
    try:
        async with clock.running():
            work = _in_a_thread(lambda: _check(job, outputs, clock, said))
            left_s = None if job.budget.wall_s is None else clock.left_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(work, left_s)
    finally:
        said.is_ended = True
    return _evaluated(job, outputs, said)


def _in_a_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """Do *work* in a thread that the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def perform() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(perform,), name="checks", daemon=True).start()
    return done


def _check(job: EvalJob, outputs: Outputs, clock: EvalClock, said: _Said) -> None:
    assert job.checker is not None
    for item, system in outputs.there:
        if said.is_ended or clock.is_over:
            return
        more = () if job.labels is None else (job.labels[item],)
        number: float | str
        try:
            value = job.checker(job.prepared.texts[item], outputs.text(item, system), *more)
            number = float(value)
        except Exception as error:  # a check is anyone's code
            number = f"{type(error).__name__}: {error}".partition("\n")[0][:100]
        else:
            number = number if np.isfinite(number) else NO_NUMBER
        if said.is_ended:
            return
        if not isinstance(number, str):
            said.is_share = said.is_share and isinstance(value, bool | np.bool_)
        said.found[item, system] = number


def _evaluated(job: EvalJob, outputs: Outputs, said: _Said) -> Evaluated:
    """Return what was *said*, and count in *outputs* why the rest was not."""
    values = np.full((len(job.prepared.ids), len(job.systems)), np.nan)
    there, found = outputs.there, dict(said.found)
    for place in there:
        number = found.get(place, OVER_BUDGET)
        if isinstance(number, str):
            outputs.checks[number] = outputs.checks.get(number, 0) + 1
        else:
            values[place] = number
    is_cut = OVER_BUDGET in outputs.checks
    if np.isnan(values).all() and not is_cut:
        raise RunFailedError(f"the check gave no number for any output ({_first(outputs.checks)})")
    board = board_of_values(values, is_share=said.is_share, seed=job.seed)
    done = int((~np.isnan(values)).sum())
    progress = Progress(0, len(there), done, 0.0, "budget" if is_cut else "data", None)
    return Evaluated(board, concat([], OUTCOMES), progress, values=values)


def _first(causes: Mapping[str, int]) -> str:
    return max(causes, key=lambda cause: causes[cause])
