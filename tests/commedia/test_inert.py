"""What is shown to a person moves no cursor and hides nothing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.inert import inert

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(ANY_TEXT)
def test_nothing_that_steers_a_terminal_or_the_eye_survives(text: str) -> None:
    shown = inert(text)

    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in shown)
    assert not BIDI & set(shown)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
    shown.encode()


@given(ANY_TEXT, st.none() | st.integers(0, 50))
def test_what_is_inert_stays_as_it_is(text: str, limit: int | None) -> None:
    shown = inert(text, limit)

    assert inert(shown, limit) == shown
    assert limit is None or len(shown) <= limit


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u3164\uffa0")))
def test_printable_text_is_kept(text: str) -> None:
    visible = "".join(c for c in text if c not in "\u115f\u1160")

    assert inert(text) == visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "␛]8;;http://x␇link␛]8;;␇"),
        ("\x9b2J", "\ufffd2J"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("tag\U000e0041s", "tags"),
        ("del\x7f", "del␡"),
        ("lone \ud800", "lone \ufffd"),
        ("Zürich 東京 🦆", "Zürich 東京 🦆"),
    ],
)
def test_tricks_are_made_visible_or_dropped(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_a_limit_counts_what_is_shown() -> None:
    hidden = "\u200b" * 5_000

    assert inert("abcdef", 4) == "abc…"
    assert inert("abcd", 4) == "abcd"
    assert inert(hidden + "abcd", 4) == "abcd"
    assert inert(hidden + "abcde" + hidden, 4) == "abc…"
    assert inert("abc", 0) == ""
