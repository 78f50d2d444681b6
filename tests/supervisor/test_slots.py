"""Slots follow their window, in the order they were asked for."""

import asyncio

from commedia.supervisor.admission import Window
from commedia.supervisor.slots import Slots


def test_slots_are_given_in_order_and_as_the_window_allows() -> None:
    async def run() -> list[int]:
        window = Window(most=8, width=2)
        slots, inside, go = Slots(window), list[int](), asyncio.Event()

        async def call(number: int) -> None:
            async with slots:
                inside.append(number)
                await go.wait()

        calls = [asyncio.ensure_future(call(number)) for number in range(6)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert inside == [0, 1]
        window.width = 6
        go.set()
        await asyncio.gather(*calls)
        return inside

    assert asyncio.run(run()) == list(range(6))


def test_a_call_taken_back_gives_its_place_to_the_next() -> None:
    """Whether it still waited, or had just been let in."""

    async def run() -> None:
        slots = Slots(Window(most=1))
        go, done = asyncio.Event(), list[int]()

        async def call(number: int) -> None:
            async with slots:
                await go.wait()
                done.append(number)

        calls = [asyncio.ensure_future(call(number)) for number in range(5)]
        await asyncio.sleep(0)
        calls[0].cancel()
        calls[2].cancel()
        await asyncio.sleep(0)
        calls[1].cancel()
        go.set()
        await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)

        assert done == [3, 4]

    asyncio.run(run())
