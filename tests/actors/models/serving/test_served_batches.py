"""Message batches: each request is done once, charged once, and has one result."""

import base64
import json
import time
from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import Server, served
from starlette.exceptions import HTTPException

from commedia.actors.models.serving.batches import Batch, Batches
from commedia.actors.models.serving.timing import ServedTime

PARAMS: dict[str, Any] = {
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Which is worse?"}],
    "model": "claude-haiku-5-5",
}


def body(*names: str) -> dict[str, Any]:
    return {"requests": [{"custom_id": name, "params": PARAMS} for name in names]}


def settle(batch: Batch, now: float, *, most: int = 1_000) -> list[str]:
    done = []
    for item in batch.due(now, most):
        item.result = {"type": "succeeded"}
        done.append(item.custom_id)
    return done


@given(
    st.integers(1, 60), st.lists(st.floats(0.0, 3.0), max_size=12), st.integers(0, 12) | st.none()
)
def test_every_request_is_done_once_or_cancelled(
    count: int, gaps: list[float], cancelled: int | None
) -> None:
    names = [f"r{n}" for n in range(count)]
    batch = Batches(10.0).create(body(*names), now=0.0)
    now, done = 0.0, list[str]()
    for step, gap in enumerate(gaps):
        now += gap
        if step == cancelled:
            batch.cancel(now)
        done += settle(batch, now, most=7)
        counts = batch.counts(now)
        assert sum(counts.values()) == count
    now += 20.0
    late = settle(batch, now)
    counts = batch.counts(now)

    assert batch.status(now) == "ended"
    assert len(set(done + late)) == len(done + late) == counts["succeeded"]
    assert counts["succeeded"] + counts["canceled"] == count
    assert [name for name, _ in batch.results()] != [] and counts["processing"] == 0
    if batch.cancelled_at is None:
        assert counts["canceled"] == 0


def test_nothing_is_counted_before_the_batch_has_ended() -> None:
    batch = Batches(10.0).create(body("a", "b"), now=0.0)
    settle(batch, 9.999)

    assert batch.counts(9.999)["processing"] == 2 and batch.status(9.999) == "in_progress"
    batch.cancel(9.0)
    assert batch.status(9.0) == "canceling"


def test_batches_are_listed_page_by_page_the_newest_first() -> None:
    batches = Batches(1.0)
    names = [batches.create(body("a"), now=float(n)).id for n in range(5)][::-1]
    page, more = batches.page(limit=2, after=None, before=None)
    rest, last = batches.page(limit=9, after=page[-1].id, before=None)
    back, _ = batches.page(limit=1, after=None, before=names[2])

    assert [b.id for b in page] == names[:2] and more
    assert [b.id for b in rest] == names[2:] and not last
    assert [b.id for b in back] == names[1:2]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "a list of 1 to"),
        ({"requests": []}, "a list of 1 to"),
        ({"requests": [{"custom_id": "a b", "params": {}}]}, "requests.0.custom_id"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params"),
        (body("a", "a"), "requests.1.custom_id: a is there already"),
    ],
)
def test_a_batch_that_is_none_is_refused(given: Any, says: str) -> None:
    with pytest.raises(HTTPException, match=says):
        Batches(1.0).create(given, now=0.0)


def client(server: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)


def ended(sdk: anthropic.Anthropic, name: str) -> Any:
    """Return the batch *name* once it has ended: a client can only ask."""
    while True:
        batch = sdk.messages.batches.retrieve(name)
        if batch.processing_status == "ended":
            return batch
        time.sleep(0.01)


def test_the_sdk_gets_every_result_by_its_custom_id() -> None:
    """A request that cannot be used is errored; the rest is answered and charged as by itself."""
    names = [f"r{n}" for n in range(30)]
    requests: list[Any] = body(*names)["requests"]
    requests.append({"custom_id": "bad", "params": {**PARAMS, "max_tokens": 0}})
    with served(batch_s=0.2) as server, client(server) as sdk:
        created = sdk.messages.batches.create(requests=requests)
        batch = ended(sdk, created.id)
        results = {r.custom_id: r.result for r in sdk.messages.batches.results(created.id)}
        order = [r.custom_id for r in sdk.messages.batches.results(created.id)]
        single = sdk.messages.create(**PARAMS)
        lines = server.lines

    assert created.processing_status == "in_progress"
    assert batch.request_counts.succeeded == 30 and batch.request_counts.errored == 1
    assert set(results) == {*names, "bad"} and order != [*names, "bad"]
    good, bad = results["r7"], results["bad"]
    assert good.type == "succeeded" and good.message.content == single.content
    assert good.message.usage.service_tier == "batch"
    assert bad.type == "errored" and bad.error.error.type == "invalid_request_error"
    by_name = {line.get("custom_id"): line for line in lines}
    assert [line["charged"] for line in lines].count(True) == 31
    assert by_name["bad"]["status"] == 400 and not by_name["bad"]["charged"]
    assert by_name["r3"]["batch"] == created.id
    assert by_name["r3"]["digest"] == by_name[None]["digest"]


def test_a_batch_is_listed_cancelled_and_deleted() -> None:
    with served(batch_s=600.0) as server, client(server) as sdk:
        first = sdk.messages.batches.create(requests=body("a")["requests"])
        second = sdk.messages.batches.create(requests=body("b", "c")["requests"])
        listed = [batch.id for batch in sdk.messages.batches.list(limit=1)]
        with pytest.raises(anthropic.BadRequestError, match="being processed"):
            sdk.messages.batches.delete(second.id)
        with pytest.raises(anthropic.AnthropicError, match="results_url"):
            sdk.messages.batches.results(second.id)
        cancelled = sdk.messages.batches.cancel(second.id)

    assert listed == [second.id, first.id]
    assert cancelled.processing_status == "canceling" and cancelled.cancel_initiated_at
    assert cancelled.request_counts.processing == 2


def test_what_is_cancelled_is_not_charged_and_can_be_deleted() -> None:
    with (
        served(batch_s=600.0, time=ServedTime(scale=1_000.0)) as server,
        client(server) as sdk,
    ):
        made = sdk.messages.batches.create(
            requests=body(*(f"r{n}" for n in range(200)))["requests"]
        )
        sdk.messages.batches.cancel(made.id)
        counts = ended(sdk, made.id).request_counts
        kinds = [r.result.type for r in sdk.messages.batches.results(made.id)]
        assert sdk.messages.batches.delete(made.id).type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            sdk.messages.batches.retrieve(made.id)
        charged = [line["charged"] for line in server.lines].count(True)

    assert counts.canceled > 0 and counts.canceled + counts.succeeded == 200
    assert kinds.count("succeeded") == counts.succeeded == charged


def test_a_batch_whose_reply_is_lost_is_found_in_the_list() -> None:
    rules: list[dict[str, Any]] = [
        {"fault": "drop_before", "on": "batches", "to_request": 1},
        {"fault": "drop_after", "on": "batches", "to_request": 2},
        {"fault": "500", "on": "batch_items", "share": 0.5},
    ]
    names = [f"r{n}" for n in range(40)]
    with served(*rules, batch_s=0.05) as server, client(server) as sdk:
        for expected in (0, 1):
            with pytest.raises(anthropic.APIConnectionError):
                sdk.messages.batches.create(requests=body(*names)["requests"])
            found = list(sdk.messages.batches.list())
            assert len(found) == expected
        counts = ended(sdk, found[0].id).request_counts
        charged = [line["charged"] for line in server.lines].count(True)

    assert counts.errored + counts.succeeded == 40 and charged == counts.succeeded
    assert 0 < counts.errored < 40


def test_a_batch_carries_call_specs_beside_its_requests() -> None:
    """A spec that cannot be used is refused for its own request alone."""
    spec = base64.b64encode(json.dumps({"role": "judge", "task": "essay"}).encode()).decode()
    requests = body("plain", "spec")["requests"]
    requests[1]["commedia-call-spec"] = spec
    with served(batch_s=0.0) as server, client(server) as sdk:
        made = sdk.messages.batches.create(requests=requests)
        ended(sdk, made.id)
        results = {r.custom_id: r.result.type for r in sdk.messages.batches.results(made.id)}

    assert results == {"plain": "succeeded", "spec": "errored"}
