"""What a script holds reaches the processes of its run."""

import functools
from collections.abc import Callable

import pytest
from runs import echo

from commedia.session import Session
from commedia.supervisor.run import Run
from commedia.supervisor.runtime.base import Runtime


@functools.cache
def words(count: int) -> list[str]:
    """Return so many prompts, made once."""
    return [f"part {n}" for n in range(count)]


async def wide(run: Run, width: int) -> list[str | None]:
    """Ask so many agents at once."""
    return await run.parallel([run.work(each) for each in words(width)])


@pytest.mark.ray
def test_a_function_with_a_cache_travels_as_any_other(shared_ray: Callable[[], Runtime]) -> None:
    with Session(model=echo, runtime="ray", hosts=1) as session:
        result = session.run(wide, 3)

    assert result.value == ["part 0", "part 1", "part 2"]
