"""What is asked next: a pilot finds out about a judge, a panel prefers those who see."""

from dataclasses import replace

import pytest

from commedia.actors.questions import Question
from commedia.actors.simulation.judge import REFERENCE, JudgeProfile
from commedia.benchmarks.cases import ITEMS, Case, Habit, judge_of, world_of
from commedia.benchmarks.trial import Trial, play, tokens_per_call
from commedia.patterns.ranking.economics import Traits, value, worth
from commedia.patterns.ranking.engine import PosteriorRanking
from commedia.patterns.ranking.objective import WholeOrder
from commedia.patterns.ranking.policy import OFFERED, Panel, Planner

PRICES = {str(question): float(tokens_per_call(question)) for question in OFFERED}
LIST = Question("list", 10)


def planned(
    profile: JudgeProfile = REFERENCE,
    habit: Habit | None = None,
    *,
    keeps: bool = False,
    traits: Traits | None = None,
    seed: int = 0,
) -> tuple[Trial, Planner]:
    """Sort 1,000 items with a planner, and return what it came to."""
    case = Case("graded", profile, habit=habit)
    truth, utility = world_of(case, seed)
    planner = Planner(ITEMS, PRICES, traits, keeps)
    ranking = PosteriorRanking(
        ITEMS, policy=planner, seed=seed, objective=WholeOrder(is_uneven=True)
    )
    return play(ranking, judge_of(case, utility, seed), truth), planner


def test_a_graded_answer_is_worth_more_than_a_plain_one_and_a_list_more_than_both() -> None:
    traits = Traits()
    assert worth(Question("pair"), traits) == 1.0
    assert 1.3 < worth(Question("graded"), traits) < 1.6
    assert worth(LIST, traits) == pytest.approx(8.9, abs=0.1)
    assert worth(Question("graded"), replace(traits, is_graded=False)) == 1.0


def test_lists_are_worth_their_price_up_to_the_noise_that_research_found() -> None:
    graded = value(Question("graded"), Traits(), PRICES)
    assert value(LIST, Traits(list_noise=1.55), PRICES) > graded
    assert value(LIST, Traits(list_noise=1.75), PRICES) < graded


def test_a_judge_of_sharp_lists_is_asked_lists_and_the_pilot_counts() -> None:
    trial, planner = planned()

    assert planner.main == LIST
    assert trial.tau > 0.88
    assert trial.tokens < 8.6e6


def test_a_judge_whose_lists_are_twice_as_noisy_is_found_out_and_asked_pairs() -> None:
    trial, planner = planned(replace(REFERENCE, list_scale=2.0))

    assert planner.main == Question("graded")
    assert planner.found is not None and planner.found.list_noise > 1.9
    assert trial.tau > 0.88


def test_grades_that_do_not_follow_the_preference_are_not_believed() -> None:
    _, honest = planned()
    trial, planner = planned(replace(REFERENCE, grade_honesty=0.0, list_scale=2.0))

    assert honest.found is not None and honest.found.is_graded
    assert planner.found is not None and not planner.found.is_graded
    assert planner.main == Question("pair")
    assert trial.tau > 0.88
    assert any("do not follow" in note for note in trial.notes)


@pytest.mark.parametrize("habit", ["first", "random"])
def test_a_judge_without_information_is_refused_with_its_flips(habit: Habit) -> None:
    trial, _ = planned(habit=habit)

    assert trial.stopped == "judge"
    assert trial.calls < 800
    assert any("of 60 pairs flipped" in note for note in trial.notes)


def test_a_judge_that_is_to_be_kept_is_kept() -> None:
    trial, _ = planned(habit="first", keeps=True)

    assert trial.stopped != "judge"
    assert trial.calls > 800


def test_what_is_known_of_a_judge_saves_the_pilot() -> None:
    trial, planner = planned(traits=Traits(list_noise=2.5))

    assert planner.main == Question("graded")
    assert not any("pilot" in note for note in trial.notes)


def test_traits_survive_being_told() -> None:
    traits = Traits(list_noise=1.7, is_graded=False, flips=0.25)
    assert Traits.of(traits.told()) == traits


def test_a_panel_asks_those_who_see_and_beats_the_best_of_them() -> None:
    biased = replace(REFERENCE, name="c", list_slope=6.0, list_scale=4.0)
    profiles = [replace(REFERENCE, name=name, taste=0.3) for name in "ab"] + [biased]
    truth, utility = world_of(Case("list:10"), 0)
    judges = [judge_of(Case("list:10", profile), utility, 0) for profile in profiles]
    alone = play(PosteriorRanking(ITEMS, LIST), judges[0], truth)
    panel = Panel(LIST, "abc", [1.0, 1.0, 1.0])
    ranking = PosteriorRanking(ITEMS, policy=panel, target=0.99)
    together = play(ranking, judges, truth, most_tokens=alone.tokens)

    assert panel.shares[2] == 0.0
    assert min(panel.shares[:2]) > 0.2
    assert together.tau >= alone.tau
