"""A run is seen while it goes on: live on a terminal, in a few plain lines elsewhere."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from commedia.cli.progress import MAX_PLAIN_LINES, ProgressView, describe
from commedia.supervisor.progress import RunProgress


def progress(rounds: int, *, simulated: bool = True, said: tuple[str, ...] = ()) -> RunProgress:
    """Return where a run stands after *rounds*."""
    return RunProgress(
        phase="judging",
        rounds=rounds,
        calls=100 * rounds,
        expected_calls=2_200,
        tokens=31_000 * rounds,
        cost_usd=0.03 * rounds,
        predicted_tau=0.5,
        missing=2,
        elapsed_s=1.5,
        simulated=simulated,
        model="sim:judge",
        said=said,
    )


@pytest.fixture
def screen() -> io.StringIO:
    """What standard error shows."""
    return io.StringIO()


def test_off_a_terminal_each_round_is_one_plain_line(screen: io.StringIO) -> None:
    with ProgressView(quiet=False, console=Console(file=screen)) as view:
        for rounds in (0, 0, 1, 1, 1, 2):
            view(progress(rounds))

    lines = screen.getvalue().splitlines()
    assert lines[0].startswith("simulated: sim:judge")
    assert [line.split(" · ")[1] for line in lines[1:]] == ["round 1", "round 2"]
    assert "\x1b" not in screen.getvalue()


def test_a_long_run_is_a_few_dozen_lines(screen: io.StringIO) -> None:
    with ProgressView(quiet=False, console=Console(file=screen)) as view:
        for rounds in range(1_000):
            view(progress(rounds))

    assert len(screen.getvalue().splitlines()) == MAX_PLAIN_LINES + 1


def test_what_is_urgent_is_said_however_quiet_it_is(screen: io.StringIO) -> None:
    with ProgressView(quiet=True, console=Console(file=screen)) as view:
        view(replace(progress(1, said=("waiting",)), is_urgent=True))

    assert screen.getvalue() == "waiting\n"


def test_a_run_that_needs_more_calls_than_it_seemed_has_no_total() -> None:
    assert "2,200 of about 2,200 calls" in describe(progress(22))
    assert "2,300 calls" in describe(progress(23))


def test_quiet_is_quiet(screen: io.StringIO) -> None:
    with ProgressView(quiet=True, console=Console(file=screen)) as view:
        view(progress(1, said=("news",)))

    assert screen.getvalue() == ""


def test_each_line_that_is_logged_is_said_and_inert(screen: io.StringIO) -> None:
    with ProgressView(quiet=False, console=Console(file=screen)) as view:
        for said in (("one\x1b[2J", "two"), (), ("two",)):
            view(progress(0, simulated=False, said=said))

    assert screen.getvalue() == "one␛[2J\ntwo\ntwo\n"


def test_a_terminal_sees_it_live_and_keeps_only_what_was_said(screen: io.StringIO) -> None:
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)

    with ProgressView(quiet=False, console=console) as view:
        view(progress(3))
        view.say("[bold]as it is[/bold]")

    shown = screen.getvalue()
    assert "simulated: sim:judge" in shown
    assert "300 of about 2,200 calls" in shown
    assert "[bold]as it is[/bold]" in shown


def test_a_line_says_rounds_calls_tokens_money_and_tau() -> None:
    assert describe(progress(3), since_s=0.5) == (
        "judging · round 3 · 300 of about 2,200 calls · 93,000 tokens · $0.0900 · "
        "predicted tau 0.500 · 2 without an answer · 2.0 s · simulated"
    )


def test_a_workflow_says_that_its_counts_are_of_all_so_far() -> None:
    """They are not of the phase that stands before them."""
    one = replace(progress(0, simulated=False), phase="Refute", is_sort=False, calls=1)

    assert describe(replace(one, expected_calls=None)).startswith("Refute · 1 call so far · ")
