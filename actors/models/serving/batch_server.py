"""The endpoints of message batches, over the same desk as those of messages."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .batches import Batch, Batches, Item
from .desk import Desk
from .errors import error_body, request_id
from .ledger import Entry
from .reading import MAX_BATCH_BYTES, read_body
from .refusing import struck_response
from .request import Body
from .sending import Course, Sent

PATH: Final = "/v1/messages/batches"
_AT_ONCE: Final = 100
"""So many requests are answered before others get a turn."""
_TICK_S: Final = 0.02
_DAY_S: Final = 86_400.0


class BatchServer:
    """Takes batches, and answers their requests as they fall due, while a server runs."""

    def __init__(self, desk: Desk, batches: Batches) -> None:
        self._desk, self._batches = desk, batches
        self._working = set[asyncio.Task[None]]()

    def routes(self) -> list[Route]:
        """Return where the endpoints are."""
        return [
            Route(PATH, self.create, methods=["POST"]),
            Route(PATH, self.listed, methods=["GET"]),
            Route(PATH + "/{name}", self.retrieve, methods=["GET"]),
            Route(PATH + "/{name}", self.delete, methods=["DELETE"]),
            Route(PATH + "/{name}/cancel", self.cancel, methods=["POST"]),
            Route(PATH + "/{name}/results", self.results, methods=["GET"]),
        ]

    async def create(self, request: HttpRequest) -> Response:
        """Answer `POST /v1/messages/batches`."""
        body = Body.parse(await read_body(request, MAX_BATCH_BYTES))
        entry = Entry(request_id(), digest=body.digest(None))
        strike = self._desk.strike(entry, on="batches")
        if strike is not None and not strike.is_charged:
            return struck_response(self._desk, entry, strike, on="batches")
        batch = self._batches.create(body.held, now=self._desk.time.now())
        self._desk.let_in(entry, on="batches")
        task = asyncio.get_running_loop().create_task(self._work(batch))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        if strike is not None:
            return Sent(Course(has_headers=False, hangs_up=True), self._desk.time, headers={})
        return self._json(self._described(batch, request))

    async def listed(self, request: HttpRequest) -> Response:
        """Answer `GET /v1/messages/batches`."""
        asked = request.query_params
        limit = asked.get("limit", "20")
        if not (limit.isdigit() and limit.isascii() and 1 <= int(limit) <= 1_000):
            raise HTTPException(400, "limit: a number from 1 to 1000 is required")
        found, has_more = self._batches.page(
            limit=int(limit), after=asked.get("after_id"), before=asked.get("before_id")
        )
        return self._json(
            {
                "data": [self._described(batch, request) for batch in found],
                "has_more": has_more,
                "first_id": found[0].id if found else None,
                "last_id": found[-1].id if found else None,
            }
        )

    async def retrieve(self, request: HttpRequest) -> Response:
        """Answer `GET /v1/messages/batches/{name}`."""
        return self._json(self._described(self._found(request), request))

    async def cancel(self, request: HttpRequest) -> Response:
        """Answer `POST /v1/messages/batches/{name}/cancel`."""
        batch = self._found(request)
        batch.cancel(self._desk.time.now())
        return self._json(self._described(batch, request))

    async def delete(self, request: HttpRequest) -> Response:
        """Answer `DELETE /v1/messages/batches/{name}`."""
        batch = self._found(request)
        self._batches.delete(batch.id, now=self._desk.time.now())
        return self._json({"id": batch.id, "type": "message_batch_deleted"})

    async def results(self, request: HttpRequest) -> Response:
        """Answer `GET /v1/messages/batches/{name}/results`."""
        batch = self._found(request)
        if not batch.has_ended(self._desk.time.now()):
            raise HTTPException(404, f"the batch {batch.id} has no results yet")
        lines = [
            json.dumps({"custom_id": custom_id, "result": result}) + "\n"
            for custom_id, result in batch.results()
        ]
        headers = {"request-id": request_id()}
        return Response("".join(lines), headers=headers, media_type="application/x-jsonl")

    async def _work(self, batch: Batch) -> None:
        """Answer the requests of *batch* as they fall due, until it has ended."""
        time = self._desk.time
        while not batch.has_ended(time.now()):
            self._answer_due(batch)
            await asyncio.sleep(_TICK_S if batch.is_early(time.now()) else 0.0)

    def _answer_due(self, batch: Batch) -> None:
        for item in batch.due(self._desk.time.now(), _AT_ONCE):
            item.result = self._answered(batch, item)

    def _answered(self, batch: Batch, item: Item) -> dict[str, Any]:
        """Return the result of a request, charged as it comes to be."""
        body = Body.of(item.params)
        entry = Entry(request_id(), custom_id=item.custom_id, batch=batch.id)
        entry.digest = body.digest(item.spec)
        strike = self._desk.strike(entry, on="batch_items")
        try:
            if strike is not None:
                raise HTTPException(strike.status or 500, strike.rule.message)
            posted = body.checked()
            entry.model = posted.model
            message, _ = self._desk.accept(entry, posted, item.spec, is_limited=False)
            message["usage"]["service_tier"] = "batch"
            entry.status = 200
            result = {"type": "succeeded", "message": message}
        except HTTPException as error:
            entry.status = error.status_code
            why = error_body(error.status_code, str(error.detail), entry.id)
            result = {"type": "errored", "error": why}
        self._desk.let_in(entry, on="batch_items")
        self._desk.ledger.write(entry)
        return result

    def _found(self, request: HttpRequest) -> Batch:
        return self._batches.find(request.path_params["name"])

    def _described(self, batch: Batch, request: HttpRequest) -> dict[str, Any]:
        return dict(self._description(batch, str(request.base_url).rstrip("/")))

    def _description(self, batch: Batch, base_url: str) -> Iterator[tuple[str, Any]]:
        time = self._desk.time
        now = time.now()
        has_ended, cancelled_at = batch.has_ended(now), batch.cancelled_at
        yield from (("id", batch.id), ("type", "message_batch"))
        yield "processing_status", batch.status(now)
        yield "request_counts", batch.counts(now)
        yield "created_at", time.stamp(batch.created_at - now)
        yield "expires_at", time.stamp(batch.created_at - now + _DAY_S * time.scale)
        yield "ended_at", time.stamp(batch.ends_at - now) if has_ended else None
        cancelled = None if cancelled_at is None else time.stamp(cancelled_at - now)
        yield "cancel_initiated_at", cancelled
        yield "archived_at", None
        yield "results_url", f"{base_url}{PATH}/{batch.id}/results" if has_ended else None

    def _json(self, body: dict[str, Any]) -> Response:
        return JSONResponse(body, headers={"request-id": request_id()})
