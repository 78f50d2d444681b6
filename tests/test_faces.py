"""Faces only re-export, the front door is lazy, and every error survives the trip."""

import inspect
import pickle
import subprocess
import sys

import pytest

import commedia
from commedia.actors import errors

FACTS = {"str": "text", "int": 3, "float": 2.5}


@pytest.mark.parametrize("name", commedia.__all__)
def test_the_front_door_opens_every_name(name: str) -> None:
    assert getattr(commedia, name).__name__ == name


def test_the_front_door_is_lazy() -> None:
    """`import commedia` loads nothing that a user did not ask for."""
    code = (
        "import sys, commedia; print([m for m in ('pyarrow', 'ray', 'numpy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"


ERRORS = [
    e for _, e in inspect.getmembers(errors, inspect.isclass) if e.__module__ == errors.__name__
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.__name__)
def test_every_error_pickles(error: type[errors.CommediaError]) -> None:
    """An error crosses processes with its facts, its class and its sentence."""
    facts: list[object] = ["a fact"]
    if "__init__" in vars(error):
        parameters = list(inspect.signature(error.__init__).parameters.values())[1:]
        facts = [FACTS[p.annotation.__name__] for p in parameters]
    before = error(*facts)
    after = pickle.loads(pickle.dumps(before))

    assert type(after) is error
    assert str(after) == str(before)
    assert vars(after) == vars(before)


def test_every_error_is_in_the_tree_and_ends_in_error() -> None:
    for error in ERRORS:
        assert error.__name__.endswith("Error")
        assert issubclass(error, errors.CommediaError)
        assert error.__name__ in (errors.__doc__ or "")
