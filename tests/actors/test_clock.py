"""A manual clock moves when told; the wall's never goes back."""

import asyncio

from commedia.actors.clock import ManualClock, WallClock


def test_a_manual_clock_moves_when_it_is_told_to() -> None:
    async def wait() -> list[float]:
        clock = ManualClock(5.0)
        times = [clock.now()]
        clock.advance(2.0)
        times.append(clock.now())
        await clock.sleep(3_600.0)
        return [*times, clock.now()]

    assert asyncio.run(wait()) == [5.0, 7.0, 3_607.0]


def test_who_sleeps_on_a_manual_clock_lets_others_run() -> None:
    async def race() -> list[str]:
        clock, seen = ManualClock(), list[str]()

        async def sleeper(name: str) -> None:
            for _ in range(2):
                await clock.sleep(1.0)
                seen.append(name)

        await asyncio.gather(sleeper("a"), sleeper("b"))
        return seen

    assert asyncio.run(race()) == ["a", "b", "a", "b"]


def test_the_wall_clock_never_goes_back() -> None:
    async def wait() -> tuple[float, float]:
        clock = WallClock()
        before = clock.now()
        await clock.sleep(0.001)
        return before, clock.now()

    before, after = asyncio.run(wait())
    assert after >= before + 0.001
