"""Nothing that costs money begins without a budget or a yes; and what is foreseen is said."""

import os
import pty
import select
import subprocess
from collections.abc import Iterator

import pyarrow as pa
import pytest

from commedia import Session
from commedia.actors.errors import UsageError
from commedia.benchmarks.auditor import MODEL, QUALITY, Books, items, keeping_books
from commedia.benchmarks.command import ENTRY

TABLE = items(24)


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    with keeping_books(TABLE) as kept:
        yield kept


def command(books: Books, *options: str) -> list[str]:
    words = ["sort", str(books.world), "--by", QUALITY, "--text", "text", "--id", "id"]
    model = ["--model", MODEL, "--base-url", books.address, "--runtime", "inline"]
    return [*ENTRY, *words, *model, "--ask", "list:5", *options]


def asked(books: Books, *options: str) -> tuple[int, str, int]:
    """Return exit code, standard error, and how many requests the server saw of a sort."""
    before = len(books.lines())
    done = subprocess.run(
        command(books, *options), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return done.returncode, done.stderr, len(books.lines()) - before


def answered(books: Books, answer: bytes) -> tuple[int, str, int]:
    """Do as `asked` does, at a terminal on which *answer* is typed once there is a question."""
    before = len(books.lines())
    mine, theirs = pty.openpty()
    driver = subprocess.Popen(
        command(books), stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    said = b""
    while driver.poll() is None or select.select([mine], [], [], 0)[0]:
        if not select.select([mine], [], [], 0.1)[0]:
            continue
        try:
            said += os.read(mine, 4096)
        except OSError:  # nobody holds the other end any more
            break
        if b"begin?" in said and answer:
            os.write(mine, answer)
            answer = b""
    os.close(mine)
    return driver.wait(timeout=60), said.decode(), len(books.lines()) - before


def test_without_budget_yes_or_terminal_nothing_is_sent(books: Books) -> None:
    code, said, requests = asked(books)

    assert (code, requests) == (2, 0)
    assert "give a --budget" in said and "--yes" in said


def test_a_yes_needs_no_budget_and_shows_what_is_foreseen(books: Books) -> None:
    code, said, requests = asked(books, "--yes")

    assert code == 0 and requests > 0
    assert "estimate: about" in said and "simulated judges" in said


@pytest.mark.parametrize("answer", [b"n\n", b"\x04"])
def test_a_refusal_or_the_end_of_input_sends_nothing(books: Books, answer: bytes) -> None:
    code, said, requests = answered(books, answer)

    assert (code, requests) == (2, 0)
    assert "nothing was sent" in said


def test_who_says_yes_at_the_question_is_served(books: Books) -> None:
    code, said, requests = answered(books, b"y\n")

    assert code == 0 and requests > 0
    assert "without a budget; estimate" in said


def test_a_program_that_gives_consent_is_shown_the_estimate_of_each_kind(books: Books) -> None:
    shown: list[str] = []

    def consent(told: str) -> bool:
        shown.append(told)
        return False

    outputs = pa.table({"q": ["a", "b"], "x": ["long one", "two"], "y": ["short", "three"]})
    with Session(model=MODEL, base_url=books.address, runtime="inline", consent=consent) as session:
        with pytest.raises(UsageError, match="nothing was sent"):
            session.rank(TABLE, QUALITY, text="text", id="id")
        with pytest.raises(UsageError, match="nothing was sent"):
            session.eval(outputs, prompt="q", systems={"x": "x", "y": "y"}, by="wit")

    assert len(shown) == 2
    assert all("estimate: about" in told and "$" in told for told in shown)


def test_what_is_foreseen_holds_for_the_judge_that_it_assumes(books: Books) -> None:
    shown: list[str] = []

    def consent(told: str) -> bool:
        shown.append(told)
        return True

    with Session(model=MODEL, base_url=books.address, runtime="inline", consent=consent) as session:
        result = session.rank(TABLE, QUALITY, text="text", id="id", ask="pair")
    low, high = shown[0].partition("calls (")[2].partition(")")[0].split(" to ")

    assert int(low) <= result.calls <= int(high)
