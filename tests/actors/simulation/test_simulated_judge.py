"""The law of the simulated judge: how often it is right, what persists, and what sways it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chisquare

from commedia.actors.questions import Question
from commedia.actors.simulation.judge import REFERENCE, Bench, JudgeProfile
from commedia.actors.simulation.keyed import Floats, Ints, text_keys
from commedia.actors.simulation.world import utilities

PAIR, GRADED = Question("pair"), Question("graded")
FAIR = replace(REFERENCE, bias=0.0, list_slope=0.0)
MANY = 20_000


def bench(profile: JudgeProfile, utility: Floats, seed: int = 1) -> Bench:
    return Bench(profile, seed, "worth", utility, text_keys([f"#{i}" for i in range(len(utility))]))


def lots(size: int, *worth: float) -> tuple[Floats, Ints]:
    """Return MANY separate groups of *size* items with utilities *worth*, each shown once."""
    return np.tile(np.array(worth), MANY), np.arange(MANY * size).reshape(MANY, size)


def share(hits: object) -> float:
    return float(np.mean(np.asarray(hits)))


def close(value: float, *, n: int = MANY, p: float = 0.5) -> object:
    """Return what a share of *n* draws is compared with: four standard errors wide."""
    return pytest.approx(value, abs=4 * (p * (1 - p) / n) ** 0.5)


def first_places(judge: Bench, shown: Ints) -> Ints:
    """Return how often each place shown was put first."""
    best = judge.answer(Question("list", shown.shape[1]), shown)[:, 0]
    return np.bincount(best, minlength=shown.shape[1])


@pytest.mark.parametrize("profile", [REFERENCE, JudgeProfile()], ids=lambda p: p.name)
def test_a_judge_is_as_right_as_its_accuracy_says(profile: JudgeProfile) -> None:
    """On random pairs of unequal truth, each shown in both orders; bias costs it little."""
    dice = np.random.default_rng(4)
    truth = dice.integers(0, 300, 1_000).astype(float)
    pairs = dice.integers(0, 1_000, (MANY, 2))
    pairs = pairs[truth[pairs[:, 0]] != truth[pairs[:, 1]]]
    utility = utilities(truth, 0.85)

    def right(judge: Bench) -> float:
        return share(
            [
                judge.answer(PAIR, shown) == np.sign(truth[shown[:, 0]] - truth[shown[:, 1]])
                for shown in (pairs, pairs[:, ::-1])
            ]
        )

    assert right(bench(replace(profile, bias=0.0), utility)) == pytest.approx(0.85, abs=0.006)
    assert right(bench(profile, utility)) == pytest.approx(0.845, abs=0.008)


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.9, 0.0), (0.0, 0.9), (0.5, 0.5)], ids=str)
def test_the_noise_is_logistic_whatever_persists(shares: tuple[float, float]) -> None:
    """Kolmogorov-Smirnov on a grid: the share of answers for the first, against the law's curve."""
    profile = replace(FAIR, per_pair=shares[0], per_order=shares[1])
    gaps = np.repeat(np.linspace(-4, 4, 20), MANY // 20)
    utility = np.stack([gaps, np.zeros(MANY)], axis=1).ravel()

    won = bench(profile, utility).answer(PAIR, np.arange(2 * MANY).reshape(MANY, 2)) > 0

    shares_won = won.reshape(20, -1).mean(axis=1)
    assert np.abs(shares_won - expit(np.linspace(-4, 4, 20))).max() < 1.9 / (MANY / 20) ** 0.5


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.25, 0.25), (0.6, 0.3), (1.0, 0.0), (0.5, 0.5)])
def test_asking_again_renews_the_fresh_share_alone(shares: tuple[float, float]) -> None:
    """Of an even pair's answers, arccos(persistent share) / pi turn over: none, if all persists."""
    profile = replace(FAIR, per_pair=shares[0], per_order=shares[1])
    judge, (_, shown) = bench(profile, np.zeros(2 * MANY)), lots(2, 0, 0)

    turned = judge.answer(PAIR, shown, repeat=0) != judge.answer(PAIR, shown, repeat=1)

    expected = np.arccos(min(sum(shares), 1.0)) / np.pi
    assert share(turned) == (close(expected) if expected else 0.0)


def test_what_persists_for_a_pair_is_the_same_from_both_sides() -> None:
    utility = np.random.default_rng(2).normal(size=2 * MANY)
    shown = np.arange(2 * MANY).reshape(MANY, 2)
    swapped = shown[:, ::-1]
    whole = replace(FAIR, per_pair=1.0)
    there = bench(whole, utility).answer(GRADED, shown)
    biased = bench(replace(whole, bias=0.4), utility)
    both = biased.answer(PAIR, shown) + biased.answer(PAIR, swapped)

    assert np.array_equal(there, -bench(whole, utility).answer(GRADED, swapped))
    assert set(both.tolist()) == {0, 2}  # bias turns some answers, all of them to the first


def test_what_persists_for_an_order_says_nothing_of_the_other_order() -> None:
    judge, (_, shown) = bench(replace(FAIR, per_order=1.0), np.zeros(2 * MANY)), lots(2, 0, 0)
    there = judge.answer(PAIR, shown)

    assert np.array_equal(there, judge.answer(PAIR, shown, repeat=9))
    assert share(there == judge.answer(PAIR, shown[:, ::-1])) == close(0.5)


def test_pairs_and_graded_pairs_share_what_persists() -> None:
    judge, (_, shown) = bench(replace(FAIR, per_pair=1.0), np.zeros(2 * MANY)), lots(2, 0, 0)
    graded = judge.answer(GRADED, shown)
    decided = graded != 0

    assert np.array_equal(np.sign(graded)[decided], judge.answer(PAIR, shown)[decided])


def test_a_list_persists_by_its_set_and_by_its_order() -> None:
    three, shown = Question("list", 3), np.arange(3_000).reshape(1_000, 3)
    turned = shown[:, [2, 0, 1]]

    def items(profile: JudgeProfile, shown: Ints, repeat: int = 0) -> Ints:
        places = bench(profile, np.zeros(3_000)).answer(three, shown, repeat=repeat)
        return np.take_along_axis(shown, places, axis=1)

    by_set, by_order = replace(FAIR, per_pair=1.0), replace(FAIR, per_order=1.0)
    assert np.array_equal(items(by_set, shown), items(by_set, turned, repeat=3))
    assert np.array_equal(items(by_order, shown), items(by_order, shown, repeat=3))
    for one, other in (
        (items(by_order, shown), items(by_order, turned)),
        (items(FAIR, shown), items(FAIR, shown, repeat=1)),
    ):
        assert share((one == other).all(axis=1)) == close(1 / 6, n=1_000, p=1 / 6)


def test_taste_is_of_an_item_in_every_question_and_repeat() -> None:
    """A taste far above the noise is the order, in pairs and lists, however often one asks."""
    judge = bench(replace(REFERENCE, taste=1e6), np.zeros(12))
    every = np.arange(12)[None]
    order = every[0][judge.answer(Question("list", 12), every)[0]]
    place = np.argsort(order)
    pairs = np.array([(i, j) for i in range(12) for j in range(12) if i != j])

    for repeat in range(5):
        grades = judge.answer(PAIR, pairs, repeat=repeat)
        again = judge.answer(Question("list", 12), every[:, ::-1], repeat=repeat)
        assert np.array_equal(grades, np.sign(place[pairs[:, 1]] - place[pairs[:, 0]]))
        assert np.array_equal(every[0, ::-1][again[0]], order)


def test_taste_is_a_judges_own_and_has_its_spread() -> None:
    utility, shown = lots(2, 0.0, 0.0)
    one, other = (
        bench(replace(FAIR, taste=2.0), utility, seed=seed).answer(GRADED, shown) for seed in (1, 2)
    )

    spread = np.random.default_rng(0).normal(size=400_000) * 2 * 2**0.5
    much = share(np.abs(spread + np.random.default_rng(1).logistic(size=400_000)) >= 2.0)
    assert share(np.abs(one) == 2) == pytest.approx(much, abs=0.012)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02


@pytest.mark.parametrize("bias", [-1.0, 0.0, 0.4])
def test_bias_is_a_pull_to_the_first_shown(bias: float) -> None:
    utility, shown = lots(2, 0.0, 0.0)

    won = bench(replace(FAIR, bias=bias), utility).answer(PAIR, shown) > 0

    assert share(won) == close(expit(bias))


def test_grades_fall_between_the_thresholds() -> None:
    utility, shown = lots(2, 0.5, 0.0)
    grades = bench(FAIR, utility).answer(GRADED, shown)
    edges = expit(np.array([-2.0, -0.3, 0.3, 2.0]) - 0.5)
    expected = np.diff(edges, prepend=0.0, append=1.0) * MANY

    assert chisquare(np.bincount(grades + 2, minlength=5), expected).pvalue > 0.001


@pytest.mark.parametrize("tie", [0.0, 0.5, np.inf])
def test_pairs_tie_below_their_threshold(tie: float) -> None:
    utility, shown = lots(2, 0.0, 0.0)

    tied = bench(replace(FAIR, tie=tie), utility).answer(PAIR, shown) == 0

    assert share(tied) == (close(2 * expit(tie) - 1) if 0 < tie < np.inf else float(tie > 0))


def test_a_lapse_is_a_guess_whatever_is_true() -> None:
    careless = replace(REFERENCE, lapse=0.3)
    utility, shown = lots(2, 90.0, 0.0)
    grades = bench(careless, utility).answer(GRADED, shown)
    utility_3, shown_3 = lots(3, 0.0, 0.0, 90.0)

    assert share(bench(careless, utility).answer(PAIR, shown) < 0) == close(0.15)
    assert [share(grades == grade) for grade in (-2, -1, 0, 1)] == [close(0.06)] * 4
    assert first_places(bench(careless, utility_3), shown_3)[0] / MANY == close(0.1)


@pytest.mark.parametrize("persistent", [0.0, 0.9])
def test_the_first_of_a_list_follows_plackett_luce(persistent: float) -> None:
    """Whatever persists: exp(u / lambda) over the sum, with the noise that a list of three has."""
    worth = np.array([0.0, 0.7, -0.4])
    utility, shown = lots(3, *worth)
    profile = replace(FAIR, per_pair=persistent)
    scale = 1.0 + 0.15 * np.log2(1.5)
    odds = np.exp(worth / scale)

    firsts = first_places(bench(profile, utility), shown)

    assert profile.list_noise(3) == pytest.approx(scale)
    assert chisquare(firsts, MANY * odds / odds.sum()).pvalue > 0.001


def test_a_list_favours_its_early_places() -> None:
    """From + slope on the first place to - slope on the last, evenly."""
    utility, shown = lots(3, 0.0, 0.0, 0.0)
    profile = replace(FAIR, list_slope=0.3)
    odds = np.exp(np.array([0.3, 0.0, -0.3]) / profile.list_noise(3))

    firsts = first_places(bench(profile, utility), shown)

    assert firsts[0] > firsts[1] > firsts[2]
    assert chisquare(firsts, MANY * odds / odds.sum()).pvalue > 0.001


def test_an_order_names_every_place_once() -> None:
    shown = np.arange(500).reshape(50, 10)
    orders = bench(JudgeProfile(taste=1.0, lapse=0.5), np.zeros(500)).answer(
        Question("list", 10), shown
    )

    assert np.array_equal(np.sort(orders, axis=1), np.tile(np.arange(10), (50, 1)))


@pytest.mark.parametrize("question", [PAIR, GRADED, Question("list", 4)], ids=str)
def test_neither_batches_nor_rows_matter_but_ids_do(question: Question) -> None:
    """Cut a batch anywhere, or move the items to other rows: the same answer for the same ids."""
    dice = np.random.default_rng(8)
    utility, n = dice.normal(size=60), 200
    shown = np.array([dice.permutation(60)[: question.size] for _ in range(n)])
    repeat = dice.integers(0, 3, n)
    judge = bench(JudgeProfile(taste=0.5, lapse=0.1, tie=0.2), utility)
    rows = dice.permutation(60)
    moved = replace(judge, utility=utility[rows], keys=judge.keys[rows])
    whole = judge.answer(question, shown, repeat=repeat)

    cut = [
        judge.answer(question, shown[i : i + 7], repeat=repeat[i : i + 7]) for i in range(0, n, 7)
    ]
    assert np.array_equal(np.concatenate(cut), whole)
    assert np.array_equal(moved.answer(question, np.argsort(rows)[shown], repeat=repeat), whole)
    renamed = replace(judge, keys=judge.keys[rows])
    assert not np.array_equal(renamed.answer(question, shown, repeat=repeat), whole)


def test_seed_name_quality_and_variant_are_part_of_the_key() -> None:
    judge, (_, shown) = bench(FAIR, np.zeros(2 * MANY)), lots(2, 0, 0)
    first = judge.answer(PAIR, shown)
    others = [
        replace(judge, seed=2).answer(PAIR, shown),
        replace(judge, by="other").answer(PAIR, shown),
        replace(judge, profile=replace(FAIR, name="sim:other")).answer(PAIR, shown),
        judge.answer(PAIR, shown, variant="judge-2"),
    ]

    for other in others:
        assert share(other == first) == close(0.5)


def test_no_answer_is_no_array_of_another_shape() -> None:
    judge = bench(JudgeProfile(lapse=0.1, taste=1.0), np.zeros(9))

    assert judge.answer(PAIR, np.zeros((0, 2), np.int64)).shape == (0,)
    assert judge.answer(Question("list", 3), np.zeros((0, 3), np.int64)).shape == (0, 3)


def test_the_persistent_share_is_half_by_default_and_none_in_the_reference() -> None:
    assert JudgeProfile().persistent_share == 0.5
    assert REFERENCE.persistent_share == REFERENCE.taste == JudgeProfile().taste == 0.0
