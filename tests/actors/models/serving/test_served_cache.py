"""The prompt cache: who pays for a prefix, and for how long others read it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from commedia.actors.models.serving.cache import Cached, PromptCache
from commedia.actors.models.serving.prefixes import marks_of, tokens_of

LONG = "word " * 4_000  # 5,000 tokens
EPHEMERAL = {"type": "ephemeral"}


def text(words: str, control: dict[str, str] | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": words}
    return block if control is None else {**block, "cache_control": control}


def body(*blocks: dict[str, Any], system: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "model": "m",
        "system": system,
        "messages": [{"role": "user", "content": list(blocks)}],
        **more,
    }


def ask(cache: PromptCache, asked: dict[str, Any], *, now: float, begins_at: float) -> Cached:
    marks = marks_of(asked)
    found = cache.look(marks, now=now)
    cache.use(marks, now=now, begins_at=begins_at)
    return found


def shared(question: str, control: dict[str, str] = EPHEMERAL) -> dict[str, Any]:
    return body(text(question), system=[text(LONG, control)])


def test_a_prefix_can_be_read_once_the_first_response_has_begun() -> None:
    cache = PromptCache()
    found = [
        ask(cache, shared(f"q{n}"), now=now, begins_at=now + 1.0)
        for n, now in enumerate((0.0, 0.5, 1.0))
    ]

    assert found == [Cached(written_5m=5_000), Cached(written_5m=5_000), Cached(read=5_000)]


def test_a_prefix_lives_from_its_last_use() -> None:
    cache = PromptCache()
    times = (0.0, 299.0, 598.0, 899.0)
    found = [ask(cache, shared("q"), now=now, begins_at=now) for now in times]
    hour = PromptCache()
    control = {**EPHEMERAL, "ttl": "1h"}
    late = [ask(hour, shared("q", control), now=now, begins_at=now) for now in (0.0, 3_599.0)]

    assert [one.read for one in found] == [0, 5_000, 5_000, 0]
    assert late == [Cached(written_1h=5_000), Cached(read=5_000)]


def test_another_prefix_or_model_is_not_found() -> None:
    cache = PromptCache()
    ask(cache, shared("q"), now=0.0, begins_at=0.0)
    other = {**shared("q"), "model": "other"}
    changed = body(text("q"), system=[text("x" + LONG, EPHEMERAL)])
    with_tools = {**shared("q"), "tools": [{"name": "t", "input_schema": {"type": "object"}}]}

    for asked in (other, changed, with_tools):
        assert cache.look(marks_of(asked), now=1.0).read == 0


def test_a_conversation_finds_its_earlier_breakpoint() -> None:
    """What was written is read, and only what is new is written."""
    cache = PromptCache()
    first = body(text(LONG, EPHEMERAL))
    longer = body(text(LONG), text("answer " * 400), text("and " * 600, EPHEMERAL))
    ask(cache, first, now=0.0, begins_at=0.0)

    assert ask(cache, longer, now=1.0, begins_at=1.0) == Cached(read=5_000, written_5m=1_300)
    assert cache.look(marks_of(longer), now=2.0) == Cached(read=6_300)


def test_the_whole_request_can_be_marked_and_a_short_one_is_not_kept() -> None:
    whole = body(text(LONG), cache_control=EPHEMERAL)
    short = body(text("short"), cache_control=EPHEMERAL)
    cache = PromptCache()

    assert ask(cache, whole, now=0.0, begins_at=0.0) == Cached(written_5m=5_000)
    assert ask(cache, short, now=0.0, begins_at=0.0) == Cached()


def test_two_ttls_are_counted_apart() -> None:
    hour = {**EPHEMERAL, "ttl": "1h"}
    asked = body(text(LONG, EPHEMERAL), system=[text(LONG, hour)])

    assert PromptCache().look(marks_of(asked), now=0.0) == Cached(0, 5_000, 5_000)


@pytest.mark.parametrize("control", [{"type": "lasting"}, {**EPHEMERAL, "ttl": "2h"}, "yes"])
def test_a_control_that_is_none_is_refused(control: Any) -> None:
    with pytest.raises(HTTPException, match="ephemeral"):
        marks_of(body({"type": "text", "text": "q", "cache_control": control}))


def test_five_breakpoints_are_too_many() -> None:
    with pytest.raises(HTTPException, match="at most 4"):
        marks_of(body(*[text("q", EPHEMERAL)] * 5))


def test_every_kind_of_block_counts() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x" * 400}
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 10**5}}

    assert tokens_of(body(text("12345678"))) == 2
    assert 100 < tokens_of(body(result)) < 130
    assert tokens_of(body(image)) == 1_600


blocks = st.lists(
    st.tuples(st.sampled_from(["a " * 3_000, "b " * 900, "c"]), st.booleans()),
    min_size=1,
    max_size=4,
)
visits = st.lists(st.tuples(st.floats(0.0, 400.0), st.floats(0.0, 9.0), blocks), max_size=12)


@given(visits)
def test_what_is_read_was_written_before_and_nothing_counts_twice(
    visits: list[tuple[float, float, list[tuple[str, bool]]]],
) -> None:
    cache, now = PromptCache(), 0.0
    written: dict[bytes, float] = {}
    for gap, ttft, shown in visits:
        now += gap
        asked = body(*(text(words, EPHEMERAL if marked else None) for words, marked in shown))
        marks = marks_of(asked)
        found = ask(cache, asked, now=now, begins_at=now + ttft)

        assert 0 <= found.read + found.written <= tokens_of(asked)
        if found.read:
            prefix = next(mark.prefix for mark in marks if mark.tokens == found.read)
            assert written[prefix] <= now
        for mark in marks:
            if mark.ttl_s is not None:
                written[mark.prefix] = min(now + ttft, written.get(mark.prefix, now + ttft))
