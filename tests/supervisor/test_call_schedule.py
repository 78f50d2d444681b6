"""Calls start in the order of (ready time, priority, number), and end to the microsecond."""

from collections.abc import Sequence
from heapq import heapify, heapreplace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.supervisor.schedule import Done, Schedule

Wanted = tuple[int, int, int, int | None]  # ready, priority, duration, timeout
Cancel = tuple[int, int]  # time, the call's place

times = st.integers(0, 12)
slots_or_none = st.none() | st.integers(1, 4)
wanted = st.tuples(times, st.integers(0, 2), times, st.none() | times)
many_wanted = st.tuples(times, st.integers(0, 2), st.lists(times, min_size=1, max_size=9))


def ended(schedule: Schedule, cancels: Sequence[Cancel] = ()) -> list[Done]:
    """Run *schedule* to its end, with *cancels* at their times, after what is due then."""
    done, left = list[Done](), sorted(cancels)
    while (at_us := schedule.next_us()) is not None or left:
        if left and (at_us is None or left[0][0] < at_us):
            now_us, call = left.pop(0)
            schedule.cancel(call, now_us)
        elif at_us is not None:
            schedule.settle(at_us)
            done += schedule.advance(at_us)
    return done


def submitted(calls: Sequence[Wanted], order: Sequence[int], *, slots: int | None) -> Schedule:
    schedule = Schedule(slots)
    for call in order:
        ready, priority, duration, timeout = calls[call]
        schedule.submit(
            call, ready_us=ready, duration_us=duration, priority=priority, timeout_us=timeout
        )
    return schedule


def expected(calls: Sequence[Wanted], slots: int | None) -> list[Done]:
    """Place one call after the other on the slot that is free first."""
    free, done = [0] * (slots or len(calls)), list[tuple[int, int, Done]]()
    heapify(free)
    for call in sorted(range(len(calls)), key=lambda call: (*calls[call][:2], call)):
        ready, priority, duration, timeout = calls[call]
        start = max(ready, free[0])
        end = start + min(duration, duration if timeout is None else timeout)
        heapreplace(free, end)
        done.append((end, priority, Done(call, start, end, end < start + duration)))
    return [last for *_, last in sorted(done, key=lambda d: (d[0], d[1], d[2].call))]


@given(st.lists(wanted, min_size=1, max_size=12), slots_or_none, st.randoms())
def test_calls_take_the_slot_that_is_free_first_in_their_order(
    calls: list[Wanted], slots: int | None, random: Random
) -> None:
    """Whatever the order in which they were submitted."""
    order = list(range(len(calls)))
    random.shuffle(order)

    assert ended(submitted(calls, order, slots=slots)) == expected(calls, slots)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_on_one_slot_the_makespan_is_the_sum(durations: list[int]) -> None:
    calls = [(0, 0, duration, None) for duration in durations]

    assert ended(submitted(calls, range(len(calls)), slots=1))[-1].at_us == sum(durations)


@settings(max_examples=20)
@given(st.integers(1, 7), st.integers(1, 50), st.integers(0, 400))
def test_regular_arrivals_are_served_as_the_closed_form_says(
    slots: int, every: int, service: int
) -> None:
    """D/D/c: a call on slot k mod c starts one cycle after the last one there."""
    calls = [(number * every, 0, service, None) for number in range(40)]

    done = ended(submitted(calls, range(40), slots=slots))

    cycle = max(service, slots * every)
    assert sorted(one.started_us for one in done) == sorted(
        number % slots * every + number // slots * cycle for number in range(40)
    )


def test_nothing_starts_before_its_time_is_settled() -> None:
    schedule = Schedule(1)
    schedule.submit(5, ready_us=0, duration_us=3)

    assert schedule.advance(100) == []

    schedule.submit(4, ready_us=0, duration_us=2)
    schedule.settle(0)

    assert ended(schedule) == [Done(4, 0, 2), Done(5, 2, 5)]


def test_a_freed_slot_goes_to_who_waited_longer_whatever_the_priority() -> None:
    schedule = Schedule(1)
    for call, (ready, priority) in enumerate([(0, 0), (1, 9), (2, 0), (2, -1)]):
        schedule.submit(call, ready_us=ready, duration_us=5, priority=priority)

    assert [one.call for one in ended(schedule)] == [0, 1, 3, 2]


def test_a_timeout_counts_from_the_start_and_frees_the_slot() -> None:
    schedule = Schedule(1)
    for call, duration in enumerate([10, 10, 5]):
        schedule.submit(call, ready_us=0, duration_us=duration, timeout_us=7)

    assert ended(schedule) == [Done(0, 0, 7, True), Done(1, 7, 14, True), Done(2, 14, 19)]


def test_completions_of_one_time_come_by_priority_and_number() -> None:
    schedule = Schedule()
    for call, priority in [(3, 0), (1, 1), (2, 0), (0, 1)]:
        schedule.submit(call, ready_us=0, duration_us=8 - priority, priority=priority)
    schedule.submit(9, ready_us=1, duration_us=6, priority=1)
    schedule.submit(8, ready_us=1, duration_us=7, priority=-1)

    assert [one.call for one in ended(schedule)] == [0, 1, 9, 8, 2, 3]


def test_a_cancelled_call_leaves_its_slot_or_the_queue_at_once() -> None:
    schedule = Schedule(1)
    for call in range(4):
        schedule.submit(call, ready_us=0, duration_us=10)

    done = ended(schedule, [(3, 0), (4, 2), (99, 1)])

    assert done == [Done(1, 3, 13), Done(3, 13, 23)]


def test_many_end_as_one_with_the_last_of_them() -> None:
    """Two slots: 5, then 1 and 4 after it, beside 7."""
    schedule = Schedule(2)
    schedule.submit_many(10, ready_us=0, durations_us=np.array([5, 7, 1, 4]))
    schedule.submit(20, ready_us=0, duration_us=1)

    assert ended(schedule) == [Done(20, 7, 8), Done(10, 0, 10)]


@given(
    st.lists(many_wanted, min_size=1, max_size=5),
    slots_or_none,
    st.lists(st.tuples(times, st.integers(0, 4)), max_size=3),
)
def test_many_are_the_same_as_their_rows(
    groups: list[tuple[int, int, list[int]]], slots: int | None, cancels: list[Cancel]
) -> None:
    """Beside others that compete for the slots, and with some of them cancelled."""
    firsts = [sum(len(rows) for _, _, rows in groups[:group]) for group in range(len(groups))]
    whole, single = Schedule(slots), Schedule(slots)
    for first, (ready, priority, rows) in zip(firsts, groups, strict=True):
        whole.submit_many(first, ready_us=ready, durations_us=np.array(rows), priority=priority)
        for call, duration in enumerate(rows, start=first):
            single.submit(call, ready_us=ready, duration_us=duration, priority=priority)
    at_once = [(at, firsts[group % len(groups)]) for at, group in cancels]
    one_by_one = [
        (at, firsts[group % len(groups)] + row)
        for at, group in cancels
        for row in range(len(groups[group % len(groups)][2]))
    ]

    by_row = {one.call: one for one in ended(single, one_by_one)}
    together = ended(whole, at_once)

    grouped = list[tuple[int, int, Done]]()
    for first, (_, priority, rows) in zip(firsts, groups, strict=True):
        ends = [by_row.get(first + row) for row in range(len(rows))]
        found = [one for one in ends if one is not None]
        if len(found) == len(rows):
            last = max(one.at_us for one in found)
            grouped.append((last, priority, Done(first, found[0].started_us, last)))
    assert together == [one for *_, one in sorted(grouped, key=lambda g: (*g[:2], g[2].call))]


def test_many_rows_stop_at_the_time_that_was_asked_for() -> None:
    """What is cancelled at a time frees its slots then, not when its last row would have ended."""
    schedule = Schedule(3)
    schedule.submit_many(0, ready_us=0, durations_us=np.full(3000, 10))
    schedule.submit(9000, ready_us=1, duration_us=5)
    schedule.settle(1)

    assert schedule.advance(25) == []

    schedule.cancel(0, 25)

    assert ended(schedule) == [Done(9000, 25, 30)]


def test_what_cannot_be_is_refused() -> None:
    schedule = Schedule()
    schedule.submit(1, ready_us=0, duration_us=1)

    with pytest.raises(ValueError, match="under way"):
        schedule.submit(1, ready_us=0, duration_us=1)
    with pytest.raises(ValueError, match="before it starts"):
        schedule.submit(2, ready_us=0, duration_us=-1)
    with pytest.raises(ValueError, match="before it starts"):
        schedule.submit_many(2, ready_us=0, durations_us=np.array([5, -1]))
    with pytest.raises(ValueError, match="no rows"):
        schedule.submit_many(2, ready_us=0, durations_us=np.array([], dtype=np.int64))
    with pytest.raises(ValueError, match="slots"):
        Schedule(0)
