"""Utilities keep the order of the truth, and make a judge exactly as accurate as asked; a world
finds its things, and travels."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from commedia.actors.simulation.keyed import Floats
from commedia.actors.simulation.world import WORLD, Thing, World, utilities
from commedia.actors.tables import decode, encode

LAWS = settings(max_examples=60, deadline=None, derandomize=True)
TRUTHS = st.lists(st.integers(-5, 12) | st.floats(-9, 9), min_size=2, max_size=60).map(
    lambda values: np.array(values, np.float64)
)
ACCURACIES = st.floats(0.51, 0.99)


def accuracy_of(utility: Floats, truth: Floats) -> float:
    """Return how often a judge without bias is right on random pairs of unequal truth."""
    i, j = np.triu_indices(len(truth), 1)
    unequal = truth[i] != truth[j]
    return float(expit(np.abs(utility[i] - utility[j])[unequal]).mean())


@LAWS
@given(TRUTHS.filter(lambda truth: len(set(truth)) > 1), ACCURACIES)
def test_utilities_keep_the_order_and_the_accuracy(truth: Floats, accuracy: float) -> None:
    utility = utilities(truth, accuracy)
    above = np.sign(np.subtract.outer(truth, truth))

    assert np.array_equal(np.sign(np.subtract.outer(utility, utility)), above)
    assert accuracy_of(utility, truth) == pytest.approx(accuracy, abs=1e-3)


@pytest.mark.parametrize("accuracy", [0.75, 0.85, 0.95])
@pytest.mark.parametrize("heavy", [0, 1_500])
@pytest.mark.parametrize("value", [-1.0, 500.5])
def test_many_levels_and_a_crowded_one_keep_the_accuracy(
    value: float, heavy: int, accuracy: float
) -> None:
    truth = np.concatenate([np.arange(1_000.0), np.full(heavy, value)])

    assert accuracy_of(utilities(truth, accuracy), truth) == pytest.approx(accuracy, abs=1e-4)


def test_utilities_are_scaled_normal_scores_of_mid_ranks() -> None:
    truth = np.array([30.0, 10.0, 20.0, 20.0, 99.0])
    utility = utilities(truth, 0.85)
    scores = norm.ppf((np.array([4, 1, 2.5, 2.5, 5]) - 0.5) / 5)

    assert utility == pytest.approx(scores * (utility[4] / scores[4]))
    assert utility[2] == utility[3]


def test_two_items_differ_by_the_accuracys_logit() -> None:
    low, high = utilities(np.array([3.0, 7.0]), 0.85)

    assert high - low == pytest.approx(np.log(0.85 / 0.15))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_equal_truths_have_no_utility(n: int) -> None:
    assert utilities(np.full(n, 4.0), 0.85).tolist() == [0.0] * n


@pytest.mark.parametrize("accuracy", [0.500001, 0.9999])
def test_extreme_judges_are_possible(accuracy: float) -> None:
    utility = utilities(np.arange(3_000.0), accuracy)

    assert np.all(np.diff(utility) > 0)
    assert np.isfinite(utility).all()


@pytest.mark.parametrize("accuracy", [-1.0, 0.5, 1.0, float("nan")])
def test_an_accuracy_lies_between_chance_and_certainty(accuracy: float) -> None:
    with pytest.raises(ValueError, match=r"not between 0\.5 and 1"):
        utilities(np.arange(3.0), accuracy)


THINGS = [
    Thing("a", text="the log is lost", truth={"cause": "disk"}, wrong=("net", None), pool="bugs"),
    Thing("b", truth=0, difficulty=-1.5, utility=2.0, holds=False),
    Thing("c", text="a", pool="bugs", detectability=1.0, weight=3.0),
]


def test_a_world_travels_as_a_table() -> None:
    world = World(THINGS)
    rows = decode(encode(world.batch()), WORLD)

    assert World.of_batch(rows) == world
    assert pickle.loads(pickle.dumps(world)) == world
    assert World.of_batch(World().batch()) == World()


def test_things_are_found_by_id_and_else_by_text() -> None:
    world = World(THINGS)

    assert world.find("the log is lost") == world.find("a") == THINGS[0], "an id goes before a text"
    assert world.find("b") == replace(THINGS[1], text="b")
    assert world.find("nowhere") is None and world.row("c") == 2


def test_a_pool_holds_true_claims_unless_it_says_otherwise() -> None:
    world = World(THINGS)

    assert world.pool(["bugs", "none", "bugs"]) == [0, 2]
    assert [thing.is_true for thing in world.things] == [True, False, True]
    assert Thing("d").is_true is None
    assert Thing("d", pool="bugs", holds=False).is_true is False


def test_a_thing_has_one_id_and_possible_parameters() -> None:
    with pytest.raises(ValueError, match="two things of the world have the id 'a'"):
        World([Thing("a"), Thing("a", text="other")])
    with pytest.raises(ValueError, match="is no chance"):
        Thing("a", detectability=1.1)
    with pytest.raises(ValueError, match="is not positive"):
        Thing("a", weight=0.0)
