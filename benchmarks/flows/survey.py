"""Work and verify side by side, in phases: most of what people write."""

from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ...supervisor.run import Run
from ...supervisor.workflow import workflow

LENSES = ("arithmetic", "sources", "wording")


class Finding(BaseModel):
    """What a worker found about one topic."""

    model_config = ConfigDict(frozen=True)

    claim: str
    weight: Literal["high", "low"]


class Survey(BaseModel):
    """What a survey came to, topic by topic: the claim, and how many verifiers upheld it."""

    model_config = ConfigDict(frozen=True)

    upheld: dict[str, int]
    claims: dict[str, str]
    summary: str


@workflow
async def survey(run: Run, topics: int = 12) -> Survey:
    """Find a claim for each of so many topics, check each through three lenses, and sum up."""
    names = [f"topic {number}" for number in range(topics)]
    with run.phase("Find"):
        found = await run.parallel([partial(_find, run, name) for name in names])
    with run.phase("Verify"):
        upheld = await run.parallel(
            [partial(_votes, run, name, each) for name, each in zip(names, found, strict=True)]
        )
    claims = {name: each.claim for name, each in zip(names, found, strict=True) if each}
    votes = {name: count or 0 for name, count in zip(names, upheld, strict=True)}
    with run.phase("Report"):
        summary = await run.work(f"Sum these up: {claims} with votes {votes}")
    return Survey(upheld=votes, claims=claims, summary=summary)


async def _find(run: Run, name: str) -> Finding:
    return await run.work(f"Find one claim about {name}.", output=Finding)


async def _votes(run: Run, name: str, finding: Finding | None) -> int:
    if finding is None:
        return 0
    verdicts = await run.parallel(
        [partial(run.verify, finding, f"true of {name}", lens=lens) for lens in LENSES]
    )
    return sum(verdict is not None and verdict.upheld for verdict in verdicts)
