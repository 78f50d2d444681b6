"""A pipeline with steps that no model takes: tools, waits, time, randomness, a nested workflow."""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ...supervisor.run import Run
from ...supervisor.workflow import workflow

TOOL_LOG = "COMMEDIA_TOOL_LOG"
"""Names the file to which each call of a tool appends a line."""


class Label(BaseModel):
    """What a ticket is."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["bug", "wish", "noise"]
    area: str


def fetch(ticket: int) -> dict[str, int | str]:
    """Fetch *ticket*, and leave a line that says so: what a resumed run must not do again."""
    if log := os.environ.get(TOOL_LOG):
        with Path(log).open("a", encoding="ascii") as file:
            file.write(f"{ticket}\n")
    return {"ticket": ticket, "text": f"The {ticket}th thing is broken in part {ticket % 7}."}


@workflow
async def second_look(run: Run, label: Label, ticket: int) -> str:
    """Look at a ticket again, and say what to do."""
    verdict = await run.verify(label, f"fits ticket {ticket}")
    return await run.work(f"What is to be done about ticket {ticket}, {label}, {verdict.verdict}?")


@workflow
async def triage(run: Run, tickets: int = 16) -> dict[str, list[str]]:
    """Send each ticket through fetching, labelling, and a second look at some of them."""

    async def labelled(ticket: int) -> tuple[int, Label]:
        began = run.now()
        fetched = await run.tool(fetch, ticket=ticket)
        await run.sleep(0.02 * run.random.random())
        is_later = run.now() > began
        told = f"Draw {run.random.random():.6f}, later {is_later}: label {fetched['text']}"
        return ticket, await run.work(told, output=Label)

    async def looked(pair: tuple[int, Label]) -> tuple[str, str]:
        ticket, label = pair
        if label.kind == "noise":
            return label.kind, f"{ticket}: {label.area}"
        return label.kind, await run.workflow(second_look, label, ticket)

    ends: list[tuple[str, str] | None] = await run.pipeline(range(tickets), labelled, looked)
    sorted_out: dict[str, list[str]] = {"bug": [], "wish": [], "noise": []}
    for end in ends:
        if end is not None:
            sorted_out[end[0]].append(end[1])
    return sorted_out
