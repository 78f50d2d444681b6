"""Every baseline sorts what it can, ends whatever fails, and replays."""

import pickle
from collections.abc import Callable
from functools import partial
from itertools import count

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.bracket import Ranking
from commedia.actors.questions import HIGHEST_SCORE, Question
from commedia.actors.simulation.judge import REFERENCE, Bench
from commedia.actors.simulation.keyed import text_keys
from commedia.actors.tables import MATCHES, OUTCOMES, STANDING
from commedia.benchmarks.cases import mean
from commedia.benchmarks.sorting import Afresh
from commedia.benchmarks.trial import Answer, Ints, judged, play
from commedia.patterns.ranking import score_against
from commedia.patterns.ranking.baselines import METHODS, Knockout, SlidingWindow

NAMES = [*METHODS]
EXACT = ["merge", "quick", "heap", "window", "bucket", "random"]
"""Without noise these sort (windows up to 100 items, random pairs where they are all pairs)."""

TRUTHS = st.integers(0, 40).flatmap(lambda n: st.permutations(range(n)))
Fails = Callable[[list[int]], bool]


def exact(truth: np.ndarray) -> Answer:
    """Answer without noise: scores are levels of equal numbers of items."""
    level = 1 + HIGHEST_SCORE * truth.argsort().argsort() // max(len(truth), 1)

    def answer(question: Question, shown: Ints) -> Ints:
        if question.kind == "score":
            return np.asarray(level[shown[:, 0]])
        if question.kind == "list":
            return np.argsort(-truth[shown], axis=1, kind="stable")
        return np.asarray(np.sign(truth[shown[:, 0]] - truth[shown[:, 1]]), np.int64)

    return answer


def noisy(n: int) -> Answer:
    utility = np.random.default_rng(1).standard_normal(n) * 2.38
    return Bench(REFERENCE, 1, "worth", utility, text_keys([str(i) for i in range(n)])).answer


def tied(question: Question, shown: Ints) -> Ints:
    """Answer that all are alike; a list must have some order."""
    if question.kind == "list":
        return np.broadcast_to(np.arange(shown.shape[1]), shown.shape)
    return np.full(len(shown), 5 if question.kind == "score" else 0)


def _any(rng: np.random.Generator, question: Question, shown: Ints) -> Ints:
    return np.asarray(rng.choice([-1, 1], len(shown)))


def told(matches: pa.RecordBatch, answer: Answer, fails: Fails) -> pa.RecordBatch:
    """Return the outcomes of *matches*; those that fail are refused."""
    outcomes = judged(matches, answer)
    lost = np.array([fails(shown) for shown in matches.column("shown").to_pylist()], bool)
    kept = pa.array(np.arange(len(lost)), pa.int32(), mask=lost)
    columns = [
        *(outcomes.column(name) for name in MATCHES.names),
        pa.array(np.where(lost, "refused", "ok"), pa.string()),
        outcomes.column("grade").take(kept),
        outcomes.column("order").take(kept),
    ]
    return pa.record_batch(columns, schema=OUTCOMES)


def run(
    ranking: Ranking,
    answer: Answer,
    *,
    fails: Fails = lambda shown: False,
    limit: int | None = None,
    most_rounds: int = 100_000,
) -> list[pa.RecordBatch]:
    """Play *ranking* to its end; return the outcomes of every round."""
    rounds: list[pa.RecordBatch] = []
    while len(rounds) < most_rounds and (matches := ranking.next_matches(limit)).num_rows:
        assert matches.schema == MATCHES
        assert limit is None or matches.num_rows <= limit
        rounds.append(told(matches, answer, fails))
        ranking.record(rounds[-1])
    return rounds


def order(ranking: Ranking) -> list[int]:
    standing = ranking.standing()

    assert standing.schema == STANDING
    return [*standing.column("item").to_pylist()]


@pytest.mark.parametrize("name", EXACT)
@given(truth=TRUTHS, seed=st.integers(0, 5), votes=st.sampled_from([1, 2, 3]))
def test_without_noise_a_sort_sorts(name: str, truth: list[int], seed: int, votes: int) -> None:
    ranking = METHODS[name].make(len(truth), seed, votes)
    run(ranking, exact(np.array(truth, float)))

    assert order(ranking) == sorted(range(len(truth)), key=lambda item: -truth[item])
    assert ranking.progress().stopped is not None


@given(truth=TRUTHS, seed=st.integers(0, 5))
def test_without_noise_the_best_wins_every_knockout(truth: list[int], seed: int) -> None:
    ranking = Knockout(len(truth), seed=seed)
    run(ranking, exact(np.array(truth, float)))

    assert order(ranking)[:1] == [item for item, place in enumerate(truth) if place == max(truth)]


@pytest.mark.parametrize(("name", "least"), [("swiss", 0.95), ("swiss-bt", 0.98)])
def test_without_noise_swiss_rounds_come_near_the_order(name: str, least: float) -> None:
    for seed in range(5):
        truth = np.random.default_rng(seed).permutation(40).astype(float)
        ranking = METHODS[name].make(40, seed, 1)
        run(ranking, exact(truth))
        items = order(ranking)

        assert score_against(truth[items], -np.arange(40.0)).tau_b >= least


def test_without_noise_scores_order_items_of_different_levels() -> None:
    truth = np.random.default_rng(0).permutation(40).astype(float)
    ranking = METHODS["pointwise"].make(40, 0, 1)
    run(ranking, exact(truth))
    levels = truth[order(ranking)] // 4

    assert (np.diff(levels) <= 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [0, 1])
def test_nothing_is_asked_where_there_is_no_order(name: str, n: int) -> None:
    ranking = METHODS[name].make(n, 0, 1)

    assert ranking.next_matches().num_rows == 0
    assert ranking.progress().stopped is not None
    assert order(ranking) == [*range(n)]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pointwise"])
def test_of_two_the_better_is_first(name: str) -> None:
    for better in (0, 1):
        truth = np.array([1.0 - better, better])
        ranking = METHODS[name].make(2, 0, 1)
        run(ranking, exact(truth))

        assert order(ranking)[0] == better


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [2, 3, 25])
def test_where_all_are_tied_it_ends_and_ranks_all(name: str, n: int) -> None:
    ranking = METHODS[name].make(n, 0, 2)
    run(ranking, tied)

    assert sorted(order(ranking)) == [*range(n)]


@pytest.mark.parametrize("name", NAMES)
def test_refused_items_are_ranked_and_the_others_in_order(name: str) -> None:
    """Two items of 25 are never answered about. Where they do not steer it, the rest is sorted."""
    truth = np.random.default_rng(2).permutation(25).astype(float)
    ranking = METHODS[name].make(25, 0, 1)
    run(ranking, exact(truth), fails=lambda shown: 3 in shown or 7 in shown)
    items = order(ranking)
    others = [item for item in items if item not in (3, 7)]

    assert sorted(items) == [*range(25)]
    if name in ("random", "bucket", "pointwise", "swiss-bt"):
        assert score_against(truth[others], -np.arange(23.0)).tau_b > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_where_every_answer_fails_it_ends_and_ranks_all(name: str) -> None:
    ranking = METHODS[name].make(12, 0, 1)
    run(ranking, tied, fails=lambda shown: True)

    assert sorted(order(ranking)) == [*range(12)]
    assert ranking.progress().answered == 0
    assert ranking.progress().stopped is not None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("votes", [1, 2])
def test_what_is_not_answered_is_asked_three_times(name: str, votes: int) -> None:
    ranking = METHODS[name].make(2, 0, votes)
    run(ranking, tied, fails=lambda shown: True)
    topics = {"knockout": 10, "pointwise": 2, "bucket": 2 + 1}.get(name, 1)

    assert ranking.progress().asked == 3 * votes * topics


@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_again_is_shown_in_the_other_order(name: str) -> None:
    ranking = METHODS[name].make(2, 0, 1)
    first = ranking.next_matches()
    ranking.record(told(first, tied, lambda shown: True))
    again = ranking.next_matches()
    shown = first.column("shown").to_pylist()

    assert again.column("shown").to_pylist() == [row[::-1] for row in shown]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("before", [0, 1, 4])
def test_an_excluded_item_is_never_shown_again_and_absent(name: str, before: int) -> None:
    truth = np.random.default_rng(3).permutation(20).astype(float)
    ranking = METHODS[name].make(20, 0, 1)
    run(ranking, exact(truth), most_rounds=before)
    best = int(truth.argmax())
    for item in (best, 5, 6):
        ranking.exclude(item)
    rest = run(ranking, exact(truth))
    shown = {item for batch in rest for row in batch.column("shown").to_pylist() for item in row}
    items = order(ranking)

    assert not shown & {best, 5, 6}
    assert sorted(items) == sorted({*range(20)} - {best, 5, 6})
    if name in EXACT:
        assert items == sorted(items, key=lambda item: -truth[item])


@pytest.mark.parametrize("name", NAMES)
def test_an_item_excluded_while_it_is_asked_about_leaves_no_trace(name: str) -> None:
    truth = np.random.default_rng(4).permutation(20).astype(float)
    ranking = METHODS[name].make(20, 0, 1)
    outcomes = told(ranking.next_matches(), exact(truth), lambda shown: 5 in shown)
    ranking.exclude(5)
    ranking.record(outcomes)
    run(ranking, exact(truth))

    assert sorted(order(ranking)) == sorted({*range(20)} - {5})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("limit", [1, 3])
def test_rounds_may_be_cut_short(name: str, limit: int) -> None:
    truth = np.random.default_rng(5).permutation(12).astype(float)
    cut, whole = (METHODS[name].make(12, 0, 1) for _ in range(2))
    run(cut, exact(truth), limit=limit)
    run(whole, exact(truth))

    assert order(cut) == order(whole)
    assert cut.progress().asked == whole.progress().asked


@pytest.mark.parametrize("name", NAMES)
def test_with_no_calls_left_nothing_is_asked_and_nothing_lost(name: str) -> None:
    truth = np.random.default_rng(6).permutation(12).astype(float)
    paused, straight = (METHODS[name].make(12, 0, 1) for _ in range(2))
    run(paused, exact(truth), most_rounds=1)

    assert paused.next_matches(0).num_rows == 0
    if name not in ("pointwise", "random"):  # one round is all of theirs
        assert paused.progress().stopped is None

    run(paused, exact(truth))
    run(straight, exact(truth))
    assert order(paused) == order(straight)


@pytest.mark.parametrize("name", NAMES)
def test_outcomes_that_never_came_are_asked_for_again(name: str) -> None:
    """Of each round the first two and every third outcome are lost, as when a run is stopped."""
    truth = np.random.default_rng(7).permutation(15).astype(float)
    ranking = METHODS[name].make(15, 0, 1)
    for number in count():
        matches = ranking.next_matches()
        if not matches.num_rows:
            break
        kept = np.arange(matches.num_rows) % 3 == 2 if number % 2 == 0 else slice(None)
        rows = np.arange(matches.num_rows)[kept]
        ranking.record(judged(matches, exact(truth)).take(pa.array(rows)))

    assert sorted(order(ranking)) == [*range(15)]
    if name in EXACT:
        assert order(ranking) == np.argsort(-truth).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_outcomes_give_the_same_standing(name: str) -> None:
    answer = noisy(30)
    first, again = (METHODS[name].make(30, 4, 2) for _ in range(2))
    fresh = pickle.loads(pickle.dumps(again))
    outcomes = run(first, answer, fails=lambda shown: sum(shown) % 7 == 0)
    for ranking in (again, fresh):
        for batch in outcomes:
            assert ranking.next_matches().column("shown").equals(batch.column("shown"))
            ranking.record(batch)

        assert ranking.standing().equals(first.standing())
        assert ranking.progress() == first.progress()


@pytest.mark.parametrize("name", NAMES)
def test_looking_at_a_baseline_changes_nothing(name: str) -> None:
    answer = noisy(20)
    watched, alone = (METHODS[name].make(20, 0, 1) for _ in range(2))
    while (matches := watched.next_matches()).num_rows:
        outcomes = told(matches, answer, lambda shown: shown[0] == 0)
        half = matches.num_rows // 2
        watched.record(outcomes.slice(0, half))
        watched.standing(), watched.progress()
        watched.record(outcomes.slice(half))
        watched.standing(), watched.progress()
    run(alone, answer, fails=lambda shown: shown[0] == 0)

    assert watched.standing().equals(alone.standing())


@pytest.mark.parametrize("name", NAMES)
def test_the_question_asked_is_the_one_it_names(name: str) -> None:
    matches = METHODS[name].make(50, 0, 1).next_matches()
    first = "score" if name == "bucket" else str(METHODS[name].question)

    assert set(matches.column("task").to_pylist()) == {first}


@pytest.mark.parametrize("name", ["merge", "quick", "pointwise", "bucket"])
def test_votes_make_a_noisy_judge_better(name: str) -> None:
    """Where the judge answers afresh: its noise does not persist here."""
    utility = np.random.default_rng(1).standard_normal(60) * 2.38
    keys = text_keys([str(item) for item in range(60)])
    taus = {}
    for votes in (1, 9):
        trials = [
            play(
                METHODS[name].make(60, seed, votes),
                Afresh(Bench(REFERENCE, seed, "worth", utility, keys)),
                utility,
            )
            for seed in range(4)
        ]
        taus[votes] = mean(trials, "tau")

    assert taus[9] > taus[1] + 0.03


def test_a_pass_that_changes_nothing_is_the_last() -> None:
    ranking = SlidingWindow(15, seed=0)
    run(ranking, exact(np.arange(15.0)))

    assert ranking.progress().asked == 2


def test_random_pairs_know_how_good_they_are() -> None:
    utility = np.random.default_rng(1).standard_normal(150) * 2.38
    keys = text_keys([str(item) for item in range(150)])
    ranking = METHODS["random"].make(150, 0, 1)
    run(ranking, Bench(REFERENCE, 1, "worth", utility, keys).answer)
    standing = ranking.standing()
    rank = (-utility).argsort().argsort()[standing.column("item").to_numpy()] + 1
    low, high = (standing.column(name).to_numpy() for name in ("rank_low", "rank_high"))
    tau = score_against(utility[order(ranking)], -np.arange(150.0)).tau_b

    assert ranking.progress().predicted_tau == pytest.approx(tau, abs=0.04)
    assert 0.8 < np.mean((low - 0.5 <= rank) & (rank <= high + 0.5)) < 0.99


@pytest.mark.parametrize("name", ["random", "swiss-bt"])
def test_a_fitted_baseline_knows_a_judge_who_knows_nothing(name: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        ranking = METHODS[name].make(100, seed, 1)
        run(ranking, partial(_any, rng))

        assert ranking.progress().predicted_tau < 0.3
