"""A wide fan-out of which one agent can fail, and one can be asked in other words."""

from functools import partial

from ...supervisor.run import Run
from ...supervisor.workflow import workflow


@workflow
async def fan(
    run: Run,
    width: int = 100,
    broken: int | None = None,
    changed: int | None = None,
    room: int | None = None,
) -> list[str | None]:
    """Ask so many agents side by side, with *room* for answers; the *broken* one has one token."""
    return await run.parallel(
        [partial(_ask, run, n, n == broken, n == changed, room) for n in range(width)]
    )


async def _ask(run: Run, number: int, is_broken: bool, is_changed: bool, room: int | None) -> str:
    prompt = f"Describe part {number} of the machine" + (", in full." if is_changed else ".")
    if is_broken:
        return await run.work(prompt, max_tokens=1)
    return await run.work(prompt) if room is None else await run.work(prompt, max_tokens=room)
