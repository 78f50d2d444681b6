"""Messages are frozen values, and an envelope has its table or says that it has none."""

import pickle

import pytest
from pydantic import ValidationError

from commedia.actors.actor import Actor, Envelope, Message
from commedia.actors.messages import Ask, HandOver, ModelSpec, Trial
from commedia.actors.tables import INPUT, ITEMS, UNTRUSTED, batch


def test_a_message_is_a_frozen_value() -> None:
    trial = Trial(items=(3,))

    assert trial == Trial(items=(3,)) == pickle.loads(pickle.dumps(trial))
    with pytest.raises(ValidationError):
        trial.items = (4,)
    with pytest.raises(ValidationError):
        Trial(items=(3,), unheard_of=1)  # type: ignore[call-arg]


def test_an_envelope_gives_its_table_or_says_that_it_has_none() -> None:
    items = batch(
        ITEMS, {"id": ["a"], "text": ["b"]}, rows=1, integrity=UNTRUSTED, provenance=INPUT
    )

    assert Envelope(Ask(), items).batch() is items
    with pytest.raises(TypeError, match="Ask arrived without its table"):
        Envelope(Ask()).batch()


def test_an_actor_that_cannot_receive_says_so() -> None:
    with pytest.raises(NotImplementedError):
        Actor().receive(Envelope(Message()))


def test_a_key_is_shown_by_nothing() -> None:
    message = HandOver(key="sk-secret")

    assert "secret" not in f"{message} {message!r} {[message]}"
    with pytest.raises(ValidationError) as caught:
        HandOver(key=b"\xffsk-secret")  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("name", "is_simulated"), [("sim:judge", True), ("claude-x", False)])
def test_a_model_is_simulated_by_its_name(name: str, is_simulated: bool) -> None:
    assert ModelSpec(name=name).is_simulated is is_simulated
