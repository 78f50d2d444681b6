"""When a ranking stops, and how much it asks: pure functions of the predicted taus so far."""

from dataclasses import replace

import pytest

from commedia.actors.bracket import Stopped
from commedia.actors.questions import Question
from commedia.patterns.ranking.stopping import (
    Plan,
    Point,
    decide,
    expected_calls,
    plan_of,
    round_size,
)

PLAN = Plan(target=0.9, budget=None, rounds=None, once=500, first=3000, most=200_000, window=250)


def stop(plan: Plan, history: list[Point]) -> Stopped | None:
    """Decide with every match that was handed out recorded."""
    return decide(plan, history, history[-1].asked if history else 0)


def size(plan: Plan, history: list[Point]) -> int:
    """Size the next round with every match that was handed out recorded."""
    return round_size(plan, history, history[-1].asked if history else 0)


def test_it_stops_at_the_target_without_a_margin() -> None:
    assert stop(PLAN, [Point(3000, 0.8999)]) is None
    assert stop(PLAN, [Point(3000, 0.9)]) == "target"


def test_the_budget_ends_it_whatever_is_predicted() -> None:
    plan = replace(PLAN, budget=4000)

    assert stop(plan, [Point(4000, 0.2)]) == "budget"
    assert stop(replace(plan, rounds=2), [Point(3999, 0.95)]) is None


def test_a_judge_that_teaches_nothing_more_saturates() -> None:
    flat = [Point(3000, 0.0), Point(6000, 0.001)]
    rising = [Point(3000, 0.6), Point(6000, 0.75)]

    assert stop(PLAN, flat) == "saturation"
    assert stop(PLAN, rising) is None


def test_small_rounds_late_in_a_healthy_run_do_not_look_like_saturation() -> None:
    healthy = [
        Point(9000, 0.85),
        Point(19_000, 0.8981),
        Point(19_300, 0.8988),
        Point(19_600, 0.899),
    ]

    assert stop(PLAN, healthy) is None


def test_nothing_is_asked_beyond_what_the_weakest_judge_would_need() -> None:
    assert stop(PLAN, [Point(100_000, 0.5), Point(200_000, 0.7)]) == "saturation"
    assert size(PLAN, [Point(150_000, 0.5), Point(199_990, 0.7)]) == 10


@pytest.mark.parametrize(("budget", "rounds"), [(20_000, 8), (13, 4), (3, 8)])
def test_equal_rounds_spend_the_budget(budget: int, rounds: int) -> None:
    plan = replace(PLAN, budget=budget, rounds=rounds)
    history: list[Point] = []
    sizes = []
    while stop(plan, history) is None:
        sizes.append(size(plan, history))
        history.append(Point(sum(sizes), 0.5))

    assert sum(sizes) == budget
    assert len(sizes) == min(rounds, budget)
    assert max(sizes) - min(sizes) <= 1


def test_information_adds_up_so_the_forecast_is_linear_in_it() -> None:
    # 1 / (1 - sin^2(pi tau / 2)) is 2 at tau = 0.5 and 10.47 at tau = 0.8
    history = [Point(1000, 0.5), Point(9472, 0.8)]

    assert expected_calls(replace(PLAN, target=0.8), history[:1]) == pytest.approx(9472, abs=30)
    assert expected_calls(PLAN, history) == pytest.approx(39_860, rel=0.01)


def test_the_last_rounds_are_small_and_grow_when_there_are_many() -> None:
    history = [Point(9000, 0.85), Point(18_000, 0.8975)]

    small = size(PLAN, history)
    late = size(PLAN, [Point(18_000 - k, 0.8975) for k in range(8, 0, -1)])

    assert 180 <= small <= 1800
    assert late >= small


def test_no_large_round_is_bet_on_a_judge_without_signal() -> None:
    assert size(PLAN, [Point(3000, 0.01), Point(6000, 0.05)]) <= 6000


def test_matches_in_flight_count_against_the_budget() -> None:
    plan = replace(PLAN, budget=1000)

    assert round_size(plan, [], 900) == 100
    assert decide(plan, [Point(500, 0.4)], 1000) == "budget"


def test_a_large_table_asks_all_that_its_forecast_misses_at_once() -> None:
    plan = plan_of(100_000, Question("graded"), 0.90, None, None)
    history = [Point(300_000, 0.7365), Point(600_000, 0.8454)]
    asked = round_size(plan, history, 600_000)

    assert plan.target > 0.90
    assert 600_000 + asked >= expected_calls(plan, history)
    assert plan_of(1_000, Question("graded"), 0.90, None, None).target == 0.90
