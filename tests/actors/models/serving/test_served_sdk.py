"""The real SDK against the server: streams, tools, thinking, tokens, batches."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from jsonschema import Draft202012Validator
from served import Server, served

from commedia.actors.models.serving.latency import Latency

ASK: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 4_096,
    "messages": [{"role": "user", "content": "What is the weather?"}],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 3},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["city", "unit", "days"],
    "additionalProperties": False,
}
WEATHER: dict[str, Any] = {"name": "weather", "description": "Tells it.", "input_schema": SCHEMA}
CLOCK: dict[str, Any] = {"name": "clock", "input_schema": {"type": "object", "properties": {}}}
SEARCH: dict[str, Any] = {"type": "web_search_20260318", "name": "web_search"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


def client(server: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)


def plain(message: Any) -> dict[str, Any]:
    """Return *message* without its id, as plain data."""
    found: dict[str, Any] = message.to_dict(exclude_none=True)
    return {name: value for name, value in found.items() if name not in ("id", "parsed_output")}


ASKED: dict[str, dict[str, Any]] = {
    "text": {},
    "schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "tool": {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "tool", "name": "weather"}},
    "any": {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "any"}},
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
    "thinking and tools": {"thinking": {"type": "adaptive"}, "tools": [WEATHER]},
    "cut": {"max_tokens": 3},
    "cached": {"cache_control": {"type": "ephemeral"}, "system": "word " * 2_000},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_a_stream_brings_what_the_message_is(server: Server, asked: dict[str, Any]) -> None:
    """Sync and async; only where a cache was written in between, the usage differs."""
    with client(server) as sdk:
        before = len(server.lines)
        if "cache_control" in asked:
            sdk.messages.create(**{**ASK, **asked})
        whole = plain(sdk.messages.create(**{**ASK, **asked}))
        with sdk.messages.stream(**{**ASK, **asked}) as stream:
            text = "".join(stream.text_stream)
            final = plain(stream.get_final_message())

        async def streamed() -> dict[str, Any]:
            async with (
                anthropic.AsyncAnthropic(base_url=server.url, api_key="none") as sdk,
                sdk.messages.stream(**{**ASK, **asked}) as stream,
            ):
                return plain(await stream.get_final_message())

        later = asyncio.run(streamed())
        digests = {line["digest"] for line in server.lines[before:]}

    assert _without_parsed(final) == whole == _without_parsed(later)
    assert text == "".join(block.get("text", "") for block in whole["content"])
    assert len(digests) == 1


def _without_parsed(message: dict[str, Any]) -> dict[str, Any]:
    content = [{k: v for k, v in b.items() if k != "parsed_output"} for b in message["content"]]
    return {**message, "content": content}


def test_a_stream_has_the_apis_events_in_their_order(server: Server) -> None:
    with client(server) as sdk:
        events = list(sdk.messages.create(**{**ASK, "stream": True}))
    kinds = [event.type for event in events]

    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_a_stream_is_paced_by_its_latency() -> None:
    with served(latency=Latency(0.4)) as server, client(server) as sdk:
        loop = asyncio.new_event_loop()
        start = loop.time()
        with sdk.messages.stream(**ASK) as stream:
            times = [loop.time() - start for _ in stream]
        loop.close()

    assert times[0] > 0.19 and times[-1] > 0.39 and times[0] < times[-1] - 0.1


@pytest.mark.parametrize("name", ["tool", "any"])
def test_a_forced_tool_is_called_with_what_it_takes(server: Server, name: str) -> None:
    with client(server) as sdk:
        message = sdk.messages.create(**{**ASK, **ASKED[name]})
    block = message.content[0]

    assert message.stop_reason == "tool_use" and block.type == "tool_use"
    assert block.id.startswith("toolu_") and block.name in ("weather", "clock")
    schema = {"weather": SCHEMA, "clock": CLOCK["input_schema"]}[block.name]
    assert Draft202012Validator(schema).is_valid(block.input)


def test_a_tool_may_be_called_or_not_as_the_request_has_it(server: Server) -> None:
    """Half of the requests call one; the result of a tool is answered with a text."""
    with client(server) as sdk:
        stops = []
        for n in range(24):
            asked = {**ASK, "messages": [{"role": "user", "content": f"q{n}"}], "tools": [WEATHER]}
            message = sdk.messages.create(**asked)
            stops.append(message.stop_reason)
            if message.stop_reason == "tool_use":
                used = message.content[0]
                assert used.type == "tool_use"
                result = {"type": "tool_result", "tool_use_id": used.id, "content": "sunny"}
                turns = [
                    *asked["messages"],
                    {"role": "assistant", "content": [used.to_dict()]},
                    {"role": "user", "content": [result]},
                ]
                last = sdk.messages.create(**{**asked, "messages": turns})
                assert last.stop_reason == "end_turn" and last.content[0].type == "text"

    assert 6 <= stops.count("tool_use") <= 18


@pytest.mark.parametrize("more", [{"tools": [SEARCH]}, {"tools": [WEATHER], "tool_choice": "none"}])
def test_no_tool_is_called_that_may_not_be(server: Server, more: dict[str, Any]) -> None:
    choice = {"tool_choice": {"type": more["tool_choice"]}} if "tool_choice" in more else {}
    with client(server) as sdk:
        for n in range(6):
            messages = [{"role": "user", "content": f"q{n}"}]
            message = sdk.messages.create(**{**ASK, **more, **choice, "messages": messages})
            assert message.stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"tools": "all"}, "tools: a list"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tools": [{"name": "t"}]}, "tools.0.input_schema"),
        ({"tools": [{"name": "t", "input_schema": {"type": "object", "required": 3}}]}, "no JSON"),
        ({"tools": [WEATHER, WEATHER]}, "unique"),
        ({"tool_choice": {"type": "any"}}, "no tools to choose"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "has the name 'x'"),
        ({"tools": [WEATHER], "tool_choice": {"type": "all"}}, "tool_choice.type"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4_096}}, "budget_tokens"),
    ],
)
def test_tools_and_thinking_that_are_none_are_refused(
    server: Server, more: dict[str, Any], says: str
) -> None:
    with client(server) as sdk, pytest.raises(anthropic.BadRequestError, match=says):
        sdk.messages.create(**{**ASK, "extra_body": more})


def test_thinking_is_shown_and_counted(server: Server) -> None:
    with client(server) as sdk:
        message = sdk.messages.create(**{**ASK, **ASKED["thinking"]})

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.usage.output_tokens_details is not None
    assert 0 < message.usage.output_tokens_details.thinking_tokens < message.usage.output_tokens


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_tokens_are_counted_as_messages_count_them(server: Server, asked: dict[str, Any]) -> None:
    with client(server) as sdk:
        usage = sdk.messages.create(**{**ASK, **asked}).usage
        counted = {k: v for k, v in {**ASK, **asked}.items() if k != "max_tokens"}
        found = sdk.messages.count_tokens(**counted)

    written, read = usage.cache_creation_input_tokens or 0, usage.cache_read_input_tokens or 0
    assert found.input_tokens == usage.input_tokens + written + read > 0


def test_a_prefix_can_be_warmed_for_no_output(server: Server) -> None:
    warm = {**ASK, **ASKED["cached"], "system": "other " * 2_000}
    with client(server) as sdk:
        first = sdk.messages.create(**{**warm, "max_tokens": 0})
        second = sdk.messages.create(**warm)

    assert (first.content, first.usage.output_tokens) == ([], 0)
    assert first.usage.cache_creation_input_tokens == second.usage.cache_read_input_tokens
    assert first.usage.cache_creation is not None
    assert first.usage.cache_creation.ephemeral_5m_input_tokens > 2_000


def test_a_stream_is_framed_as_server_sent_events(server: Server) -> None:
    data = json.dumps({**ASK, "stream": True}).encode()
    request = urllib.request.Request(f"{server.url}/v1/messages", data)
    with urllib.request.urlopen(request, timeout=20) as response:
        kind = response.headers["content-type"]
        frames = response.read().decode().split("\n\n")

    assert kind.startswith("text/event-stream")
    assert frames[-1] == ""
    for frame in frames[:-1]:
        name, _, rest = frame.partition("\n")
        assert name == f"event: {json.loads(rest.removeprefix('data: '))['type']}"
    assert sum(frame.startswith("event: ping") for frame in frames) == 1
