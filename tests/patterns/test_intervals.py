"""Intervals are the published ones."""

from commedia.patterns.intervals import wilson


def test_wilsons_interval_is_the_published_one() -> None:
    """Of 81 in 263 the 95% interval is 0.255 to 0.366 (Newcombe 1998); the 90% one lies inside."""
    low, high = wilson(81, 263)

    assert 0.255 < low < 81 / 263 < high < 0.366
