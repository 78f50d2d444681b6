"""What a paid run says when its server misbehaves: never less than it cost, and why it failed."""

import asyncio
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from api import message_body
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from commedia.actors.errors import RunFailedError, UsageError
from commedia.results import RankResult
from commedia.session import Session
from commedia.supervisor.progress import RunProgress

ROWS = [{"text": f"thing {n}", "size": n} for n in range(6)]
Answer = Callable[[dict[str, Any]], Response]


@contextlib.contextmanager
def server(answer: Answer) -> Iterator[str]:
    """Serve *answer* as a Messages API on loopback, until the block ends."""

    async def messages(request: Request) -> Response:
        return answer(await request.json())

    app = Starlette(routes=[Route("/v1/messages", messages, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([listener])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(timeout=10)


def message(text: str, *, tokens: int = 50) -> Response:
    body = message_body(text, usage={"input_tokens": tokens, "output_tokens": 5})
    return Response(json.dumps(body), media_type="application/json")


def ranked(address: str, *, budget: str = "1M", ask: str = "pair") -> RankResult:
    with Session(
        model="tiny", base_url=address, runtime="inline", budget=budget, hosts=1
    ) as session:
        return session.rank(ROWS, "size", text="text", ask=ask)


def test_a_lone_surrogate_in_an_answer_is_an_invalid_answer_and_kills_nobody() -> None:
    with server(lambda _: message("\ud800 no")) as address:
        result = ranked(address)

    assert result.missing.keys() <= {"invalid", "skipped"}
    assert result.calls > 0
    assert result.tokens > 0
    assert "died" not in " ".join(result.notes)


def test_a_server_that_charges_beyond_its_bound_is_named_and_asked_no_more() -> None:
    with server(lambda _: message('{"verdict": "first"}', tokens=999_999)) as address:
        result = ranked(address, budget="5M")

    assert result.status == "degraded"
    assert "charged" in " ".join(result.notes)


def test_a_refused_key_is_said() -> None:
    refusal = {"type": "error", "error": {"type": "authentication_error", "message": "no"}}
    with server(lambda _: JSONResponse(refusal, status_code=401)) as address:
        result = ranked(address)

    assert result.status == "degraded"
    assert "the key was refused" in " ".join(result.notes)
    assert result.tokens == 0


def test_a_request_that_is_refused_is_told_in_the_servers_words() -> None:
    words = "temperature is deprecated\x1b[2J for this model"
    refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
    with server(lambda _: JSONResponse(refusal, status_code=400)) as address:
        result = ranked(address)

    assert "the server said: temperature is deprecated␛[2J for this model" in result.notes


def test_a_budget_that_is_too_small_for_a_call_says_what_one_may_take() -> None:
    with server(lambda _: message('{"verdict": "first"}')) as address:
        result = ranked(address, budget="500tokens")

    assert (result.calls, result.stopped) == (0, "budget")
    assert re.search(r"the next call may take [0-9,]+ tokens at most", " ".join(result.notes))


def test_what_may_have_been_charged_counts_in_full() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "no"}}
    with server(lambda _: JSONResponse(error, status_code=500)) as address:
        result = ranked(address)

    assert result.tokens > 0
    assert "may have been charged in vain" in " ".join(result.notes)


@pytest.mark.parametrize(
    "address",
    ["localhost:8080", "foo bar", "ftp://x", "http://u:p@x", "http://x/?key=1", "http://"],
)
def test_an_address_that_is_none_is_refused_before_the_first_call(address: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        ranked(address)


def test_what_was_never_asked_is_not_shown_as_unanswered() -> None:
    shown: list[RunProgress] = []
    rows = [{"text": f"thing {n}", "size": n} for n in range(40)]
    with Session(runtime="inline", budget="5k", on_progress=shown.append) as session:
        result = session.rank(rows, "size", text="text", truth="size", ask="pair")

    assert result.missing.keys() == {"over_budget"}
    assert max(progress.calls for progress in shown) == result.calls > 0
    assert {progress.missing for progress in shown} == {0}


def test_a_server_that_is_not_there_fails_the_run_at_once() -> None:
    with pytest.raises(RunFailedError, match="cannot reach") as caught:
        ranked("http://127.0.0.1:9")

    assert "\n" not in str(caught.value)


def test_a_key_with_a_line_break_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-a\nb")

    with pytest.raises(UsageError, match="ANTHROPIC_API_KEY") as caught:
        ranked("http://127.0.0.1:9")
    assert "sk-a" not in str(caught.value)


def test_an_interrupt_before_the_supervisor_lives_makes_no_call() -> None:
    """Ctrl-C while processes start is not lost."""
    asked: list[int] = []

    def answer(_: dict[str, Any]) -> Response:
        asked.append(1)
        return message('{"verdict": "first"}')

    with (
        server(answer) as address,
        Session(model="tiny", base_url=address, runtime="inline", budget="1M") as session,
    ):
        runtime = session._open()
        start = runtime.start

        async def slow_start(actor: Any, name: str) -> Any:
            if name == "supervisor":
                assert session._driver is not None
                await session._driver.halt()
            return await start(actor, name)

        runtime.start = slow_start  # type: ignore[method-assign]
        result = session.rank(ROWS, "size", text="text", ask="pair")

    assert result.status == "interrupted"
    assert asked == []


def test_calls_that_a_second_interrupt_takes_back_count_in_full() -> None:
    """They have left: nobody knows what the server charged for them."""
    is_asked, is_over = threading.Event(), threading.Event()

    def answer(_: dict[str, Any]) -> Response:
        is_asked.set()
        is_over.wait(60)
        return message('{"verdict": "first"}')

    with (
        server(answer) as address,
        Session(model="tiny", base_url=address, runtime="inline", budget="1M") as session,
    ):

        def stop() -> None:
            is_asked.wait(60)
            session.interrupt()
            session.interrupt(cancel=True)

        stopping = threading.Thread(target=stop)
        stopping.start()
        result = session.rank(ROWS, "size", text="text", ask="pair")
        stopping.join()
        is_over.set()

    assert result.status == "interrupted"
    assert result.stopped == "interrupt"
    assert any(line.startswith("stopped: it was interrupted") for line in result.lines())
    assert result.calls > 0
    assert result.tokens > 0
    assert f"{result.calls} attempts may have been charged in vain" in " ".join(result.notes)
