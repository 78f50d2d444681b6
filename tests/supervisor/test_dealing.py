"""The dealer: rows go out, hosts die, and every row is answered or given up exactly once."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.supervisor.dealing import ALONE, DEAD_LETTER, GROUPS, HOST_DIED, Deal, Dealer


def pair(row: int) -> tuple[int, int]:
    return row, row + 1


def dealer(rows: int, batch_rows: int = 4, **more: object) -> Dealer:
    return Dealer(rows=range(rows), items_of=pair, batch_rows=batch_rows, **more)  # type: ignore[arg-type]


def answer(table: Dealer, deal: Deal) -> list[int]:
    fresh = told(table, deal, *deal.rows)
    table.finished(deal)
    return fresh


def told(table: Dealer, deal: Deal, *rows: int) -> list[int]:
    """Answer *rows*; return those whose answer counts."""
    return [rows[place] for place in table.answered(deal, np.array(rows, np.int64))]


def test_rows_are_dealt_in_batches_in_their_order() -> None:
    table = dealer(10)
    deals = [table.next_deal("a"), table.next_deal("b"), table.next_deal("a")]

    assert [[*deal.rows] for deal in deals if deal] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert table.next_deal("a") is None
    assert not table.is_done


def test_a_row_is_answered_once() -> None:
    table = dealer(4)
    deal = table.next_deal("a")
    assert deal is not None

    assert told(table, deal, 1, 2, 2, 1) == [1, 2]
    assert told(table, deal, 3, 2) == [3]
    assert told(table, deal, 99, -1) == []


def test_an_answer_that_comes_after_its_hosts_death_counts_for_nothing() -> None:
    table = dealer(4)
    deal = table.next_deal("a")
    assert deal is not None
    table.died("a")

    assert told(table, deal, *deal.rows) == []


def test_what_a_dead_host_had_not_answered_is_dealt_again_after_trials() -> None:
    table = dealer(4)
    deal = table.next_deal("a#0")
    assert deal is not None
    told(table, deal, 0, 1)
    table.died("a#0")

    trials = []
    while (trial := table.next_deal("b#0")) and trial.trial is not None:
        trials.append(trial.trial)
        table.finished(trial)
    assert trials == [(2,), (3,), (4,)]  # the items of rows 2 and 3
    assert trial is not None
    assert trial.rows == (2, 3)
    answer(table, trial)
    assert table.is_done
    assert table.failed == {}


def test_an_item_that_kills_two_hosts_alone_is_a_dead_letter() -> None:
    """After exactly three: the one with the batch, and two that tried it alone."""
    table = dealer(6, batch_rows=6)
    assert table.next_deal("a#0")
    table.died("a#0")
    deaths = 1
    answered: list[int] = []
    host = 1
    while not table.is_done:
        deal = table.next_deal(f"a#{host}")
        assert deal is not None
        if deal.trial == (3,):
            table.died(f"a#{host}")
            deaths, host = deaths + 1, host + 1
        else:
            answered += answer(table, deal)

    assert deaths == 3
    assert table.dead_items == {3}
    assert answered == [0, 1, 4, 5]
    assert table.failed == {2: DEAD_LETTER, 3: DEAD_LETTER}


def test_rows_with_a_dead_item_are_never_dealt() -> None:
    table = dealer(3, dead_items={0})
    deal = table.next_deal("a")

    assert deal is not None
    assert [*deal.rows] == [1, 2]
    assert table.failed == {0: DEAD_LETTER}


def test_an_item_whose_host_is_killed_from_outside_in_its_trial_is_not_blamed() -> None:
    table = dealer(6, batch_rows=6)
    for host in ("a#0", "a#1"):  # with the batch, and with the first item alone
        assert table.next_deal(host)
        table.died(host)
    while not table.is_done:
        deal = table.next_deal("a#2")
        assert deal is not None
        answer(table, deal)

    assert (table.dead_items, table.failed) == (set(), {})


def test_an_item_that_came_through_its_next_trial_is_as_innocent_as_before() -> None:
    """A host that is killed in every other trial, from outside, condemns nobody."""
    table = dealer(40, batch_rows=4)
    trials, host = 0, 0
    while not table.is_done:
        deal = table.next_deal(f"a#{host}")
        assert deal is not None
        trials += deal.trial is not None
        is_killed = trials % 2 == 1 if deal.trial else deal.attempt == 0
        if is_killed:
            table.died(f"a#{host}")
            host += 1
        else:
            answer(table, deal)

    assert (table.dead_items, table.failed) == (set(), {})


@pytest.mark.parametrize(
    ("items", "deaths"),
    [(ALONE, 3), (ALONE + 1, 4), (ALONE * GROUPS, 4), (ALONE * GROUPS + 1, 5)],
)
def test_many_suspects_are_tried_in_groups(items: int, deaths: int) -> None:
    """One more death finds a fatal item among so many more, and no trial is for one alone."""
    table = Dealer(range(items), lambda row: (row,), batch_rows=items)
    fatal, seen, trials = items // 2, 0, 0
    while not table.is_done:
        deal = table.next_deal(f"a#{seen}")
        assert deal is not None
        trials += deal.trial is not None
        if fatal in (deal.trial or deal.rows):
            table.died(f"a#{seen}")
            seen += 1
        else:
            answer(table, deal)

    assert seen == deaths
    assert table.failed == {fatal: DEAD_LETTER}
    assert trials <= ALONE + 1 + (deaths - 3) * GROUPS


def test_a_host_that_was_killed_from_outside_costs_few_trials() -> None:
    table = Dealer(range(10_000), lambda row: (row, row + 1), batch_rows=5_000)
    assert table.next_deal("a#0")
    assert table.next_deal("a#0")
    table.died("a#0")
    trials = 0
    while (deal := table.next_deal("b#0")) and deal.trial is not None:
        trials += 1
        table.finished(deal)

    assert trials <= 2 * GROUPS
    assert deal is not None
    assert len(deal.rows) == 5_000


def test_a_trial_is_alone_on_its_host() -> None:
    """So a death there has one cause: no batch beside a trial, no trial beside a batch."""
    table = dealer(8)
    busy = table.next_deal("b")
    assert busy is not None
    assert table.next_deal("a") is not None
    table.died("a")

    assert table.next_deal("b") is None
    trial = table.next_deal("c")
    assert trial is not None
    assert trial.trial is not None
    assert table.next_deal("c") is None


def test_a_dead_host_gets_nothing_more() -> None:
    table = dealer(8)
    table.next_deal("a#0")
    table.died("a#0")

    assert table.next_deal("a#0") is None


def test_a_trial_whose_host_was_dead_before_it_condemns_nobody() -> None:
    table = dealer(1)
    table.next_deal("a")
    table.died("a")
    trial = table.next_deal("b")
    assert trial is not None
    table.untried(trial)
    table.died("b")

    assert table.dead_items == set()
    again = table.next_deal("c")
    assert again is not None
    assert again.trial == trial.trial


def test_rows_that_keep_killing_without_a_fatal_item_are_given_up() -> None:
    table = dealer(2, batch_rows=2)
    host = 0
    while not table.is_done:
        deal = table.next_deal(f"a#{host}")
        assert deal is not None
        if deal.trial is not None:
            table.finished(deal)
        elif 0 in deal.rows:
            table.died(f"a#{host}")
            host += 1
        else:
            answer(table, deal)

    assert table.failed == {0: HOST_DIED}
    assert host == 4


def test_a_closed_dealer_gives_back_what_nobody_has() -> None:
    table = dealer(10)
    deal = table.next_deal("a")
    assert deal is not None

    assert table.close() == [4, 5, 6, 7, 8, 9]
    assert table.next_deal("a") is None
    answer(table, deal)
    assert table.is_done


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 40),
    batch_rows=st.integers(1, 10),
    fatal=st.sets(st.integers(0, 41), max_size=3),
    luck=st.randoms(use_true_random=False),
)
def test_every_row_is_answered_or_given_up_exactly_once(
    rows: int, batch_rows: int, fatal: set[int], luck: object
) -> None:
    """Whatever dies when: fatal items are found, nobody else is condemned, and it ends."""
    choose = luck.choice  # type: ignore[attr-defined]
    table = dealer(rows, batch_rows)
    lives = {"a": 0, "b": 0}
    out: list[Deal] = []
    answered: Counter[int] = Counter()
    for _ in range(10_000):
        if table.is_done:
            break
        name = choose("ab")
        deal = table.next_deal(f"{name}#{lives[name]}")
        if deal is not None:
            out.append(deal)
        if out and (deal is None or choose([True, False])):
            playing = out.pop(choose(range(len(out))))
            shown = {item for row in playing.rows for item in pair(row)}
            if playing.trial is not None:
                shown = {*playing.trial}
            if shown & fatal:
                table.died(playing.host)
                out = [other for other in out if other.host != playing.host]
                lives[playing.host[0]] += 1
            else:
                answered.update(answer(table, playing))

    assert table.is_done
    assert table.dead_items <= fatal
    assert all(count == 1 for count in answered.values())
    assert set(answered) | set(table.failed) == set(range(rows))
    assert set(answered) & set(table.failed) == set()
    doomed = {row for row in range(rows) if set(pair(row)) & fatal}
    assert set(table.failed) == doomed
