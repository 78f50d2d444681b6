"""A bracket that dies is built again from what it was told, on every runtime."""

import asyncio

import numpy as np
import pyarrow as pa
import pytest

from commedia.actors.actor import Envelope, Ref
from commedia.actors.bracket import AskStanding, Bracket
from commedia.actors.errors import ActorDiedError, RunFailedError
from commedia.actors.questions import Question
from commedia.actors.tables import OUTCOMES
from commedia.patterns.ranking.engine import PosteriorRanking
from commedia.supervisor.children import ChildSpec, Intensity, RestartPolicy
from commedia.supervisor.nursery import Nursery
from commedia.supervisor.runtime.base import Runtime, one_reply
from commedia.supervisor.tournament import Tournament


def outcomes(matches: pa.RecordBatch) -> pa.RecordBatch:
    """Answer *matches*: the item with the higher number has more."""
    shown = matches.column("shown").to_pylist()
    grades = [int(np.sign(a - b)) for a, b in shown]
    nothing = [None] * len(shown)
    columns = [*matches.columns, ["ok"] * len(shown), grades, nothing]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, OUTCOMES, strict=True)]
    return pa.record_batch(arrays, schema=OUTCOMES)


async def played(runtime: Runtime, *, kill_after: int | None) -> pa.RecordBatch:
    """Return the standing after six rounds; the bracket is killed after one of them."""
    nursery = Nursery(runtime, RestartPolicy(Intensity()), runtime.clock)
    tournament = Tournament(nursery, PosteriorRanking(30, Question("pair"), seed=3))
    for number in range(6):
        matches = await tournament.next_matches(40)
        if number == kill_after:
            runtime.kill((await tournament.bracket()).ref)
        await tournament.record(outcomes(matches))
    standing, _ = await tournament.standing()
    assert len(nursery.deaths) == (0 if kill_after is None else 1)
    await tournament.close()
    return standing


def test_a_bracket_that_lived_before_the_first_round_knows_of_it(runtime: Runtime) -> None:
    async def rounds() -> tuple[int, int]:
        nursery = Nursery(runtime, RestartPolicy(Intensity()), runtime.clock)
        tournament = Tournament(nursery, PosteriorRanking(30, Question("pair"), seed=3))
        await tournament.standing()
        matches = await tournament.next_matches(40)
        progress = await tournament.record(outcomes(matches))
        await tournament.close()
        return progress.rounds, progress.asked

    assert asyncio.run(rounds()) == (1, 40)


def test_a_child_that_cannot_be_prepared_is_not_kept(runtime: Runtime) -> None:
    refs: list[Ref] = []

    async def refuse(ref: Ref) -> None:
        refs.append(ref)
        raise RunFailedError("it cannot be told")

    async def start() -> None:
        nursery = Nursery(runtime, RestartPolicy(Intensity()), runtime.clock)
        spec = ChildSpec("bracket", lambda: Bracket(PosteriorRanking(3, Question("pair"))))
        with pytest.raises(RunFailedError, match="told"):
            await nursery.start(spec, refuse)
        with pytest.raises(ActorDiedError):
            await one_reply(runtime.ask(refs[0], Envelope(AskStanding())))
        await nursery.stop_all()

    asyncio.run(start())


def test_a_waiter_that_leaves_does_not_take_the_bracket_along(runtime: Runtime) -> None:
    async def played() -> int:
        nursery = Nursery(runtime, RestartPolicy(Intensity()), runtime.clock)
        tournament = Tournament(nursery, PosteriorRanking(30, Question("pair"), seed=3))
        waiter = asyncio.ensure_future(tournament.standing())
        await asyncio.sleep(0)
        waiter.cancel()
        matches = await tournament.next_matches(40)
        progress = await tournament.record(outcomes(matches))
        await tournament.close()
        return progress.asked

    assert asyncio.run(played()) == 40


def test_a_new_bracket_stands_where_the_old_one_stood(runtime: Runtime) -> None:
    whole = asyncio.run(played(runtime, kill_after=None))
    killed = asyncio.run(played(runtime, kill_after=3))

    assert killed.equals(whole)
