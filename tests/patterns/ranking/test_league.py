"""A league of systems: who meets whom on what, when it ends, and what it then says."""

import pickle
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.errors import UsageError
from commedia.actors.questions import Question
from commedia.actors.tables import MATCHES, STANDING
from commedia.benchmarks.trial import Answer, judged
from commedia.patterns.ranking.league import League
from commedia.patterns.ranking.likelihood import Floats, Ints

STRENGTHS = np.linspace(2.0, -2.0, 5)


class World:
    """Outputs of some systems on some items, and a judge of them who leans to what comes first."""

    def __init__(self, strength: Floats, items: int, *, seed: int = 0, taste: float = 0.5) -> None:
        self.systems, self.items = len(strength), items
        self.system, self.item = np.divmod(np.arange(self.systems * items), items)
        self._rng = np.random.default_rng([seed, 7])
        self._worth = strength[self.system] + taste * self._rng.standard_normal(len(self.system))

    def answer(self, question: Question, shown: Ints) -> Ints:
        """Answer each row of *shown*."""
        lead = 0.4 * np.linspace(0.5, -0.5, shown.shape[1])
        seen = self._worth[shown] + lead + self._rng.gumbel(size=shown.shape)
        if question.kind == "list":
            return np.argsort(-seen, axis=1)
        gap = seen[:, 0] - seen[:, 1]
        much = np.abs(gap) > 1.5 if question.kind == "graded" else np.zeros(len(gap), np.bool_)
        return np.asarray(np.sign(gap) * (1 + much), np.int64)


def league(world: World, ask: str = "pair", **options: object) -> League:
    """Return a league of that world."""
    return League(world.system, world.item, Question.parse(ask), **options)  # type: ignore[arg-type]


def rounds(ranking: League, answer: Answer) -> Iterator[list[list[int]]]:
    """Play *ranking* to its end, and yield the rows that each round shows."""
    while (matches := ranking.next_matches()).num_rows:
        assert matches.schema == MATCHES
        yield matches.column("shown").to_pylist()
        ranking.record(judged(matches, answer))


def play(ranking: League, answer: Answer) -> list[list[int]]:
    """Play *ranking* to its end, and return all that was shown."""
    return [row for shown in rounds(ranking, answer) for row in shown]


@pytest.mark.parametrize("ask", ["pair", "graded", "list:3", "list:9"])
def test_every_match_is_about_one_item_and_new_as_long_as_any_is(ask: str) -> None:
    world = World(np.zeros(6), 20)
    calls = 20 if ask == "list:9" else 150

    shown = play(league(world, ask, target=1.1, budget_calls=calls), world.answer)

    keys = [(item_of(world, row), frozenset(world.system[row].tolist())) for row in shown]
    assert len({*keys}) == len(keys) == calls
    assert all(len(systems) == len(row) for (_, systems), row in zip(keys, shown, strict=True))


def item_of(world: World, row: list[int]) -> int:
    """Return the one item that a match is about."""
    (item,) = {*world.item[row].tolist()}
    return int(item)


@given(st.integers(2, 7), st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
def test_without_a_target_all_meet_and_then_again_but_never_as_before(
    systems: int, items: int, judges: int, seed: int
) -> None:
    world = World(np.zeros(systems), items, seed=seed)
    ranking = league(world, target=1.1, seed=seed, judges=judges)

    shown, asked = [], []
    while (matches := ranking.next_matches()).num_rows:
        shown += matches.column("shown").to_pylist()
        asked += matches.column("judge").to_pylist()
        ranking.record(judged(matches, [world.answer] * judges))

    once = items * systems * (systems - 1) // 2
    ways = [(judge, *row) for judge, row in zip(asked, shown, strict=True)]
    assert len({frozenset(row) for row in shown[:once]}) == once
    assert once < len(shown) <= 2 * judges * once
    assert len({*ways}) == len(ways)
    assert ranking.progress().stopped == "saturation"
    assert ranking.progress().notes[0].startswith("all met on every item, ")


def test_few_items_are_used_up_before_a_league_gives_up() -> None:
    """Two systems on 40 items, three judges: the order that 40 matches leave open is found."""
    world = World(np.array([0.4, 0.0]), 40, seed=3, taste=0.3)
    ranking = league(world, target=0.95, judges=3)
    while (matches := ranking.next_matches()).num_rows:
        ranking.record(judged(matches, [world.answer] * 3))
        tau, asked = ranking.progress().predicted_tau, ranking.progress().asked
        if asked == 40:
            assert tau < 0.9

    assert ranking.progress().stopped == "target"
    assert 40 < ranking.progress().asked <= 240


def test_intervals_hold_where_the_same_items_are_judged_again() -> None:
    """Of two equal systems: what is said again of an item counts as one observation with it."""
    surprised = []
    for seed in range(60):
        world = World(np.zeros(2), 30, seed=seed, taste=1.5)
        ranking = league(world, target=1.1, seed=seed, judges=3)
        while (matches := ranking.next_matches()).num_rows:
            ranking.record(judged(matches, [world.answer] * 3))
        gap, variance = ranking.strengths().gaps()
        surprised.append(abs(gap[0, 1]) > 1.645 * variance[0, 1] ** 0.5)

    assert np.mean(surprised) <= 0.2  # 10% is meant


def test_both_orders_are_shown_alike() -> None:
    """Of every two systems each is first as often, but for one match; so is each of all."""
    world = World(np.zeros(5), 60)

    shown = play(league(world, target=1.1, budget_calls=301), world.answer)

    first = Counter(tuple(world.system[row].tolist()) for row in shown)
    lead = np.array([[first[a, b] - first[b, a] for b in range(5)] for a in range(5)])
    assert np.abs(lead).max() <= 1
    assert np.abs(lead.sum(1)).max() <= 2


def test_places_of_lists_balance() -> None:
    world = World(np.zeros(8), 300)

    shown = play(league(world, "list:4", target=1.1, budget_calls=300), world.answer)

    place = np.tile(np.linspace(0.5, -0.5, 4), len(shown))
    lead = np.bincount(world.system[np.array(shown)].ravel(), place)
    assert np.abs(lead).max() <= 3.0


def test_items_are_used_evenly() -> None:
    world = World(STRENGTHS, 30)

    shown = play(league(world, target=1.1, budget_calls=100), world.answer)

    used = Counter(item_of(world, row) for row in shown)
    assert len(used) == 30 and max(used.values()) - min(used.values()) <= 1


def test_systems_in_doubt_meet_more_often() -> None:
    """Two that are alike, far above two others that are alike, meet each other."""
    world = World(np.array([3.0, 3.1, -3.0, -3.1]), 200)

    shown = play(league(world, target=1.1, budget_calls=400), world.answer)

    near = [row for row in shown if len({s > 1 for s in world.system[row].tolist()}) == 1]
    assert len(near) > 0.6 * len(shown)


@pytest.mark.parametrize("ask", ["pair", "graded", "list:4"])
def test_it_stops_at_the_target_with_the_right_order_in_few_rounds(ask: str) -> None:
    world = World(STRENGTHS, 300)
    ranking = league(world, ask)

    played = list(rounds(ranking, world.answer))

    standing, progress = ranking.standing(), ranking.progress()
    assert progress.stopped == "target" and progress.predicted_tau >= 0.9
    assert len(played) <= 6 and sum(map(len, played)) < 1500
    assert standing.schema == STANDING
    assert standing.column("item").to_pylist() == [0, 1, 2, 3, 4]
    low, high = (standing.column(name).to_numpy() for name in ("rank_low", "rank_high"))
    rank = np.arange(1, 6)
    assert ((low - 0.5 <= rank) & (rank <= high + 0.5)).all()


def test_a_position_bias_is_found_and_told() -> None:
    world = World(np.zeros(4), 300)
    ranking = league(world, target=1.1)

    def leaning(question: Question, shown: Ints) -> Ints:
        return np.where(np.arange(len(shown)) % 10 < 8, 1, world.answer(question, shown))

    play(ranking, leaning)

    assert ranking.strengths().judges[0].bias > 1.0
    assert "what is shown first is favoured: +" in ranking.progress().notes[1]


def test_rank_intervals_hold_where_items_have_tastes() -> None:
    """Over worlds, about nine in ten of the intervals hold what they should."""
    held = []
    for seed in range(30):
        strength = 0.6 * np.random.default_rng(seed).standard_normal(6)
        world = World(strength, 60, seed=seed, taste=1.0)
        ranking = league(world, target=1.1, seed=seed, budget_calls=300)
        play(ranking, world.answer)
        item, _, low, high = (column.to_numpy() for column in ranking.standing().columns[:4])
        rank = np.argsort(np.argsort(-strength))[item] + 1
        held += ((low - 0.5 <= rank) & (rank <= high + 0.5)).tolist()

    assert 0.85 <= np.mean(held) <= 1.0


def test_a_league_is_a_pure_function_of_its_outcomes_also_when_pickled() -> None:
    world = World(STRENGTHS, 50)
    one = league(world, seed=5, budget_calls=200)
    other = pickle.loads(pickle.dumps(one))
    while (matches := one.next_matches()).num_rows:
        assert other.next_matches().equals(matches)
        outcomes = judged(matches, world.answer)
        one.record(outcomes)
        other = pickle.loads(pickle.dumps(other))
        other.record(outcomes)

    assert other.standing().equals(one.standing())
    assert other.progress() == one.progress()


def test_a_round_is_no_wider_than_its_limit() -> None:
    ranking = league(World(STRENGTHS, 50))

    assert ranking.next_matches(0).num_rows == 0
    assert ranking.next_matches(7).num_rows == 7
    assert ranking.progress().stopped is None


def test_judges_share_the_matches() -> None:
    matches = league(World(STRENGTHS, 50), judges=3).next_matches()

    counts = Counter(matches.column("judge").to_pylist())
    assert max(counts.values()) - min(counts.values()) <= 1 and len(counts) == 3


def test_failed_matches_are_missing_data() -> None:
    world = World(STRENGTHS, 300)
    ranking = league(world)
    while (matches := ranking.next_matches()).num_rows:
        outcomes = judged(matches, world.answer)
        fails = np.arange(matches.num_rows) % 4 == 0
        status = np.where(fails, "refused", "ok").tolist()
        at = outcomes.schema.get_field_index("status")
        ranking.record(outcomes.set_column(at, outcomes.schema.field(at), pa.array(status)))

    progress = ranking.progress()
    assert progress.answered < progress.asked and progress.stopped == "target"
    assert ranking.standing().column("item").to_pylist() == [0, 1, 2, 3, 4]


def test_a_judge_who_never_answers_ends_it() -> None:
    world = World(STRENGTHS, 50)
    ranking = league(world)
    outcomes = judged(ranking.next_matches(), world.answer)
    at = outcomes.schema.get_field_index("status")
    nothing = pa.array(["failed"] * outcomes.num_rows)
    ranking.record(outcomes.set_column(at, outcomes.schema.field(at), nothing))

    assert ranking.next_matches().num_rows == 0
    assert ranking.progress().stopped == "data"
    assert ranking.progress().notes == ("not one answer could be used",)
    assert ranking.standing().column("rank_high").to_pylist() == [5.0] * 5


def test_an_excluded_output_is_never_shown_again() -> None:
    """And a system without any output left has no place."""
    world = World(STRENGTHS, 12)
    ranking = league(world, target=1.1, budget_calls=60)
    ranking.record(judged(ranking.next_matches(30), world.answer))
    gone = [0, *np.flatnonzero(world.system == 4).tolist()]
    for row in gone:
        ranking.exclude(row)

    shown = play(ranking, world.answer)

    assert not {*gone} & {place for row in shown for place in row}
    assert sorted(ranking.standing().column("item").to_pylist()) == [0, 1, 2, 3]


def test_systems_need_not_have_an_output_on_every_item() -> None:
    """Only those meet that have both."""
    system, item = np.array([0, 1, 1, 2, 0]), np.array([0, 0, 1, 1, 2])

    matches = League(system, item, Question("pair")).next_matches()

    assert {frozenset(row) for row in matches.column("shown").to_pylist()} == {
        frozenset((0, 1)),
        frozenset((2, 3)),
    }


@pytest.mark.parametrize(
    ("system", "item", "ask", "words"),
    [([0, 1], [0, 0], "score", "compares outputs"), ([0, 0], [3, 3], "pair", "two outputs")],
)
def test_what_is_no_league_is_refused(
    system: list[int], item: list[int], ask: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        League(np.array(system), np.array(item), Question.parse(ask))


@pytest.mark.parametrize("systems", [0, 1])
def test_a_league_of_nobody_to_meet_is_over(systems: int) -> None:
    ranking = league(World(np.zeros(systems), 4))

    assert ranking.next_matches().num_rows == 0
    assert ranking.progress().stopped == "data"
    assert ranking.standing().num_rows == systems
