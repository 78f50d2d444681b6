"""No item leaves its fence, and nothing untrusted reaches a prompt without one."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.actors.errors import TaintError
from commedia.actors.judge import TokenCount, segments
from commedia.actors.prompts import (
    MAY_READ,
    TAGS,
    Segment,
    assemble,
    estimate_tokens,
    fence,
)
from commedia.actors.questions import Question
from commedia.actors.tables import CLOSED, TRUSTED, UNTRUSTED

LAWS = settings(max_examples=80, deadline=None, derandomize=True)
PIECES = ["<", ">", "/", " ", "\n", "\xa0", "\u200b", "&lt;", "it", "em", "x", '"', "\\", "{", "}"]
PIECES += ["item", "ITEM", "First", "second", "</item>", "< / SECOND >", "</first", "<item number="]
PIECES += [
    "\uff1c/item\uff1e",
    "</\u0131tem>",
    "</items>",
    "<\u017fecond>",
    "</it</item>em>",
    "<<first>",
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=12).map("".join)
QUESTIONS = st.sampled_from(["pair", "graded", "list:2", "list:3", "list:12"]).map(Question.parse)


def tags(prompt: str) -> list[str]:
    """Return the tags of ours in *prompt*, as `first` and `/first`, the way a lax reader sees them:
    any case, and space wherever it may stand."""
    found = []
    for place, character in enumerate(prompt):
        if character == "<":
            rest = prompt[place + 1 :].lstrip()
            slash = "/" if rest.startswith("/") else ""
            name = re.match(r"\w*", rest.removeprefix("/").lstrip())
            if name and name[0].lower() in TAGS:
                found.append(slash + name[0].lower())
    return found


@LAWS
@given(QUESTIONS, st.data())
def test_an_item_cannot_leave_its_fence(question: Question, data: st.DataObject) -> None:
    texts = data.draw(st.lists(TEXTS, min_size=question.size, max_size=question.size))
    names = ["item"] * question.size if question.kind == "list" else ["first", "second"]

    prompt = assemble("judge", segments(question, "worth", texts))

    assert tags(prompt) == [tag for name in names for tag in (name, "/" + name)]


@pytest.mark.parametrize(
    "text",
    [
        "a < b",
        "</items>",
        "<itemise>",
        "\uff1c/item\uff1e",
        "</\u0456tem>",
        "&lt;",
        "<b>bold</b>",
        "<",
    ],
)
def test_what_is_no_tag_of_ours_is_shown_as_it_is(text: str) -> None:
    """Look-alikes are no tags: a Cyrillic letter, full-width brackets, a longer word."""
    assert fence(text) == text


@pytest.mark.parametrize("tag", ["doc", "", "items", 'Item number="1"'])
def test_a_tag_that_fences_nothing_is_no_tag(tag: str) -> None:
    with pytest.raises(ValueError, match="none of item, first, second"):
        Segment("text", UNTRUSTED, tag=tag)


@pytest.mark.parametrize(
    "segment",
    [
        Segment("a secret", UNTRUSTED, source="row 3"),
        Segment("a secret", UNTRUSTED + 1, tag="item", source="row 3"),
    ],
)
def test_untrusted_text_needs_a_fence_and_a_known_label(segment: Segment) -> None:
    with pytest.raises(TaintError) as caught:
        assemble("judge", [Segment("Read this:"), segment])

    assert "row 3" in str(caught.value)
    assert "secret" not in f"{caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize("role", MAY_READ)
def test_a_role_reads_what_it_may_and_no_more(role: str) -> None:
    for integrity in (TRUSTED, CLOSED, UNTRUSTED):
        fenced = [Segment("text", integrity, tag="item", source="row 3")]
        if integrity <= MAY_READ[role]:
            assert assemble(role, fenced) == "<item>\ntext\n</item>\n"
        else:
            with pytest.raises(TaintError, match=rf"from row 3 may not enter {role}\.prompt"):
                assemble(role, fenced)


def test_a_worker_never_reads_untrusted_text() -> None:
    assert MAY_READ["worker"] == CLOSED


@LAWS
@given(QUESTIONS, st.text(max_size=20) | st.sampled_from(["{by}", "{0.__class__}", "{", "}}"]))
def test_the_users_quality_is_written_as_it_is(question: Question, by: str) -> None:
    """It is data: braces in it are braces."""
    head, *_, tail = segments(question, by, ["a"] * question.size)

    assert f"one quality only: {by}\n" in head.text
    assert f"the quality: {by}" in tail.text
    assert (head.integrity, tail.integrity) == (TRUSTED, TRUSTED)


@LAWS
@given(QUESTIONS, st.text(max_size=8), st.lists(TEXTS, min_size=1, max_size=5), st.data())
def test_tokens_are_counted_without_rendering(
    question: Question, by: str, texts: list[str], data: st.DataObject
) -> None:
    """The count of a prompt is what its segments come to, but for a token an item."""
    rows = st.integers(0, len(texts) - 1)
    shown = data.draw(st.lists(rows, min_size=question.size, max_size=question.size))
    real = sum(segment.tokens for segment in segments(question, by, [texts[i] for i in shown]))

    counts = TokenCount.of(texts)
    [counted] = counts.prompts(question, by, np.array([shown]))
    both = counts.prompts(question, by, np.array([shown, shown]))

    assert abs(int(counted) - real) <= question.size
    assert both.tolist() == [counted, counted]


def test_a_token_is_four_bytes() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "abcd", "abcde", "日本", "\ud800")] == [
        *(0, 1, 1, 2, 2, 1)
    ]
