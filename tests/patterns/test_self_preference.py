"""A judge that favours its own model is found, and one that does not is not accused."""

import numpy as np
import pytest

from commedia.patterns.boards import Judged
from commedia.patterns.ranking.robust import Verdicts
from commedia.patterns.self_preference import favours_of

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
