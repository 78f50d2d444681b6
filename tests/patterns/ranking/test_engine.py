"""A ranking finds the order, stops in time, replays, and finds out who does not judge."""

import pickle
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import kendalltau

from commedia.actors.answers import SILENT_CALLS
from commedia.actors.errors import UsageError
from commedia.actors.questions import Question
from commedia.actors.simulation.judge import REFERENCE, Bench
from commedia.actors.simulation.keyed import text_keys
from commedia.actors.tables import MATCHES, OUTCOMES, STANDING
from commedia.benchmarks.cases import Case, judge_of, mean, run_case, world_of
from commedia.benchmarks.trial import Answer, judged, play
from commedia.patterns.ranking import PosteriorRanking, score_against
from commedia.patterns.ranking.policy import Always

QUESTIONS = ["pair", "graded", "list:5"]


def judge(n: int, seed: int = 0) -> tuple[np.ndarray, Answer]:
    """Return utilities of *n* items and the reference judge of them."""
    utility = np.random.default_rng(seed).standard_normal(n) * 2.38
    keys = text_keys([str(item) for item in range(n)])
    return utility, Bench(REFERENCE, seed, "worth", utility, keys).answer


def run(
    ranking: PosteriorRanking,
    question: Question,
    answer: Answer,
    fails: Callable[[np.ndarray], np.ndarray] = lambda shown: np.zeros(len(shown), bool),
    *,
    most_rounds: int = 1000,
) -> list[pa.RecordBatch]:
    """Play *ranking* to its end, losing the answers that *fails* says; return the outcomes."""
    rounds: list[pa.RecordBatch] = []
    while len(rounds) < most_rounds and (matches := ranking.next_matches()).num_rows:
        outcomes = judged(matches, answer)
        lost = fails(np.array(matches.column("shown").to_pylist()))
        kept = pa.array(np.arange(len(lost)), pa.int32(), mask=lost)
        columns = [
            *(outcomes.column(name) for name in MATCHES.names),
            pa.array(np.where(lost, "timeout", "ok"), pa.string()),
            outcomes.column("grade").take(kept),
            outcomes.column("order").take(kept),
        ]
        rounds.append(pa.record_batch(columns, schema=OUTCOMES))
        ranking.record(rounds[-1])
    return rounds


def tau(ranking: PosteriorRanking, utility: np.ndarray) -> float:
    standing = ranking.standing()
    items = standing.column("item").to_numpy()
    return score_against(utility[items], standing.column("score").to_numpy()).tau_b


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_ranking_stops_just_past_its_target_with_honest_intervals(text: str) -> None:
    question = Question.parse(text)
    trials = []
    for seed in range(4):
        utility, answer = judge(150, seed)
        ranking = PosteriorRanking(150, question, target=0.85, seed=seed)
        trials.append(play(ranking, answer, utility))

    assert {trial.stopped for trial in trials} == {"target"}
    assert all(0.85 <= trial.predicted < 0.88 for trial in trials)
    assert mean(trials, "tau") == pytest.approx(mean(trials, "predicted"), abs=0.03)
    assert 0.83 < mean(trials, "coverage") < 0.97


@pytest.mark.parametrize("text", QUESTIONS)
def test_replayed_outcomes_give_the_same_bits(text: str) -> None:
    question = Question.parse(text)
    _, answer = judge(60)
    first = PosteriorRanking(60, question, seed=3, budget_calls=150)
    outcomes = run(first, question, answer)
    again = PosteriorRanking(60, question, seed=3, budget_calls=150)

    for batch in outcomes:
        assert again.next_matches().column("shown").equals(batch.column("shown"))
        again.record(batch)

    assert again.standing().equals(first.standing())


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_pickled_ranking_continues_identically(text: str) -> None:
    question = Question.parse(text)
    _, answer = judge(60)
    one = PosteriorRanking(60, question, target=0.8)
    run(one, question, answer, most_rounds=2)
    two = pickle.loads(pickle.dumps(one))
    run(one, question, answer)
    run(two, question, answer)

    assert two.standing().equals(one.standing())


def test_looking_at_a_ranking_changes_nothing() -> None:
    question = Question.parse("pair")
    _, answer = judge(40)
    watched, alone = (PosteriorRanking(40, question, target=0.8) for _ in range(2))
    while (matches := watched.next_matches()).num_rows:
        half = matches.num_rows // 2
        outcomes = judged(matches, answer)
        watched.record(outcomes.slice(0, half))
        watched.progress(), watched.standing(), watched.diagnosis()
        watched.record(outcomes.slice(half))
    run(alone, question, answer)

    assert watched.standing().equals(alone.standing())


@pytest.mark.parametrize(("text", "budget"), [("pair", 501), ("graded", 7), ("list:5", 100)])
def test_a_budget_is_spent_to_the_last_call_in_equal_rounds(text: str, budget: int) -> None:
    question = Question.parse(text)
    _, answer = judge(80)
    ranking = PosteriorRanking(80, question, budget_calls=budget, rounds=4)

    outcomes = run(ranking, question, answer)

    assert sum(batch.num_rows for batch in outcomes) == budget
    assert ranking.progress().stopped == "budget"
    assert len(outcomes) == 4


def test_equal_rounds_need_a_budget() -> None:
    with pytest.raises(UsageError, match="budget"):
        PosteriorRanking(10, Question.parse("pair"), rounds=3)


def test_a_limit_cuts_a_round() -> None:
    ranking = PosteriorRanking(80, Question.parse("pair"))

    assert ranking.next_matches(7).num_rows == 7
    assert ranking.next_matches(0).num_rows == 0
    assert ranking.progress().asked == 7


@pytest.mark.parametrize("question", ["pair", "graded", "list:10"])
@pytest.mark.parametrize("habit", ["first", "random"])
def test_a_judge_that_does_not_judge_is_found_out(question: str, habit: str) -> None:
    trial = run_case(Case(question, habit=habit), 0)  # type: ignore[arg-type]

    assert trial.predicted < 0.3
    assert trial.width >= 0.8 * 1000
    assert trial.stopped == "judge"
    assert trial.calls < 30_000


def test_a_judge_that_does_not_judge_is_kept_where_that_is_wanted() -> None:
    case = Case("list:10", habit="random")
    truth, utility = (part[:200] for part in world_of(case, 0))
    ranking = PosteriorRanking(200, policy=Always(Question.parse("list:10"), keeps=True))
    trial = play(ranking, judge_of(case, utility, 0), truth)

    assert trial.stopped == "saturation"
    assert any("no information" in note for note in trial.notes)


@pytest.mark.parametrize("text", ["pair", "graded", "list:10"])
@pytest.mark.parametrize("first", [0.0, 0.9])
def test_a_small_table_does_not_make_chance_look_like_an_order(text: str, first: float) -> None:
    """Random judges, and such that mostly pick the first shown, on 40 items."""
    question = Question.parse(text)
    predicted = []
    for seed in range(8):
        rng = np.random.default_rng(seed)

        def answer(
            question: Question, shown: np.ndarray, rng: np.random.Generator = rng
        ) -> np.ndarray:
            lazy = rng.random(len(shown)) < first
            if question.kind == "list":
                order = rng.permuted(np.tile(np.arange(shown.shape[1]), (len(shown), 1)), axis=1)
                return np.where(lazy[:, None], np.arange(shown.shape[1]), order)
            return np.where(lazy, 1, rng.choice([-1, 1], len(shown)))

        ranking = PosteriorRanking(40, question, seed=seed)
        run(ranking, question, answer)
        predicted.append(ranking.progress().predicted_tau)

    assert np.mean(predicted) < 0.15
    assert np.median(predicted) < 0.1


@pytest.mark.parametrize("text", ["pair", "graded"])
def test_a_judge_that_only_sees_ties_is_found_out(text: str) -> None:
    question = Question.parse(text)
    ranking = PosteriorRanking(40, question)

    outcomes = run(ranking, question, lambda _, shown: np.zeros(len(shown), np.int64))

    assert outcomes
    assert ranking.progress().predicted_tau < 0.3
    assert "carries no information" in ranking.progress().notes[0]


@pytest.mark.parametrize("text", QUESTIONS)
def test_lost_answers_are_missing_data_and_cost_little(text: str) -> None:
    question = Question.parse(text)
    budget = 600 if question.kind == "list" else 2500
    costs = []
    for seed in range(4):
        utility, answer = judge(150, seed)
        rng = np.random.default_rng(seed)
        whole, lossy = (
            PosteriorRanking(150, question, seed=seed, budget_calls=budget, rounds=4)
            for _ in range(2)
        )
        run(whole, question, answer)
        run(lossy, question, answer, _losing(rng))
        costs.append(tau(whole, utility) - tau(lossy, utility))

        assert lossy.progress().answered < lossy.progress().asked == budget
        assert lossy.quarantined() == []
    assert abs(np.mean(costs)) < 0.02


@pytest.mark.parametrize("text", QUESTIONS)
def test_an_item_whose_matches_keep_failing_is_quarantined(text: str) -> None:
    question = Question.parse(text)
    utility, answer = judge(60)
    ranking = PosteriorRanking(60, question, target=0.85)

    outcomes = run(ranking, question, answer, lambda shown: (shown == 7).any(1))

    assert ranking.quarantined() == [7]
    assert "kept failing" in ranking.progress().notes[0]
    last = np.concatenate(outcomes[-1].column("shown").to_pylist())
    assert 7 not in last
    assert 7 in ranking.standing().column("item").to_pylist()
    assert tau(ranking, utility) > 0.75


@pytest.mark.parametrize("text", QUESTIONS)
def test_many_outcomes_in_a_row_without_an_answer_end_it(text: str) -> None:
    question = Question.parse(text)
    _, answer = judge(60)
    ranking = PosteriorRanking(60, question)

    matches = ranking.next_matches(50)
    outcomes = judged(matches, answer)
    refused = pa.array(["refused"] * matches.num_rows)
    lost = [*matches.columns, refused, *outcomes.select(["grade", "order"]).columns]
    for _ in range(-(-SILENT_CALLS // matches.num_rows)):
        ranking.record(pa.record_batch(lost, schema=OUTCOMES))

    assert ranking.progress().stopped == "silence"
    assert ranking.progress().notes == ("not one answer could be used",)
    assert ranking.next_matches().num_rows == 0
    assert ranking.standing().num_rows == 60


@pytest.mark.parametrize("text", QUESTIONS)
def test_an_excluded_item_is_gone(text: str) -> None:
    question = Question.parse(text)
    _, answer = judge(6)
    ranking = PosteriorRanking(6, question, target=0.7)
    run(ranking, question, answer, most_rounds=1)
    for item in (0, 3):
        ranking.exclude(item)

    outcomes = run(ranking, question, answer)

    shown = [item for batch in outcomes for row in batch.column(0).to_pylist() for item in row]
    assert not {0, 3} & set(shown)
    assert sorted(ranking.standing().column("item").to_pylist()) == [1, 2, 4, 5]
    assert max(ranking.standing().column("rank_high").to_pylist()) <= 4


def test_what_is_left_can_reach_the_target() -> None:
    question = Question.parse("list:5")
    _, answer = judge(20)
    ranking = PosteriorRanking(20, question, target=0.8)
    for item in range(10):
        ranking.exclude(item)
    run(ranking, question, answer)

    assert ranking.progress().stopped == "target"


def test_excluding_all_but_one_ends_it() -> None:
    ranking = PosteriorRanking(3, Question.parse("pair"))
    ranking.exclude(0)
    ranking.exclude(2)

    assert ranking.next_matches().num_rows == 0
    assert ranking.progress().stopped == "data"


def test_rounds_in_flight_keep_to_the_budget() -> None:
    ranking = PosteriorRanking(50, Question.parse("pair"), budget_calls=100, rounds=4)

    asked = [ranking.next_matches().num_rows for _ in range(200)]

    assert sum(asked) == 100


def test_excluding_an_item_forgets_its_matches() -> None:
    question = Question.parse("pair")
    _, answer = judge(20)
    ranking = PosteriorRanking(20, question, budget_calls=100)
    outcomes = run(ranking, question, answer)
    ranking.exclude(4)
    without = PosteriorRanking(20, question, budget_calls=100)
    without.exclude(4)
    for batch in outcomes:
        kept = [i for i, row in enumerate(batch.column(0).to_pylist()) if 4 not in row]
        without.record(batch.take(kept))

    ours, theirs = (r.standing().column("item").to_pylist() for r in (ranking, without))
    assert kendalltau(np.argsort(ours), np.argsort(theirs)).statistic > 0.95


@pytest.mark.parametrize("text", ["pair", "graded", "list:10"])
@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_compare_is_no_error(text: str, n: int) -> None:
    ranking = PosteriorRanking(n, Question.parse(text))

    assert ranking.next_matches().num_rows == 0
    assert ranking.progress().stopped == "data"
    assert ranking.standing().column("score").to_pylist() == [0.0] * n
    assert ranking.next_matches().schema.equals(MATCHES)
    assert ranking.standing().schema.equals(STANDING)


@pytest.mark.parametrize("text", ["pair", "graded", "list:10"])
@pytest.mark.parametrize("n", [2, 3, 4, 12])
def test_a_handful_of_items_is_ranked_and_ends(text: str, n: int) -> None:
    question = Question.parse(text)
    utility = np.linspace(9.0 * n, 0.0, n)
    answer = Bench(REFERENCE, 0, "worth", utility, text_keys([str(i) for i in range(n)])).answer
    ranking = PosteriorRanking(n, question, target=0.97)

    outcomes = run(ranking, question, answer)

    assert ranking.standing().column("item").to_pylist() == list(range(n))
    assert ranking.progress().stopped is not None
    asked = [tuple(row) for batch in outcomes for row in batch.column(0).to_pylist()]
    assert len(asked) == len(set(asked)) <= 2 * 200 * n


def test_equal_scores_stand_in_the_order_of_the_items() -> None:
    ranking = PosteriorRanking(5, Question.parse("pair"))

    assert ranking.standing().column("item").to_pylist() == [0, 1, 2, 3, 4]
    assert ranking.standing().column("rank_low").to_pylist() == [1.0] * 5
    assert ranking.standing().column("rank_high").to_pylist() == [5.0] * 5


def test_the_diagnosis_tells_bias_and_scale() -> None:
    question = Question.parse("pair")
    _, answer = judge(100)
    ranking = PosteriorRanking(100, question, budget_calls=3000, rounds=3)
    run(ranking, question, answer)

    assert ranking.diagnosis().position_bias == pytest.approx(0.4, abs=0.15)
    assert ranking.diagnosis().scale == pytest.approx(2.38, abs=0.5)


@pytest.mark.parametrize("text", QUESTIONS)
def test_comparisons_count_an_items_answered_matches(text: str) -> None:
    question = Question.parse(text)
    _, answer = judge(30)
    ranking = PosteriorRanking(30, question, budget_calls=60)
    outcomes = run(ranking, question, answer)

    shown = [item for batch in outcomes for row in batch.column(0).to_pylist() for item in row]
    standing = ranking.standing().select(["item", "comparisons"]).to_pylist()
    assert {row["item"]: row["comparisons"] for row in standing} == {
        item: shown.count(item) for item in range(30)
    }


def _losing(rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """Lose one answer in twenty, at random."""
    return lambda shown: np.asarray(rng.random(len(shown)) < 0.05)


def test_a_table_as_small_as_the_list_is_not_asked_the_same_set_again() -> None:
    """Where all items fit into one list, lists are shorter: persistent noise is per set."""
    for n in (3, 5, 10):
        ranking = PosteriorRanking(n, Question("list", 10), seed=n)
        sets = [frozenset(row) for row in ranking.next_matches().column("shown").to_pylist()]

        assert all(len(shown) == max(2, (n + 1) // 2) for shown in sets)
        assert len(set(sets)) > 1
