"""The best few, a table that grew, and several qualities at once."""

import numpy as np
import pyarrow as pa
import pytest

from commedia.actors.questions import Question
from commedia.actors.tables import OUTCOMES, concat
from commedia.benchmarks.cases import Case, judge_of, mean, world_of
from commedia.benchmarks.trial import Answer, judged, play
from commedia.patterns.ranking.aim import Aim, ranking_of
from commedia.patterns.ranking.engine import PosteriorRanking
from commedia.patterns.ranking.objective import Best, WholeOrder
from commedia.patterns.ranking.score import score_against

LIST = Question("list", 10)
PRICES = {"pair": 1.0, "graded": 1.0, "list:10": 4.0}


def outcomes_until_the_end(ranking: PosteriorRanking, answer: Answer) -> pa.RecordBatch:
    found = []
    while (matches := ranking.next_matches()).num_rows:
        found.append(judged(matches, answer))
        ranking.record(found[-1])
    return concat(found, OUTCOMES)


def tau_of(ranking: PosteriorRanking, truth: np.ndarray) -> float:
    standing = ranking.standing()
    item, score = standing.column("item").to_numpy(), standing.column("score").to_numpy()
    return score_against(truth[item], score).tau_b


@pytest.mark.parametrize("is_wide", [False, True])
def test_the_best_ten_take_a_fifth_of_the_calls_of_an_order(is_wide: bool) -> None:
    trials = []
    for seed in range(4):
        case = Case("list:10")
        truth, utility = world_of(case, seed)
        ranking = PosteriorRanking(1000, LIST, objective=Best(10, is_wide), seed=seed)
        trials.append(play(ranking, judge_of(case, utility, seed), truth))

    assert {trial.stopped for trial in trials} == {"target"}
    assert mean(trials, "recall") >= 0.85
    assert mean(trials, "calls") < 600
    assert mean(trials, "rounds") <= (10 if is_wide else 16)


@pytest.mark.parametrize("text", ["pair", "graded", "list:5"])
@pytest.mark.parametrize(("n", "k"), [(3, 1), (8, 3), (8, 8), (40, 5)])
def test_the_best_of_a_handful_are_found_and_it_ends(n: int, k: int, text: str) -> None:
    question = Question.parse(text)
    utility = np.linspace(30.0, -30.0, n)

    def answer(asked: Question, shown: np.ndarray) -> np.ndarray:
        if asked.kind == "list":
            return np.argsort(-utility[shown], axis=1)
        return np.where(utility[shown[:, 0]] > utility[shown[:, 1]], 1, -1)

    ranking = ranking_of(n, Aim(text, top=k), PRICES)
    for _ in range(200):
        matches = ranking.next_matches()
        if not matches.num_rows:
            break
        ranking.record(judged(matches, answer))

    assert ranking.progress().stopped is not None
    assert set(ranking.standing().column("item").to_pylist()[:k]) == set(range(k))
    assert question.kind in ("pair", "graded", "list")


def test_new_rows_take_a_fraction_of_the_calls_of_a_new_sort() -> None:
    truth, utility = world_of(Case("list:10"), 0)
    more = np.random.default_rng(9).standard_normal(100)
    truth, utility = np.r_[truth, more], np.r_[utility, 2.3812 * more]
    answer = judge_of(Case("list:10"), utility, 0)
    before = PosteriorRanking(1000, LIST)
    earlier = outcomes_until_the_end(before, answer)
    grown = PosteriorRanking(
        1100, LIST, seed=5, earlier=earlier, objective=WholeOrder(is_uneven=True)
    )

    assert grown.progress().predicted_tau > 0.7
    trial = play(grown, answer, truth)
    assert trial.calls < 0.2 * earlier.num_rows
    assert trial.stopped == "target"
    assert tau_of(grown, truth) > 0.88


def test_nothing_is_asked_about_a_table_that_did_not_change() -> None:
    truth, utility = world_of(Case("list:10"), 1)
    answer = judge_of(Case("list:10"), utility, 1)
    earlier = outcomes_until_the_end(PosteriorRanking(1000, LIST, target=0.95), answer)
    again = PosteriorRanking(1000, LIST, earlier=earlier)

    assert again.next_matches().num_rows == 0
    assert again.progress().stopped == "target"
    assert tau_of(again, truth) > 0.92


def test_focus_knows_the_top_better_than_the_rest() -> None:
    case = Case("list:10", budget=1200)
    truth, utility = world_of(case, 2)
    widths = []
    for focus in (None, 0.1):
        ranking = PosteriorRanking(1000, LIST, budget_calls=1200, objective=WholeOrder(focus=focus))
        play(ranking, judge_of(case, utility, 2), truth)
        low, high = (ranking.standing().column(n).to_numpy() for n in ("rank_low", "rank_high"))
        widths.append(float(np.mean((high - low)[:100])))

    assert widths[1] < 0.8 * widths[0]


@pytest.mark.parametrize("text", ["pair", "graded", "list:10"])
@pytest.mark.parametrize("n", [3, 11, 12, 20, 40, 60])
def test_a_focus_on_the_top_of_a_handful_ends_with_all_of_them(n: int, text: str) -> None:
    case = Case(text)
    truth, utility = (part[:n] for part in world_of(case, 1))
    ranking = ranking_of(n, Aim(text, focus=0.1), PRICES)
    trial = play(ranking, judge_of(case, utility, 1), truth)

    assert trial.stopped is not None
    assert sorted(ranking.standing().column("item").to_pylist()) == list(range(n))


@pytest.mark.parametrize("text", ["graded", "list:10"])
@pytest.mark.parametrize("new", range(1, 10))
def test_every_new_row_is_asked_about_however_few_there_are(new: int, text: str) -> None:
    case = Case(text)
    truth, utility = (part[: 100 + new] for part in world_of(case, new))
    answer = judge_of(case, utility, new)
    question, objective = Question.parse(text), WholeOrder(is_uneven=True)
    earlier = outcomes_until_the_end(PosteriorRanking(100, question), answer)
    grown = PosteriorRanking(100 + new, question, earlier=earlier, objective=objective)
    trial = play(grown, answer, truth)

    assert trial.stopped is not None
    assert grown.comparisons(np.arange(100, 100 + new)).min() > 0
    assert trial.calls < 0.5 * earlier.num_rows


def test_an_interval_holds_the_rank_that_is_given() -> None:
    case = Case("list:10", habit="random")
    truth, utility = (part[:60] for part in world_of(case, 0))
    ranking = PosteriorRanking(60, LIST)
    play(ranking, judge_of(case, utility, 0), truth)
    low, high = (ranking.standing().column(n).to_numpy() for n in ("rank_low", "rank_high"))

    rank = np.arange(1, 61)
    assert ((low <= rank) & (rank <= high)).all()


def test_several_criteria_make_a_weighted_sum_with_a_score_for_each() -> None:
    n, weights = 150, (0.75, 0.25)
    rng = np.random.default_rng(3)
    quality = 3.0 * rng.standard_normal((2, n))
    ranking = ranking_of(n, Aim("list:10", weights=weights), PRICES)
    while (matches := ranking.next_matches()).num_rows:
        criterion = matches.column("criterion").to_numpy()
        found = []
        for number in (0, 1):
            rows = matches.filter(pa.array(criterion == number))

            def answer(asked: Question, shown: np.ndarray, number: int = number) -> np.ndarray:
                noise = rng.gumbel(size=shown.shape)
                return np.argsort(-(quality[number][shown] + noise), axis=1)

            found.append(judged(rows, answer))
        ranking.record(concat([each for each in found if each.num_rows], OUTCOMES))
    standing = ranking.standing()
    item = standing.column("item").to_numpy()
    scores = np.array(standing.column("scores").to_pylist())

    assert ranking.progress().stopped == "target"
    total = weights[0] * quality[0] / quality[0].std() + weights[1] * quality[1] / quality[1].std()
    assert score_against(total[item], standing.column("score").to_numpy()).tau_b > 0.85
    for number in (0, 1):
        assert score_against(quality[number][item], scores[:, number]).tau_b > 0.6
    asked = ranking.progress().asked
    assert 0 < asked < 20_000
