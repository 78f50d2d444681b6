"""What a workflow asks its user is answered by one of its options, at a terminal or later."""

import pytest
from runs import echo, play

from commedia.cli.main import run as commedia
from commedia.session import Session
from commedia.supervisor.run import Run


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
