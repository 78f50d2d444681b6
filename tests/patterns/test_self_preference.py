"""A judge that favours its own model is found, and one that does not is not accused."""

import numpy as np
import pytest

from commedia.patterns.boards import Judged
from commedia.patterns.ranking.likelihood import Floats
from commedia.patterns.ranking.robust import Verdicts, fit_robust
from commedia.patterns.self_preference import favours_of, within_items

STRENGTH = np.array([0.0, 0.6, 1.2])


def panel(seed: int, *, favour: float, keen: float = 1.0, items: int = 80) -> Judged:
    """Return the verdicts of three judges, of whom judge 1 holds *favour* for system 2."""
    rng = np.random.default_rng(seed)
    found = []
    for item in range(items):
        for one, other in ((0, 1), (1, 2), (2, 0)):
            judge = int(rng.integers(3))
            gap = STRENGTH[one] - STRENGTH[other]
            if judge == 1:
                gap = keen * gap + favour * ((one == 2) - (other == 2))
            grade = 1 if rng.random() < 1 / (1 + np.exp(-gap)) else -1
            found.append((one, other, grade, item, judge))
    one, other, grade, item, judge = np.array(found).T
    return Judged(Verdicts(one, other, grade, np.ones(len(one)), item, judge), np.zeros_like(one))


def test_a_favour_is_found_with_an_interval() -> None:
    (found,) = favours_of(panel(1, favour=2.0), 3, [(1, 2)], judges=3)

    assert found.effect is not None
    assert 0 < found.low < found.effect < found.high
    assert found.low < 2.0


@pytest.mark.parametrize("keen", [1.0, 2.5])
def test_a_judge_is_not_accused_more_often_than_the_interval_says(keen: float) -> None:
    """Nor is one that only sees more sharply than the others."""
    accused = [
        favours_of(panel(seed, favour=0.0, keen=keen), 3, [(1, 2)], judges=3)[0].low > 0
        for seed in range(40)
    ]

    assert sum(accused) <= 6  # 5% of 40 are 2


def lucky(seed: int, *, favour: float, items: int = 150) -> Judged:
    """Return the verdicts of such a panel where outputs are better and worse by chance, too."""
    rng = np.random.default_rng([seed, 3])
    found = []
    for item in range(items):
        worth = STRENGTH + rng.normal(0, 1, 3)
        for judge in range(3):
            for one, other in ((0, 1), (1, 2), (2, 0)):
                gap = worth[one] - worth[other]
                gap += favour * ((one == 2) - (other == 2)) if judge == 1 else 0.0
                grade = 1 if rng.random() < 1 / (1 + np.exp(-gap)) else -1
                found.append((one, other, grade, item, judge))
    one, other, grade, item, judge = np.array(found).T
    return Judged(Verdicts(one, other, grade, np.ones(len(one)), item, judge), np.zeros_like(one))


@pytest.mark.parametrize("favour", [0.0, 1.5])
def test_the_interval_holds_what_is_held_within_one_item(favour: float) -> None:
    """However far outputs differ by chance: 90% is meant, of 40 panels."""
    found = [favours_of(lucky(seed, favour=favour), 3, [(1, 2)], judges=3)[0] for seed in range(40)]

    assert 0.8 <= np.mean([each.low <= favour <= each.high for each in found]) <= 1.0
    assert np.mean([each.effect or 0.0 for each in found]) == pytest.approx(favour, abs=0.15)


def test_a_logit_counts_for_more_within_an_item_where_judges_agree_on_its_outputs() -> None:
    """Where they see nothing in common it counts for what it is."""
    shared, own = lucky(1, favour=0.0, items=400), panel(1, favour=0.0, items=400)

    factor, error = within_items(shared.verdicts, _expected(shared), 3, 3)
    none, _ = within_items(own.verdicts, _expected(own), 3, 3)

    assert factor - 3 * error < (1 + 0.346 * 2) ** 0.5 < factor + 3 * error
    assert none < 1.1


def _expected(judged: Judged) -> Floats:
    return fit_robust(3, judged.verdicts, judges=3).win_chances(judged.verdicts)


@pytest.mark.parametrize("case", ["alone", "never asked of it", "nobody else asked"])
def test_what_cannot_be_compared_has_no_effect(case: str) -> None:
    judged = panel(3, favour=1.0)
    v = judged.verdicts
    is_about = (v.one == 2) | (v.other == 2)
    judges = 1 if case == "alone" else 3
    kept = {
        "alone": v.judge == 1,
        "never asked of it": ~(is_about & (v.judge == 1)),
        "nobody else asked": ~(is_about & (v.judge != 1)),
    }[case]
    part = Judged(v.take(np.flatnonzero(kept)), judged.criterion[kept])

    (found,) = favours_of(part, 3, [(1, 2)], judges=judges)

    assert found.effect is None
