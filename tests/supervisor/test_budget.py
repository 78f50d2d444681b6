"""The laws of budgets and of the ledger."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.errors import BudgetSyntaxError
from commedia.supervisor.budget import UNITS, Amount, Budget, Ledger

counts = st.none() | st.integers(1, 10**15)
budgets = st.builds(Budget, counts, counts, counts, counts)
amounts = st.builds(Amount, st.integers(0, 60), st.integers(0, 60), st.integers(0, 3))


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("2usd", Budget(nanousd=2_000_000_000)),
        ("0.25USD", Budget(nanousd=250_000_000)),
        ("500k", Budget(tokens=500_000)),
        ("1.5M", Budget(tokens=1_500_000)),
        ("900tokens", Budget(tokens=900)),
        ("300agents", Budget(agents=300)),
        ("1agent", Budget(agents=1)),
        ("30min", Budget(wall_s=1800)),
        ("90s", Budget(wall_s=90)),
        ("1.5h", Budget(wall_s=5400)),
        ("2usd 300agents", Budget(nanousd=2 * 10**9, agents=300)),
    ],
)
def test_each_unit_has_one_spelling(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("5m", "write 5M for tokens or 5min for minutes"),
        ("", "empty"),
        ("  ", "empty"),
        ("usd", "not a number with a unit"),
        ("5", "not a number with a unit"),
        ("$2", "not a number with a unit"),
        ("-2usd", "not a number with a unit"),
        ("1e9usd", "not a number with a unit"),
        ("\u0665usd", "not a number with a unit"),
        ("2eur", "no unit 'eur'"),
        ("0usd", "zero"),
        ("1.5agents", "no whole number of agents"),
        ("0.0000000001usd", "no whole number of nano-dollars"),
        ("999999999999999usd", "too large"),
        ("9" * 40 + "usd", "too large"),
        ("2usd 1usd", "dollars are capped twice"),
        ("500k 1M", "tokens are capped twice"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BudgetSyntaxError, match=why.replace("$", r"\$")):
        Budget.parse(text)


def test_a_repeated_option_is_one_budget() -> None:
    assert Budget.parse_all(["2usd", "300agents 1h"]) == Budget.parse("2usd 300agents 1h")
    assert Budget.parse_all([]).is_unlimited
    with pytest.raises(BudgetSyntaxError, match="twice"):
        Budget.parse_all(["2usd", "3usd"])


@given(budgets)
def test_a_budget_reads_what_it_writes(budget: Budget) -> None:
    if not budget.is_unlimited:
        assert Budget.parse(str(budget)) == budget
    assert pickle.loads(pickle.dumps(budget)) == budget


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        budget = Budget.parse(text)
    except BudgetSyntaxError as error:
        assert error.why in str(error)
    else:
        assert not budget.is_unlimited


@given(
    st.builds(Budget, st.none() | st.integers(1, 200), st.none() | st.integers(1, 200)),
    amounts,
    st.lists(st.tuples(amounts, st.integers(0, 5), st.integers(0, 10**6)), max_size=40),
)
def test_spent_and_reserved_never_pass_the_cap(
    budget: Budget, before: Amount, steps: list[tuple[Amount, int, int]]
) -> None:
    """Whatever the interleaving of reserve, settle and release."""
    ledger = Ledger(budget)
    open_reservations: list[tuple[int, Amount]] = []
    for amount, action, draw in steps:
        if action <= 2 or not open_reservations:
            fits = ledger.could_fit(amount)
            reservation = ledger.reserve(amount)
            assert fits or reservation is None
            if reservation is not None:
                open_reservations.append((reservation, amount))
        else:
            reservation, bound = open_reservations.pop(draw % len(open_reservations))
            if action == 3:
                ledger.settle(reservation, _part(bound, draw))
            elif action == 4:
                ledger.settle_in_full(reservation)
            else:
                ledger.release(reservation)

        total = ledger.spent + ledger.reserved
        for unit in UNITS:
            cap = getattr(budget, unit)
            assert cap is None or getattr(total, unit) <= cap
            assert getattr(ledger.reserved, unit) == sum(
                getattr(bound, unit) for _, bound in open_reservations
            )
    assert ledger.overruns == 0


def test_a_settlement_above_its_reserve_is_not_hidden() -> None:
    ledger = Ledger(Budget(tokens=100))
    reservation = ledger.reserve(Amount(tokens=40))
    assert reservation is not None
    ledger.settle(reservation, Amount(tokens=150))

    assert ledger.overruns == 1
    assert ledger.spent.tokens == 150
    assert ledger.reserve(Amount(tokens=1)) is None


def test_a_restarted_ledger_starts_from_what_was_spent() -> None:
    ledger = Ledger(Budget(tokens=100), Amount(tokens=90))

    assert ledger.reserve(Amount(tokens=11)) is None
    assert ledger.reserve(Amount(tokens=10)) is not None


def _part(bound: Amount, draw: int) -> Amount:
    share = draw % 101
    return Amount(
        bound.tokens * share // 100, bound.nanousd * share // 100, bound.agents * share // 100
    )
