"""A question with options has one of them as its answer, whoever gives it."""

import asyncio

import pytest
from runs import play

from commedia.actors.actor import Message
from commedia.actors.errors import UsageError
from commedia.supervisor.desk import Inquiry
from commedia.supervisor.inquiries import Inquiries
from commedia.supervisor.run import Run

WHERE = Inquiry("/ask:1", "Where?", ("here", "there"))


def asked(inquiry: Inquiry, *answers: str | None) -> tuple[str | None, Inquiry | None]:
    """Ask *inquiry*, at a terminal that says the first of *answers*; orders bring the others."""

    async def play() -> tuple[str | None, Inquiry | None]:
        noted: asyncio.Queue[Message] = asyncio.Queue()
        inquiries = Inquiries(noted.put_nowait, can_ask=True)
        given = asyncio.create_task(inquiries.ask(inquiry))
        await noted.get()
        for answer in answers[1:]:
            inquiries.answer_next(answer or "")
        inquiries.answer(inquiry.path, answers[0])
        return await given, inquiries.unanswered

    return asyncio.run(play())


@pytest.mark.parametrize("answer", ["here", "there"])
def test_an_option_is_an_answer(answer: str) -> None:
    assert asked(WHERE, answer) == (answer, None)


@pytest.mark.parametrize("answer", ["nowhere", "", None], ids=repr)
def test_what_is_no_option_is_no_answer_and_the_run_waits(answer: str | None) -> None:
    assert asked(WHERE, answer) == (None, WHERE)


def test_an_order_that_is_no_option_is_passed_over() -> None:
    assert asked(WHERE, "here", "nowhere") == ("here", None)
    assert asked(WHERE, "here", "nowhere", "there") == ("there", None)


def test_without_options_any_text_is_an_answer() -> None:
    assert asked(Inquiry("/ask:1", "Where?"), "nowhere") == ("nowhere", None)


def test_the_default_stands_in_for_what_is_no_option() -> None:
    assert asked(Inquiry("/ask:1", "Where?", ("here",), "here"), "nowhere") == ("here", None)


def test_a_default_is_one_of_the_options() -> None:
    async def script(run: Run) -> None:
        with pytest.raises(UsageError, match="none of here, there"):
            await run.ask("Where?", ("here", "there"), default="nowhere")

    assert play(script).status == "completed"
