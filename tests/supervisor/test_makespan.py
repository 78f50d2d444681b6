"""The virtual clock of a whole run: makespans in closed form, exact to a microsecond."""

import pyarrow.parquet as pq
import pytest
from runs import play

from commedia.run_result import RunResult
from commedia.supervisor.run import Run
from commedia.supervisor.store import find_run


async def fan_out(run: Run, width: int) -> float:
    await run.parallel([run.work(f"item {n}", on_error="null") for n in range(width)])
    return run.now()


def durations(result: RunResult[float]) -> list[int]:
    """Return how long each agent of a run took, in microseconds, in the order of their calls."""
    agents = pq.read_table(find_run(result.run_id).path / "agents.parquet").to_pylist()
    return [a["duration_us"] for a in sorted(agents, key=lambda a: int(a["path"].split(":")[1]))]


def test_with_one_slot_it_is_the_sum_of_durations() -> None:
    result = play(fan_out, 20, model="sim:sonnet", slots=1)

    assert result.virtual_s is not None
    assert round(result.virtual_s * 1e6) == sum(durations(result))


def test_without_limits_it_is_the_longest_duration() -> None:
    result = play(fan_out, 20, model="sim:sonnet")

    assert result.virtual_s is not None
    assert round(result.virtual_s * 1e6) == max(durations(result))


@pytest.mark.parametrize("slots", [2, 7])
def test_slots_are_taken_first_come_first_served(slots: int) -> None:
    result = play(fan_out, 30, model="sim:sonnet", slots=slots)

    free = [0] * slots
    for duration in durations(result):
        free.sort()
        free[0] += duration
    assert result.virtual_s is not None
    assert round(result.virtual_s * 1e6) == max(free)


def test_a_pipeline_of_five_stages_takes_what_a_hand_computes() -> None:
    """Three items, stages of 1, 2, 3, 4 and 5 seconds; item n begins n seconds late: 15 + 2."""

    async def script(run: Run) -> float:
        stages = [_sleeping(run, seconds) for seconds in (1, 2, 3, 4, 5)]

        async def late(item: int) -> int:
            await run.sleep(item)
            return item

        await run.pipeline([0, 1, 2], late, *stages)
        return run.now()

    assert play(script).value == 17.0


def test_a_simulated_year_costs_no_time() -> None:
    async def script(run: Run) -> float:
        for _ in range(365):
            await run.sleep(86_400)
        return run.now()

    result = play(script)

    assert result.value == 365 * 86_400
    assert result.wall_s < 60


def _sleeping(run: Run, seconds: int):  # type: ignore[no-untyped-def]  # a stage
    async def stage(item: int) -> int:
        await run.sleep(seconds)
        return item

    return stage
