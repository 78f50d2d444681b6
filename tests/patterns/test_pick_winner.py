"""Texts are ranked by judges, and the best of several attempts is picked with its probability."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from runs import Row, play

from commedia.actors.questions import Question
from commedia.actors.simulation.world import Thing, World
from commedia.benchmarks.trial import judged
from commedia.patterns.ranking.engine import PosteriorRanking
from commedia.patterns.tournament import Ranked, Winner, pick_winner, rank
from commedia.supervisor.run import Run

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")

APPROACHES = ("plainly", "boldly", "at length", "in verse")


def ranked(items: Any, world: World = World(), **options: Any) -> Ranked:
    async def script(run: Run) -> Ranked:
        return await rank(run, items, "size", **options)

    found: Ranked = play(script, model="sim:sonnet", world=world).value
    return found


def test_texts_are_ranked_by_what_the_world_knows_of_them() -> None:
    world = World([Thing(f"text {n}", utility=n / 5) for n in range(40)])
    order = ranked([thing.text for thing in world.things], world).order

    assert sorted(order) == list(range(40))
    assert np.corrcoef(order, np.arange(40)[::-1])[0, 1] > 0.85


def test_texts_of_no_world_are_ranked_by_their_names_whatever_their_place() -> None:
    texts = [f"text {letter}" for letter in "abcdefghijklmnop"]
    once, again = ranked(texts), ranked(texts[::-1])
    best = {text: place for place, text in enumerate(texts[n] for n in once.order)}
    others = [best[texts[::-1][n]] for n in again.order]

    assert np.corrcoef(others, np.arange(16))[0, 1] > 0.8


def test_calls_cap_a_ranking() -> None:
    found = ranked([f"text {n}" for n in range(40)], calls=12)

    assert (found.progress.asked, found.progress.stopped) == (12, "budget")


@pytest.mark.parametrize("texts", [[], ["one"], ["same", "same"]], ids=len)
def test_what_cannot_be_told_apart_is_not_asked_about(texts: Sequence[str]) -> None:
    found = ranked(texts)

    assert found.progress.asked == 0
    assert found.p_best == pytest.approx(1 / max(len(texts), 1) if texts else 0)


def test_chances_of_being_the_best_are_shares_of_one_and_mostly_honest() -> None:
    """Over 60 little tournaments, the winner is as often truly the best as it is said to be."""
    question, said, right = Question("graded"), [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = 1.8 * rng.standard_normal(6)
        ranking = PosteriorRanking(6, question, target=1.0, seed=seed)

        def answer(_: Question, shown: Any, truth: Any = truth, rng: Any = rng) -> Any:
            gap = truth[shown[:, 0]] - truth[shown[:, 1]] + rng.logistic(size=len(shown))
            return (np.sign(gap) * (1 + (np.abs(gap) > 2))).astype(np.int8)

        while (matches := ranking.next_matches()).num_rows:
            ranking.record(judged(matches, answer))
        standing = ranking.standing()
        assert sum(standing.column("p_best").to_pylist()) == pytest.approx(1)
        said.append(standing.column("p_best")[0].as_py())
        right.append(standing.column("item")[0].as_py() == np.argmax(truth))

    assert np.mean(said) == pytest.approx(np.mean(right), abs=0.15)
    assert np.mean(right) > 0.6


def test_the_best_attempt_wins_with_its_approach_and_probability() -> None:
    world = World(
        [
            *(Thing(f"t{n}", truth=f"text {n}") for n in range(4)),
            *(Thing(f"u{n}", text=f"text {n}", utility=3.0 * n) for n in range(4)),
        ]
    )

    async def script(run: Run) -> Winner[str]:
        topics = ["t0", "t3", "t1", "t2"]
        return await pick_winner(run, "Write it.", APPROACHES, "wit", topics=topics)

    winner = play(script, world=world).value

    assert (winner.value, winner.approach) == ("text 3", "boldly")
    assert winner.order == (1, 3, 2, 0)
    assert 0.7 < winner.probability <= 1


def test_attempts_that_fail_are_out_and_the_last_one_standing_is_sure() -> None:
    asked = []

    def model(row: Row) -> Any:
        asked.append(row["role"])
        if "verse" not in row["prompt"]:
            raise ValueError("no")
        return "a poem"

    async def script(run: Run) -> Winner[str]:
        return await pick_winner(run, "Write it.", APPROACHES, "wit")

    result = play(script, model=model)

    assert (result.value.value, result.value.approach) == ("a poem", "in verse")
    assert (result.value.probability, len(result.value.attempts.failed)) == (1, 3)
    assert set(asked) == {"worker"}


def test_where_no_attempt_succeeds_the_first_error_is_raised() -> None:
    def model(row: Row) -> Any:
        raise ValueError("no")

    async def script(run: Run) -> Winner[str]:
        return await pick_winner(run, "Write it.", APPROACHES, "wit")

    result = play(script, model=model)

    assert result.status == "failed"
    assert "has no answer" in (result.why or "")
