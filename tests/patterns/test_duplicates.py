"""What says the same is found, and what does not is kept."""

import pytest

from commedia.patterns.duplicates import Seen, normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The cache is stale.", "the  cache IS stale"),
        ("Retry the payment queue twice a day", "Retry the payment-queue twice a day!"),
        ("the deploy broke the login page", "the login page, the deploy broke"),
        ("The deployment changed the timeouts", "The deployment changed the timeout"),
    ],
)
def test_one_thing_in_two_wordings_is_seen_once(one: str, other: str) -> None:
    seen = Seen()

    assert seen.add(one) == 0
    assert seen.find(other) == 0
    assert seen.add(other) == 0
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the request to shard 12 timed out at noon", "the request to shard 13 timed out at noon"),
        (
            "the cache of the session service is shared between all of the regions",
            "the cache of the session service is not shared between all of the regions",
        ),
        ("use a cache", "use a cache that expires after an hour"),
        ("lime", "time"),
    ],
)
def test_what_differs_in_a_number_a_negation_or_much_is_not_the_same(one: str, other: str) -> None:
    seen = Seen()

    assert (seen.add(one), seen.add(other)) == (0, 1)


def test_at_one_only_equal_texts_are_the_same() -> None:
    seen = Seen(near=1.0)

    assert [seen.add(text) for text in ("a long finding", "A long finding!", "a long findin")] == [
        *(0, 0, 1)
    ]


def test_texts_of_punctuation_alone_stay_apart() -> None:
    assert [normal(text) for text in ("!!", "??", " - ")] == ["!!", "??", "-"]
