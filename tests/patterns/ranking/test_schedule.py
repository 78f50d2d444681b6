"""What is asked: distinct items, nothing twice, every item shown first as often as last."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.actors.questions import Question
from commedia.benchmarks.trial import judged
from commedia.patterns.ranking import PosteriorRanking
from commedia.patterns.ranking.schedule import (
    Ledger,
    match_lists,
    match_pairs,
    match_strangers,
    places,
)

SEEDS = st.integers(0, 2**32)
law = settings(deadline=None, derandomize=True, max_examples=25)


def any_answer(question: Question, shown: np.ndarray) -> np.ndarray:
    """Judge by item number: the lower the better."""
    if question.kind == "list":
        return np.argsort(shown, axis=1)
    return np.asarray(np.sign(shown[:, 1] - shown[:, 0]), np.int64)


@law
@given(
    st.integers(2, 40),
    st.sampled_from(["pair", "graded", "list:3", "list:10"]),
    SEEDS,
    st.lists(st.integers(0, 39), max_size=4, unique=True),
    st.integers(1, 60),
)
def test_matches_are_of_distinct_present_items(
    n: int, text: str, seed: int, excluded: list[int], limit: int
) -> None:
    question = Question.parse(text)
    ranking = PosteriorRanking(n, question, seed=seed)
    gone = {item for item in excluded if item < n}
    for item in gone:
        ranking.exclude(item)
    for _ in range(3):
        matches = ranking.next_matches(limit)
        for row in matches.column("shown").to_pylist():
            assert len(set(row)) == len(row) >= 2
            assert set(row) <= set(range(n)) - gone
        assert matches.num_rows <= limit
        if matches.num_rows:
            ranking.record(judged(matches, any_answer))

    standing = ranking.standing()
    assert sorted(standing.column("item").to_pylist()) == sorted(set(range(n)) - gone)
    for row in standing.to_pylist():
        assert 1 <= row["rank_low"] <= row["rank_high"] <= max(1, n - len(gone))


@law
@given(st.integers(4, 60), SEEDS)
def test_no_pair_is_handed_out_twice(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ledger = Ledger(n)
    rounds = [match_pairs([rng.permutation(n) for _ in range(3)], ledger, n, rng) for _ in range(4)]

    pairs = [tuple(sorted(pair)) for rows in rounds for pair in rows.tolist()]
    assert len(pairs) == len(set(pairs))
    assert all(len(rows) <= n for rows in rounds)


@law
@given(st.integers(2, 30), SEEDS)
def test_strangers_are_all_the_pairs_left(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ledger = Ledger(n)
    near = match_pairs([rng.permutation(n)], ledger, n, rng)
    far = match_strangers(rng.permutation(n), ledger, n * n, rng)

    pairs = {tuple(sorted(pair)) for pair in near.tolist() + far.tolist()}
    assert len(pairs) == len(near) + len(far) == n * (n - 1) // 2
    assert len(match_strangers(rng.permutation(n), ledger, 5, rng)) == 0


@law
@given(st.integers(20, 60), SEEDS)
def test_every_item_stands_first_as_often_as_second(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ledger = Ledger(n)
    for _ in range(4):
        match_pairs([rng.permutation(n) for _ in range(3)], ledger, n, rng)

    assert np.abs(ledger.balance).max() <= 3


def test_every_item_is_shown_early_as_often_as_late() -> None:
    rng = np.random.default_rng(1)
    ledger = Ledger(100)
    for _ in range(5):
        match_lists([rng.permutation(100) for _ in range(6)], 10, ledger, 50, rng)

    chance = places(10).std() * 25**0.5
    assert ledger.balance.std() < 0.5 * chance


@pytest.mark.parametrize("n", [10, 37, 100])
def test_the_best_and_the_last_are_asked_about_like_any(n: int) -> None:
    rng = np.random.default_rng(2)
    ledger = Ledger(n)
    shown = match_lists([np.arange(n) for _ in range(60)], 10, ledger, 10**6, rng)

    asked = np.bincount(shown.ravel(), minlength=n)
    assert asked.min() >= 0.8 * np.median(asked)


@law
@given(st.integers(2, 12), SEEDS)
def test_a_set_of_items_is_asked_again_in_new_orders_only(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ledger = Ledger(n)
    shown = match_lists([np.arange(n)] * 40, min(n, 4), ledger, 40, rng)

    rows = [tuple(row) for row in shown.tolist()]
    assert len(rows) == len(set(rows))
