"""A server that misbehaves on demand, as the real SDK and a bare socket see it."""

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx2
import pytest
from served import Server, served

from commedia.actors.models.serving.limits import Limits
from commedia.actors.models.serving.malformed import SHAPES
from commedia.actors.models.serving.timing import ServedTime

ASK: dict[str, Any] = {
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Which is worse?"}],
    "model": "claude-haiku-5-5",
}  # in the order in which the SDK sends it: a request is known by its bytes


def client(server: Server, *, retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=retries)


def ask(server: Server, **changes: Any) -> Any:
    with client(server) as sdk:
        return sdk.messages.create(**{**ASK, **changes})


def raw(server: Server, body: dict[str, Any] = ASK) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request("POST", "/v1/messages", json.dumps(body, separators=(",", ":")))
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", anthropic.RateLimitError),
        ("500", anthropic.InternalServerError),
        ("529", anthropic.APIStatusError),
        ("402", anthropic.APIStatusError),
    ],
)
def test_an_error_status_is_not_charged(fault: str, error: type[Exception]) -> None:
    with served({"fault": fault, "attempts": 1}) as server:
        with pytest.raises(error) as caught:
            ask(server)
        ask(server)
        first, second = server.lines

    assert isinstance(caught.value, anthropic.APIStatusError)
    assert caught.value.status_code == int(fault) == first["status"]
    assert (first["charged"], first["fault"], first["usage"]) == (False, fault, None)
    assert (second["charged"], second["fault"]) == (True, None)
    assert first["digest"] == second["digest"]
    assert [first["attempt"], second["attempt"]] == [0, 1]


def test_a_retry_after_is_sent_as_the_rule_has_it_even_an_absurd_one() -> None:
    for given, sent in ((2, "2"), (1e9, "1000000000"), ("tomorrow", "tomorrow"), (None, None)):
        with served({"fault": "429", "retry_after": given}) as server:
            headers = raw(server)[1]

        assert headers.get("retry-after") == sent


@pytest.mark.parametrize(("fault", "is_charged"), [("drop_before", False), ("drop_after", True)])
def test_a_dropped_request_gets_no_byte_and_only_an_accepted_one_is_charged(
    fault: str, is_charged: bool
) -> None:
    with served({"fault": fault, "attempts": 1}) as server:
        with pytest.raises(anthropic.APIConnectionError):
            ask(server)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            raw(server, {**ASK, "max_tokens": 65})
        line = server.lines[0]

    assert (line["charged"], line["status"], line["fault"]) == (is_charged, None, fault)
    assert (line["usage"] is not None) is is_charged


def test_an_answer_that_breaks_off_is_charged() -> None:
    with served({"fault": "drop_midway"}) as server:
        with pytest.raises(http.client.IncompleteRead) as caught:
            raw(server)
        line = server.lines[0]

    assert caught.value.partial.startswith(b'{"id":"msg_')
    assert line["charged"] and line["status"] == 200


def test_a_stream_that_breaks_off_is_charged() -> None:
    with served({"fault": "drop_midway"}) as server:
        with (
            client(server) as sdk,
            pytest.raises(httpx2.RemoteProtocolError),
            sdk.messages.stream(**ASK) as stream,
        ):
            stream.get_final_message()

        assert server.lines[0]["charged"]


def test_an_error_can_come_after_the_charge() -> None:
    with served({"fault": "500_charged"}) as server:
        status, _, data = raw(server)
        line = server.lines[0]

    assert status == 500 and json.loads(data)["error"]["type"] == "api_error"
    assert line["charged"] and line["status"] == 500 and line["fault"] == "500_charged"


def test_a_trickle_comes_a_byte_at_a_time() -> None:
    with served({"fault": "trickle", "interval_s": 0.002}) as server:
        start = time.monotonic()
        status, headers, data = raw(server)

    assert status == 200 and json.loads(data)["type"] == "message"
    assert time.monotonic() - start > 0.002 * int(headers["content-length"])


def test_a_hanging_server_answers_nothing_until_the_client_leaves() -> None:
    with served({"fault": "hang"}) as server:
        with (
            client(server) as sdk,
            pytest.raises(anthropic.APITimeoutError),
        ):
            sdk.messages.create(**ASK, timeout=0.2)

        assert server.lines[0]["charged"] and server.lines[0]["status"] is None


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_giant_answer_is_as_large_as_asked_for(is_streamed: bool) -> None:
    size = 3 * 2**20 + 5
    with served({"fault": "giant", "bytes": size}) as server:
        data = raw(server, {**ASK, "stream": is_streamed})[2]

    assert size < len(data) < size + 5_000
    assert data.count(b"x") >= size
    if not is_streamed:
        assert len(json.loads(data)["content"][-1]["text"]) == size


def test_malformed_answers_are_charged_and_streamed_as_such() -> None:
    with served({"fault": "malformed:html"}) as server:
        status, headers, data = raw(server)
        stream = raw(server, {**ASK, "stream": True})[2]
        lines = server.lines

    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert data.startswith(b"<!doctype html>") and b"data: <!doctype html>" in stream
    assert [line["fault"] for line in lines] == ["malformed:html"] * 2
    assert all(line["charged"] and line["usage"]["input_tokens"] == 4 for line in lines)


def test_every_malformed_answer_arrives_as_it_is() -> None:
    """Shape by shape: the status is 200, and all that was announced comes."""
    rules = [
        {"fault": f"malformed:{shape}", "from_request": n, "to_request": n}
        for n, shape in enumerate(SHAPES, 1)
    ]
    with served(*rules) as server:
        found = [raw(server) for _ in SHAPES]

        assert [line["fault"] for line in server.lines] == [rule["fault"] for rule in rules]
    assert all(status == 200 for status, _, _ in found)
    assert [int(headers["content-length"]) for _, headers, _ in found] == [
        len(data) for _, _, data in found
    ]


def test_tokens_cannot_be_counted_while_a_fault_is_on_them() -> None:
    with served({"fault": "529", "on": "count_tokens", "attempts": 1}) as server:
        with client(server) as sdk:
            asked = {name: ASK[name] for name in ("model", "messages")}
            with pytest.raises(anthropic.APIStatusError):
                sdk.messages.count_tokens(**asked)

            assert sdk.messages.count_tokens(**asked).input_tokens == 4
        assert server.lines == []


def test_beyond_the_limit_a_request_is_told_how_long_to_wait_and_a_retry_succeeds() -> None:
    """At a hundred times the speed ten requests a minute are one in 60 ms."""
    limits = Limits(requests=10, burst_s=6.0)
    with served(limits=limits, time=ServedTime(scale=100.0)) as server:
        first = raw(server)
        second = raw(server)
        with client(server, retries=2) as sdk:
            sdk.messages.create(**ASK)
        lines = server.lines

    assert [first[0], second[0]] == [200, 429]
    assert json.loads(second[2])["error"]["type"] == "rate_limit_error"
    assert second[1]["anthropic-ratelimit-requests-remaining"] == "0"
    assert 0.0 < float(second[1]["retry-after"]) <= 0.06
    assert second[1]["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert [line["charged"] for line in lines].count(True) == 2
    assert lines[-1]["attempt"] == 1


def test_what_a_cache_reads_does_not_count_against_the_input_limit() -> None:
    block = {"type": "text", "text": "word " * 4_000, "cache_control": {"type": "ephemeral"}}
    body = {**ASK, "messages": [{"role": "user", "content": [block]}]}
    with served(limits=Limits(tokens_in=6_000)) as server:
        found = [raw(server, body) for _ in range(3)]

    assert [status for status, _, _ in found] == [200, 200, 200]
    usages = [json.loads(data)["usage"] for _, _, data in found]
    assert [usage["cache_read_input_tokens"] for usage in usages] == [0, 5_000, 5_000]
    assert [usage["cache_creation_input_tokens"] for usage in usages] == [5_000, 0, 0]
    assert [usage["input_tokens"] for usage in usages] == [0, 0, 0]
