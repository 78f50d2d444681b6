"""A call's price is a sum of whole nano-dollars, from a dated file."""

from datetime import date

import pytest

from commedia.actors.models.prices import PRICED_AS, Price, Rates, price_of, prices_as_of

BASE, ABOVE = Rates(100, 500, 125, 10), Rates(500, 2_500, 625, 50)
PRICE = Price(BASE, ABOVE, 1_000)
MODELS = ["claude-haiku-5-5", "claude-haiku-4-5", "claude-sonnet-5-5", "claude-opus-5-5"]


def test_each_kind_of_token_has_its_rate() -> None:
    assert PRICE.cost(1, 0) == 100
    assert PRICE.cost(0, 1) == 500
    assert PRICE.cost(0, 0, 1) == 125
    assert PRICE.cost(0, 0, 0, 1) == 10
    assert PRICE.cost(2, 3, 4, 5) == 2 * 100 + 3 * 500 + 4 * 125 + 5 * 10


@pytest.mark.parametrize("prompt", [(1_001, 0, 0), (0, 1_001, 0), (500, 500, 1)])
def test_a_prompt_above_the_threshold_is_dear_as_a_whole(prompt: tuple[int, int, int]) -> None:
    """What the cache holds is part of the prompt; the answer is not."""
    tokens_in, written, read = prompt

    assert PRICE.cost(tokens_in, 7, written, read) == (
        tokens_in * 500 + 7 * 2_500 + written * 625 + read * 50
    )
    assert PRICE.cost(1_000, 5_000) == 1_000 * 100 + 5_000 * 500
    assert Price(BASE).cost(10**6, 0) == 10**8


def test_a_models_price_is_a_list_price() -> None:
    """One dollar per million tokens is a thousand nano-dollars a token."""
    haiku = price_of("claude-haiku-5-5")

    assert haiku == Price(BASE, ABOVE, 100_000)
    assert PRICED_AS == "claude-haiku-5-5"


@pytest.mark.parametrize("name", MODELS)
def test_rates_are_whole_and_in_their_order(name: str) -> None:
    price = price_of(name)
    assert price is not None

    for rates in filter(None, (price.base, price.above)):
        amounts = (rates.cache_read, rates.input, rates.cache_write, rates.output)
        assert all(type(amount) is int for amount in amounts)
        assert 0 < amounts[0] < amounts[1] < amounts[2] < amounts[3]


@pytest.mark.parametrize("name", ["", "gpt", "claude-haiku-5-5-2026", "sim:judge"])
def test_an_unknown_model_has_no_price(name: str) -> None:
    assert price_of(name) is None


def test_the_file_has_a_date() -> None:
    assert date.fromisoformat(prices_as_of()) >= date(2026, 1, 1)
