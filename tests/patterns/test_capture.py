"""What is left is estimated from what was seen once and twice; the intervals hold it."""

import numpy as np
import pytest

from commedia.patterns.capture import chao1, chao2


def test_the_estimators_are_those_of_the_literature() -> None:
    """Chao 1987, bias corrected, worked by hand: 4 once, 2 twice, 3 more, in 5 passes."""
    counts = [1, 1, 1, 1, 2, 2, 3, 4, 5]

    assert chao1(counts).unseen == pytest.approx(19 / 20 * 4 * 3 / (2 * 3))
    assert chao2(counts, 5).unseen == pytest.approx(4 / 5 * 4 * 3 / (2 * 3))
    assert chao2(counts, 5).coverage == pytest.approx(1 - 4 / 20 * (16 / (16 + 4)))


@pytest.mark.parametrize("counts", [[], [3], [4, 4, 4], [1]])
def test_nothing_seen_once_leaves_nothing_to_expect(counts: list[int]) -> None:
    left = chao2(counts, 4)

    assert left.unseen == 0
    assert 0 <= left.low <= left.high


def test_nothing_seen_covers_nothing() -> None:
    assert chao2([], 3).coverage == 0
    assert chao2([0, 0, 2], 3).seen == 1


def test_the_estimate_meets_the_truth_where_all_are_alike_and_its_interval_holds_it() -> None:
    """300 worlds of 50 findings, each seen in a pass with chance 0.3, in 5 passes."""
    rng = np.random.default_rng(0)
    errors, held = [], []
    for _ in range(300):
        counts = rng.binomial(5, 0.3, size=50)
        left, missed = chao2(counts.tolist(), 5), int((counts == 0).sum())
        errors.append(left.unseen - missed)
        held.append(left.low <= missed <= left.high)

    assert np.mean(errors) == pytest.approx(0, abs=1.5)
    assert np.mean(held) > 0.85


def test_the_estimate_is_a_lower_bound_where_some_are_hard_to_see() -> None:
    rng = np.random.default_rng(1)
    chances = np.array([0.7] * 30 + [0.05] * 20)
    errors = []
    for _ in range(300):
        counts = rng.binomial(5, chances)
        errors.append(chao2(counts.tolist(), 5).unseen - int((counts == 0).sum()))

    assert np.mean(errors) < 0
