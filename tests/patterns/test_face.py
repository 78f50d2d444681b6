"""The face of the patterns opens every name, from the file that defines it."""

import pytest

from commedia import patterns


@pytest.mark.parametrize("name", patterns.__all__)
def test_the_face_opens_every_name(name: str) -> None:
    assert getattr(patterns, name).__name__ == name


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        patterns.__getattr__("nothing")
