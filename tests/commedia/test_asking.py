"""What a workflow asks its user is answered by one of its options, at a terminal or later."""

import pytest
from runs import echo, play

from commedia.cli.main import run as commedia
from commedia.session import Session
from commedia.supervisor.control import take_orders
from commedia.supervisor.run import Run
from commedia.supervisor.run_lock import lock_run
from commedia.supervisor.store import find_run


async def asking(run: Run) -> str:
    """Ask where to go."""
    return await run.ask("Where?", options=["here", "there"])


def test_who_answers_with_no_option_has_the_run_wait_for_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = play(asking, model=echo, inquire=lambda inquiry: "nowhere")
    assert (first.status, first.question) == ("paused", "Where?")

    assert commedia(["answer", "last", "nowhere"]) == 2
    assert "asks for one of: here, there" in capsys.readouterr().err
    assert commedia(["answer", "last", "there"]) == 0
    with Session(model=echo, runtime="inline") as session:
        assert session.resume("last", asking).value == "there"


def test_a_run_that_is_under_way_is_handed_an_answer_and_that_is_all_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whether it waits for one it knows alone; it goes on by itself, so it is not resumed."""
    play(asking, model=echo)
    folder = find_run("last").path

    with lock_run(folder):
        assert commedia(["answer", "last", "there", "--resume"]) == 0
        said = capsys.readouterr().err
        assert commedia(["stop", "last", "--agent", "nobody"]) == 0

    assert f"handed to run {folder.name}, which takes it if it waits" in said
    assert "recorded" not in said
    assert "any agent so labelled is skipped" in capsys.readouterr().err
    assert list(take_orders(folder)) == [{"answer": "there"}, {"skip": "nobody"}]


def test_a_sort_under_way_waits_for_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with Session(model=echo, runtime="inline") as session:
        session.rank(["a", "b"], by="length")

    with lock_run(find_run("last").path):
        assert commedia(["answer", "last", "there"]) == 2
    assert "waits for no answer" in capsys.readouterr().err
