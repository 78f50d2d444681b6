"""Through the real SDK: the gateway answers as the judge does, and keeps the key to itself."""

import asyncio
import io
import json
import pickle
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from gateways import Here, ask, report, requests, send

from commedia.actors.clock import WallClock
from commedia.actors.messages import HandOver, ModelSpec
from commedia.actors.models.loopback import loopback
from commedia.actors.models.serving import World, serve_app
from commedia.actors.questions import Question
from commedia.actors.simulation.judge import Bench, JudgeProfile
from commedia.actors.simulation.keyed import text_keys
from commedia.supervisor.budget import Budget
from commedia.supervisor.gateway import Drain, Gateway

KEY = "sk-test-5c1e7"


def specs(shown: np.ndarray, ids: list[str], task: str) -> list[str]:
    fixed = {"role": "judge", "task": task, "by": "severity", "variant": "", "repeat": 0}
    return [json.dumps({**fixed, "items": [ids[item] for item in row]}) for row in shown]


def through_http(
    work: Callable[[Gateway, io.StringIO], Awaitable[None]], budget: str, *, key: str = KEY
) -> None:
    async def run(url: str) -> None:
        model = ModelSpec(name="claude-haiku-5-5", base_url=url)
        gateway = Gateway(model, Budget.parse(budget))
        await gateway.on_start(Here(WallClock()))
        await send(gateway, HandOver(key=key))
        await work(gateway, log)
        await gateway.on_stop()

    log = io.StringIO()
    with loopback(serve_app(World(JudgeProfile(), 3, UTILITY), log=log)) as url:
        asyncio.run(run(url))


UTILITY = {f"item {row}": row / 7 for row in range(30)}


@pytest.mark.parametrize("task", ["pair", "graded", "list:6"])
def test_through_http_a_world_answers_as_the_direct_judge_does(task: str) -> None:
    question = Question.parse(task)
    rng = np.random.default_rng(1)
    shown = np.array([rng.permutation(30)[: question.size] for _ in range(40)])
    bench = Bench(
        JudgeProfile(), 3, "severity", np.array(list(UTILITY.values())), text_keys(list(UTILITY))
    )
    direct = bench.answer(question, shown)

    async def work(gateway: Gateway, log: io.StringIO) -> None:
        asked = requests(40, task=task, specs=specs(shown, list(UTILITY), task))
        replies = await ask(gateway, asked)
        spending = await report(gateway)
        column = "order" if question.kind == "list" else "grade"

        assert [reply[column] for reply in replies] == direct.tolist()
        assert spending.is_simulated and spending.declared is not None
        assert spending.declared["persistent_share"] == 0.5
        assert spending.served_models == ("claude-haiku-5-5",)
        assert spending.cost_nanousd == sum(reply["cost_nanousd"] for reply in replies)

    through_http(work, "1usd")


def test_the_servers_own_log_stays_below_the_cap() -> None:
    async def work(gateway: Gateway, log: io.StringIO) -> None:
        replies = await ask(gateway, requests(400))
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        used = sum(sum(line["usage"].values()) for line in lines)
        statuses = [reply["status"] for reply in replies]

        assert used <= 3000
        assert used == (await report(gateway)).tokens
        assert len(lines) == statuses.count("ok")
        assert statuses.count("over_budget") == 400 - len(lines) > 0

    through_http(work, "3k")


def test_an_ask_before_the_key_waits_for_it() -> None:
    async def run(url: str) -> None:
        gateway = Gateway(ModelSpec(name="claude-haiku-5-5", base_url=url), Budget.parse("1M"))
        await gateway.on_start(Here(WallClock()))
        asking = asyncio.ensure_future(ask(gateway, requests(2)))
        await asyncio.sleep(0)
        assert not asking.done()
        await send(gateway, HandOver(key=None))

        assert [reply["status"] for reply in await asking] == ["ok", "ok"]
        await gateway.on_stop()

    with loopback(serve_app(World(JudgeProfile(), 3, UTILITY))) as url:
        asyncio.run(run(url))


def test_an_ask_before_the_key_ends_when_the_gateway_is_drained() -> None:
    async def run() -> list[str]:
        gateway = Gateway(ModelSpec(name="claude-haiku-5-5"), Budget.parse("1M"))
        await gateway.on_start(Here(WallClock()))
        asking = asyncio.ensure_future(ask(gateway, requests(2)))
        await asyncio.sleep(0)
        await send(gateway, Drain())
        replies = await asyncio.wait_for(asking, 10)
        await gateway.on_stop()
        return [reply["status"] for reply in replies]

    assert asyncio.run(run()) == ["cancelled", "cancelled"]


def test_the_key_is_nowhere_to_be_read() -> None:
    async def work(gateway: Gateway, log: io.StringIO) -> None:
        replies = await ask(gateway, requests(3))
        shown = [repr(replies), repr(gateway), str(gateway), repr(await report(gateway))]
        shown += [repr(vars(gateway)), repr(HandOver(key=KEY)), str(HandOver(key=KEY))]

        assert not any(KEY in text for text in shown)
        assert KEY not in log.getvalue()

    fresh = Gateway(ModelSpec(name="claude-haiku-5-5"), Budget.parse("1M"))
    assert KEY.encode() not in pickle.dumps(fresh)
    through_http(work, "1M")
