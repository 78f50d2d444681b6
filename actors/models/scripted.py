"""Models that answer by a function: for tests, and for judges that are code."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
from pydantic import BaseModel

from ..answers import Asked, Preference, Typed, parse_answer, write_answer
from ..errors import InvalidAnswerError, ModelFaultError
from ..messages import Script
from ..prompts import estimate_tokens
from ..questions import Question
from .replies import Reply, reply_batch
from .wire import Attempt, Request, Usage, most_tokens_out, played

_SAID: Final = 200


class ScriptedModel:
    """The Model port in this process: answers with `reply(row)`, and remembers what it was asked.

    The reply is a Preference, JSON text or a dict; an exception is a failed call.
    """

    def __init__(self, reply: Script, *, reads_prompts: bool = True) -> None:
        self._client = ScriptedClient(reply)
        self.reads_prompts = reads_prompts
        self.requests: list[Mapping[str, Any]] = []

    async def answer(self, requests: pa.RecordBatch) -> AsyncIterator[pa.RecordBatch]:
        """Yield one batch with every scripted reply."""
        rows = requests.to_pylist()
        self.requests += rows
        yield reply_batch([await self._reply(row) for row in rows])

    async def _reply(self, row: Mapping[str, Any]) -> Reply:
        question, call_id = Question.parse(row["task"]), row["call_id"]
        request = Request(call_id, question, (("user", row["prompt"] or ""),), row)
        attempt = await self._client.attempt(request, max_tokens=0, timeout_s=0)
        usage = attempt.usage or Usage()
        if attempt.outcome != "ok":
            return Reply(call_id, "failed", attempt.outcome, attempts=1)
        try:
            verdict = parse_answer(question, attempt.text)
        except InvalidAnswerError:
            return Reply(call_id, "invalid", "schema", usage=usage, attempts=1)
        return Reply(call_id, "ok", None, question, verdict, usage, attempts=1)


class ScriptedClient:
    """The Client of a scripted model: the function stands where an HTTP request would.

    Beside answers, a script may return an Attempt, or raise ModelFaultError, to play a fault; or
    return an awaitable of any of these, which ends with the agent's timeout if it has one.
    """

    def __init__(self, script: Script) -> None:
        self._script = script

    def max_tokens(self, asked: Asked) -> int:
        """Return the room for an answer to *asked*."""
        return most_tokens_out(asked)

    def is_strict(self) -> bool:
        """Whether strict output is asked for: a function needs no asking."""
        return True

    async def attempt(self, request: Request, *, max_tokens: int, timeout_s: float) -> Attempt:
        """Call the script once."""
        row = {**request.row, "prompt": "\n\n".join(text for _, text in request.turns)}
        try:
            value = self._script(row)
            if inspect.isawaitable(value):
                is_timed = request.row.get("timeout_us") is not None
                value = await (_in_time(value, timeout_s) if is_timed else value)
        except ModelFaultError as fault:
            return played(fault.outcome)
        except BaseException as error:  # a script is anyone's code: it may even call sys.exit
            if _is_taken_back():
                raise
            said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
            return Attempt("script_failed", reason=said[:_SAID])
        if isinstance(value, Attempt):
            return value
        if isinstance(value, Preference) and isinstance(request.question, Question):
            if wanted := _lacks(request.question, value):
                return Attempt("script_failed", reason=wanted)
            value = replace(value, why=(value.why or "") if request.question.why else None)
        text = _text(request.question, value)
        usage = Usage(estimate_tokens(row["prompt"]), estimate_tokens(text))
        return Attempt("ok", text, usage, served_model="scripted")

    async def declared(self) -> Mapping[str, Any] | None:
        """Return None: a function is not an endpoint."""
        return None

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


async def _in_time(value: Awaitable[Any], timeout_s: float) -> Any:
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            return await value
    except TimeoutError:
        if deadline.expired():
            return Attempt("timeout")
        raise


def _is_taken_back() -> bool:
    """Whether the call itself was cancelled, and not something inside of the script."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _text(asked: Asked, value: Any) -> str:  # Any: what a script returned
    if isinstance(value, Preference) and isinstance(asked, Question):
        return write_answer(asked, value)
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, str) and not (isinstance(asked, Typed) and _is_string(asked)):
        return value
    return json.dumps(value, default=repr)


def _lacks(question: Question, value: Preference) -> str | None:
    """Return what a judge's answer to *question* would have to be; None where it is that."""
    if question.kind == "list":
        return None if value.order else f"a Preference of {question} has an order, best first"
    grades = {"pair": (-1, 0, 1), "graded": (-2, -1, 0, 1, 2), "score": tuple(range(1, 11))}
    if value.grade in grades[question.kind]:
        return None
    lowest, *_, highest = grades[question.kind]
    return f"a Preference of {question.kind} has a grade from {lowest} to {highest}"


def _is_string(asked: Typed) -> bool:
    """Whether the answer is a JSON string: a script's plain text then needs its quotes."""
    return asked.schema is not None and json.loads(asked.schema).get("type") == "string"
