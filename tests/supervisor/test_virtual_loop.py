"""Virtual time jumps to what comes next, and is the same whatever the real times were."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import partial
from random import Random
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.supervisor.virtual_loop import VirtualLoop

T = TypeVar("T")

YEAR_S = 365 * 24 * 3600


def run(
    main: Callable[[VirtualLoop], Coroutine[Any, Any, T]],
    *,
    slots: int | None = None,
    debug: bool = False,
) -> T:
    with asyncio.Runner(loop_factory=partial(VirtualLoop, slots), debug=debug) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        return runner.run(main(loop))


async def ends(loop: VirtualLoop, calls: Sequence[asyncio.Future[bool]]) -> list[int]:
    """Return when each of *calls* ended."""

    async def end(call: asyncio.Future[bool]) -> int:
        await call
        return loop.now_us

    return await asyncio.gather(*map(end, calls))


@pytest.mark.parametrize("debug", [False, True])
def test_a_virtual_year_costs_no_wall_time(debug: bool) -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        woken = []
        for _ in range(3):
            async with asyncio.TaskGroup() as group:  # timers that tie, where floats are coarse
                for _ in range(3):
                    group.create_task(asyncio.sleep(YEAR_S + 0.1))
            woken.append(loop.time())
        return woken

    start = time.monotonic()
    woken = run(main, debug=debug)

    assert woken == [YEAR_S + 0.1, 2 * YEAR_S + 0.2, 3 * YEAR_S + 0.3]
    assert time.monotonic() - start < 5


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=8), st.booleans())
@settings(max_examples=50)
def test_a_timer_fires_at_its_microsecond_and_never_early(
    delays: list[float], is_absolute: bool
) -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, int]]:
        fired = list[tuple[float, int]]()
        for delay in delays:
            plan = loop.call_at if is_absolute else loop.call_later
            plan(delay, lambda delay: fired.append((delay, loop.now_us)), delay)
        await asyncio.sleep(2e7)
        return fired

    fired = run(main)

    noise = 0.012  # microseconds: what a float leaves of them after 1e7 seconds
    assert sorted(delay for delay, _ in fired) == sorted(delays)
    assert all(-noise <= now_us - delay * 1e6 < 1 for delay, now_us in fired)
    assert [now_us for _, now_us in fired] == sorted(now_us for _, now_us in fired)


def test_decimal_fractions_add_up_without_a_microsecond_of_noise() -> None:
    async def main(loop: VirtualLoop) -> int:
        for delay in [0.1, 0.2, 0.3, 1.1, 2.2, 1e-6]:
            await asyncio.sleep(delay)
        return loop.now_us

    assert run(main) == 3_900_001


def test_timers_of_one_time_fire_in_their_order_unless_cancelled() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        fired = list[int]()
        timers = [loop.call_later(1, fired.append, number) for number in range(200)]
        for timer in timers[10:]:
            timer.cancel()
        loop.call_later(0.5, timers[4].cancel)
        loop.call_at(1, lambda: late.cancel())
        late: asyncio.TimerHandle = loop.call_later(1, fired.append, 999)
        await asyncio.sleep(2)
        return fired

    assert run(main) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_timeouts_of_asyncio_work_on_virtual_time() -> None:
    async def main(loop: VirtualLoop) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.sleep(3600)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.perform(9_000_000), timeout=4)
        await asyncio.wait_for(asyncio.sleep(5), timeout=None)
        return loop.now_us

    assert run(main, debug=True) == 12_000_000


PIPELINE = [[3, 1, 4, 1, 5], [2, 7, 1, 8, 2], [8, 1, 8, 2, 8]]  # an item's time in each stage


@pytest.mark.parametrize(
    ("slots", "finished"),
    [
        (1, [51, 53, 61]),
        (2, [28, 25, 33]),
        (None, [14, 20, 27]),  # no item waits for another
    ],
)
def test_a_pipeline_takes_as_long_as_by_hand(slots: int | None, finished: list[int]) -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        async def item(durations: list[int]) -> int:
            for duration in durations:
                assert await loop.perform(duration)
            return loop.now_us

        return await asyncio.gather(*map(item, PIPELINE))

    assert run(main, slots=slots) == finished


def test_completions_come_in_order_and_before_a_timer_of_that_time() -> None:
    """With all that follows from them: a call that takes just its deadline is in time."""

    async def main(loop: VirtualLoop) -> list[object]:
        seen = list[object]()
        loop.call_later(5e-6, seen.append, "timer")
        first, second = loop.next_call(), loop.next_call()
        for call, priority in [(second, 0), (first, 0), (loop.next_call(), -1)]:
            done = loop.perform(5, call=call, priority=priority)
            done.add_done_callback(lambda _, call=call: seen.append(call))  # type: ignore[misc]
        async with asyncio.timeout_at(5e-6):
            await asyncio.gather(done, loop.perform(5))
            await loop.perform(0)
        await asyncio.sleep(1)
        return seen

    assert run(main) == [2, 0, 1, "timer"]


def test_a_call_ends_at_its_timeout_counted_from_its_start() -> None:
    async def main(loop: VirtualLoop) -> tuple[list[int], list[bool]]:
        calls = [loop.perform(duration, timeout_us=7) for duration in (10, 7, 3)]
        return await ends(loop, calls), [call.result() for call in calls]

    assert run(main, slots=1) == ([7, 14, 17], [False, True, True])


def test_a_cancelled_call_frees_its_slot() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        running, queued, last = [loop.perform(10) for _ in range(3)]
        await asyncio.sleep(4e-6)
        running.cancel()
        queued.cancel()
        return await ends(loop, [last])

    assert run(main, slots=1) == [14]


def test_many_calls_end_as_one() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        many, none = loop.perform_many(np.full(20_000, 10)), loop.perform_many(np.zeros(0, int))
        after = loop.perform(1)
        return await ends(loop, [many, none, after])

    assert run(main, slots=100) == [2000, 0, 2001]
    assert run(main) == [10, 0, 1]


def test_no_time_passes_while_something_is_held() -> None:
    async def main(loop: VirtualLoop) -> tuple[list[int], int]:
        seen, answer = list[int](), Future[int]()

        def work() -> None:
            for _ in range(5):
                time.sleep(0.001)
                seen.append(loop.now_us)
            answer.set_result(30)

        sleeper = asyncio.ensure_future(asyncio.sleep(1))
        done = loop.perform(7)
        with loop.held():
            threading.Thread(target=work).start()
            duration = await asyncio.wrap_future(answer)
            assert not done.done() and not sleeper.done()
        await loop.perform(duration)
        return seen, loop.now_us

    assert run(main) == ([0] * 5, 30)


def test_another_thread_answers_and_then_releases() -> None:
    """The answer is in before time moves."""

    async def main(loop: VirtualLoop) -> int:
        for _ in range(200):
            answer: asyncio.Future[int] = loop.create_future()
            loop.hold()

            def reply(answer: asyncio.Future[int] = answer) -> None:
                loop.call_soon_threadsafe(answer.set_result, 1)
                loop.release()

            threading.Thread(target=reply).start()
            async with asyncio.timeout(1):
                await loop.perform(await answer)
        with pytest.raises(RuntimeError, match="more often"):
            loop.release()
        return loop.now_us

    assert run(main) == 200


def test_a_release_alone_wakes_the_loop() -> None:
    async def main(loop: VirtualLoop) -> float:
        loop.hold()
        threading.Thread(target=loop.release).start()
        await asyncio.sleep(3)
        return loop.time()

    assert run(main) == 3


@pytest.mark.parametrize("debug", [False, True])
def test_work_in_threads_takes_no_virtual_time(debug: bool) -> None:
    async def main(loop: VirtualLoop) -> tuple[int, int]:
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(lambda: 5) == 5
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        before = loop.now_us
        await asyncio.sleep(1)
        return before, loop.now_us

    assert run(main, debug=debug) == (0, 1_000_000)


def test_where_nothing_is_to_come_the_loop_really_waits() -> None:
    async def main(loop: VirtualLoop) -> int:
        answer: asyncio.Future[int] = loop.create_future()
        forever = asyncio.ensure_future(asyncio.sleep(float("inf")))
        threading.Thread(
            target=lambda: loop.call_soon_threadsafe(answer.set_result, loop.now_us)
        ).start()
        await answer
        forever.cancel()
        return loop.now_us

    assert run(main) == 0


def test_a_closed_loop_takes_no_timers() -> None:
    loop = VirtualLoop()
    loop.close()

    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)


def duration_of(agent: int, stage: int) -> int:
    return (agent * 7 + stage * 5) % 11


class Desk:
    """Answers from a thread of its own: in any order, in pieces, after real delays."""

    def __init__(self, random: Random) -> None:
        self._random, self._asked = random, queue.Queue[tuple[int, int, Future[int]] | None]()
        self._thread = threading.Thread(target=self._answer)

    def __enter__(self) -> "Desk":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.put(None)
        self._thread.join()

    def ask(self, agent: int, stage: int) -> Future[int]:
        answer = Future[int]()
        self._asked.put((agent, stage, answer))
        return answer

    def _answer(self) -> None:
        while (asked := self._asked.get()) is not None:
            pile = [asked]
            while self._random.random() < 0.8 and not self._asked.empty():
                if (asked := self._asked.get()) is None:
                    return
                pile.append(asked)
            self._random.shuffle(pile)
            for agent, stage, answer in pile:
                if self._random.random() < 0.3:
                    time.sleep(self._random.random() * 2e-4)
                if answer.set_running_or_notify_cancel():
                    answer.set_result(duration_of(agent, stage))


class Prompt(Desk):
    """Answers at once."""

    def ask(self, agent: int, stage: int) -> Future[int]:
        answer = Future[int]()
        answer.set_result(duration_of(agent, stage))
        return answer


async def play(loop: VirtualLoop, desk: Desk, log: list[tuple[object, ...]]) -> int:
    """A workflow with ties, timeouts, sleeps, many at once and a branch that is cancelled."""

    async def ask(agent: int, stage: int) -> bool:
        call = loop.next_call()
        with loop.held():
            duration_us = await asyncio.wrap_future(desk.ask(agent, stage))
            done = loop.perform(duration_us, call=call, priority=agent % 2, timeout_us=8)
        return await done

    async def agent(number: int) -> int:
        for stage in range(4):
            in_time = await ask(number, stage)
            log.append((loop.now_us, number, stage, in_time))
            if number % 3 == stage:
                await asyncio.sleep(number * 1e-6)
        return loop.now_us

    async def wide() -> None:
        await asyncio.sleep(3e-6)
        await loop.perform_many(np.arange(12), priority=1)
        log.append((loop.now_us, "wide"))

    async with asyncio.TaskGroup() as group:
        agents = [group.create_task(agent(number)) for number in range(9)]
        group.create_task(wide())
        await asyncio.sleep(11e-6)
        agents[4].cancel()
    return loop.now_us


@given(st.integers(0, 1 << 32), st.sampled_from([1, 2, 5, None]))
@settings(max_examples=15, deadline=None)
def test_the_order_and_the_time_of_replies_change_nothing(seed: int, slots: int | None) -> None:
    prompt, late = list[tuple[object, ...]](), list[tuple[object, ...]]()

    with Prompt(Random(seed)) as desk:
        expected = run(partial(play, desk=desk, log=prompt), slots=slots)
    with Desk(Random(seed)) as desk:
        makespan = run(partial(play, desk=desk, log=late), slots=slots)

    assert (makespan, late) == (expected, prompt)
