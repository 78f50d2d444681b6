"""A shop's receipts, and their tests. One test fails now and then; several look as if they could.

Plain functions, so that `drive.py` can run them many times a second.
"""

import random
import time
from collections.abc import Iterable

COUNTER: list[str] = []
"""The numbers that were given out; all tests share it."""


def next_number() -> str:
    """Give out the next number."""
    COUNTER.append(f"R{len(COUNTER) + 1:04}")
    return COUNTER[-1]


def stamp(seconds: float) -> str:
    """Return a moment as it is printed: in the shop's own time."""
    return time.strftime("%d.%m.%Y %H:%M", time.localtime(seconds))


def tags_line(tags: Iterable[str]) -> str:
    """Return the tags of all that was bought, each once."""
    return ", ".join(set(tags))


def lucky(numbers: Iterable[str], winners: int) -> list[str]:
    """Draw the receipts that are paid back, in their order."""
    return sorted(random.sample(list(numbers), winners))


def test_numbers_are_given_out_once() -> None:
    """Whoever comes first."""
    given = [next_number() for _ in range(3)]

    assert len(set(given)) == 3
    assert given[-1] == COUNTER[-1]


def test_a_receipt_is_stamped() -> None:
    """Wherever the shop is."""
    assert len(stamp(1_795_600_000)) == len("25.11.2026 10:26")


def test_a_tag_is_printed_once() -> None:
    """In the order in which things were bought."""
    assert tags_line(["new", "vegan", "new"]) == "new, vegan"


def test_as_many_win_as_were_promised() -> None:
    """Whoever they are."""
    winners = lucky((next_number() for _ in range(20)), 3)

    assert len(winners) == 3
    assert winners == sorted(set(winners))
