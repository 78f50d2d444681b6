"""The one door to the anthropic SDK: a client that sends one request an attempt.

The SDK is imported when the first client is made. Its own retries are off, it runs on its aiohttp
transport, and it follows no redirect: one would carry the key to another host.
"""

import asyncio
import base64
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..answers import Asked, Typed, answer_schema, beginning
from ..errors import RunFailedError
from ..questions import Question
from .form import Form, gone_on
from .wire import (
    CALL_SPEC_HEADER,
    DECLARATION,
    Attempt,
    Request,
    body_of,
    most_tokens_out,
    read_error,
    read_limits,
    read_message,
)

if TYPE_CHECKING:
    import anthropic

PUBLIC_URL: Final = "https://api.anthropic.com"
_NO_KEY: Final = "none"
"""What a server that asks for no key is sent."""
_CONNECT_S: Final = 10.0
_TOLD: Final = frozenset({"bad_request", "too_large", "not_found", "quota"})
"""Of these the server knows more than we; of a refused key it might say the key."""
_MOST_SAID: Final = 300
_LIST_S: Final = 5.0
_LIST_CONNECT_S: Final = 3.0
_LIST_TRIES: Final = 3


class ClaudeClient:
    """Asks one model at one endpoint, with one HTTP client made once."""

    def __init__(self, model: str, *, base_url: str | None, key: str | None, in_flight: int):
        import anthropic
        import httpx2

        self._model, self._url = model, base_url or PUBLIC_URL
        self._form = Form()
        self._unreached: str | None = None
        self._declaration: asyncio.Future[Mapping[str, Any] | None] | None = None
        self._sdk = anthropic.AsyncAnthropic(
            base_url=re.sub(r"/(v1/?)?$", "", self._url),
            api_key=key or _NO_KEY,
            max_retries=0,
            open_telemetry=False,
            http_client=anthropic.DefaultAioHttpClient(
                timeout=httpx2.Timeout(None, connect=_CONNECT_S),
                limits=httpx2.Limits(
                    max_connections=in_flight + 2, max_keepalive_connections=in_flight + 2
                ),
                follow_redirects=False,
            ),
        )

    def max_tokens(self, asked: Asked) -> int:
        """Return the room for an answer to *asked*, and for thinking where the model does."""
        return most_tokens_out(asked, thinks=self._form.thinks)

    def is_strict(self) -> bool:
        """Whether the endpoint is still asked for strict structured output."""
        return self._form.is_strict

    async def reach(self) -> None:
        """Raise RunFailedError where nothing answers at the endpoint's address, or not by TLS."""
        await self.declared()
        if self._unreached is not None:
            raise RunFailedError(f"cannot reach {self._url}: {self._unreached}")

    async def attempt(self, request: Request, *, max_tokens: int, timeout_s: float) -> Attempt:
        """Send *request* as one HTTP request within a wall deadline of *timeout_s*."""
        strict = self._form.is_strict
        is_judge = request.row.get("role", "judge") == "judge"
        model = self._model if is_judge else request.row["model"]
        schema = _strict_schema(request.question) if strict else None
        begun = self._begun(request.question) if schema is None else ""
        body = body_of(request, model=model, max_tokens=max_tokens, strict=schema, begun=begun)
        headers = await self._headers(request)
        try:
            async with asyncio.timeout(timeout_s):
                attempt = await self._send(body, headers)
        except TimeoutError:
            return Attempt("timeout")
        if begun:
            attempt = gone_on(attempt, begun)
        self._form.note(attempt, strict=schema is not None, begun=bool(begun))
        if attempt.outcome == "truncated" and self.max_tokens(request.question) > max_tokens:
            return Attempt("truncated", usage=attempt.usage, reason="thinking")
        return attempt

    def _begun(self, asked: Asked) -> str:
        """Return the first words of a judge's answer, where it must be helped to begin it."""
        return beginning(asked) if self._form.is_begun and isinstance(asked, Question) else ""

    async def declared(self) -> Mapping[str, Any] | None:
        """Return what the endpoint's models list says under `commedia`; it is asked once."""
        if self._declaration is None:
            self._declaration = asyncio.ensure_future(self._read_declaration())
        return await asyncio.shield(self._declaration)

    async def close(self) -> None:
        """Close the HTTP client: left open, it complains at exit."""
        if self._declaration is not None:
            self._declaration.cancel()
        await self._sdk.close()

    async def _headers(self, request: Request) -> dict[str, str]:
        if request.spec is None or not await self.declared():
            return {}
        return {CALL_SPEC_HEADER: base64.b64encode(request.spec.encode()).decode()}

    async def _send(self, body: dict[str, Any], extra: dict[str, str]) -> Attempt:
        import anthropic
        import httpx2

        try:
            # As `messages.create` does, but for a model of the answer that nobody here would read.
            response = await self._sdk.post(
                "/v1/messages", cast_to=httpx2.Response, body=body, options={"headers": extra}
            )
            attempt = read_message(response.content)
        except anthropic.APIStatusError as error:
            return _failed(error)
        except anthropic.APIConnectionError as error:
            return _unanswered(error)
        except Exception:  # whatever else the SDK raises: a call is lost, never a host
            return Attempt("dropped")
        headers = response.headers
        return replace(attempt, request_id=headers.get("request-id"), limits=read_limits(headers))

    async def _read_declaration(self) -> Mapping[str, Any] | None:
        import anthropic
        import httpx2

        limits = httpx2.Timeout(_LIST_S, connect=_LIST_CONNECT_S)
        for left in reversed(range(_LIST_TRIES)):
            self._unreached = None
            try:
                async with asyncio.timeout(_LIST_S):
                    response = await self._sdk.get(
                        "/v1/models", cast_to=httpx2.Response, options={"timeout": limits}
                    )
                return _declaration(response.content)
            except anthropic.APIStatusError as error:
                if error.status_code < 500:
                    return None
            except anthropic.APIConnectionError as error:
                self._unreached = _why_unreached(error)
            except TimeoutError:
                pass  # somebody listens there
            if left:
                await asyncio.sleep(0.2)
        return None


@functools.lru_cache(maxsize=256)
def _strict_schema(asked: Asked) -> dict[str, Any] | None:
    """Return the schema as strict output takes it; None where it cannot be told so.

    What the endpoint cannot enforce (bounds, patterns) the SDK turns into words; all of it is
    checked when the answer is here.
    """
    from anthropic import transform_schema

    schema = answer_schema(asked)
    if schema is None or not isinstance(asked, Typed):
        return schema
    try:
        return transform_schema(schema)
    except (ValueError, TypeError, AttributeError):  # a schema beyond it is put into words
        return None


def _failed(error: "anthropic.APIStatusError") -> Attempt:
    message = json.dumps(error.body) if error.body is not None else error.message
    outcome, reason = read_error(error.status_code, message)
    headers = error.response.headers
    wait = _seconds(headers.get("retry-after-ms"), 1e-3) or _seconds(headers.get("retry-after"), 1)
    return Attempt(
        outcome,
        retry_after_s=wait,
        request_id=error.request_id,
        reason=reason,
        limits=read_limits(headers),
        said=_words(error.body) if outcome in _TOLD else "",
    )


def _words(body: object) -> str:
    """Return the beginning of what a server said of its error, if it said it as the API does."""
    error = body.get("error") if isinstance(body, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    return said[:_MOST_SAID] if isinstance(said, str) else ""


def _unanswered(error: "anthropic.APIConnectionError") -> Attempt:
    """Tell what never left from what may have arrived.

    The SDK's transport reports a connection lost after sending as a failure to connect, too; only
    aiohttp's own error, which it keeps as a cause, knows.
    """
    return Attempt("unreachable" if _why_unreached(error) else "dropped")


def _why_unreached(error: "anthropic.APIConnectionError") -> str | None:
    """Return why nothing was sent, as the end of a sentence; None where something may have been."""
    import aiohttp

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, aiohttp.ClientSSLError):
            return "what answers there has no valid TLS; check http or https, and its certificate"
        if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return "nothing answers there; check the address and the network, or start the server"
        cause = cause.__cause__
    return None


def _seconds(header: str | None, scale: float) -> float | None:
    try:
        seconds = float(header or "nan") * scale
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _declaration(data: bytes) -> Mapping[str, Any] | None:
    try:
        listed = json.loads(data)
    except (ValueError, RecursionError):
        return None
    found = listed.get(DECLARATION) if isinstance(listed, dict) else None
    return found if isinstance(found, dict) and found.get("simulated") is True else None
