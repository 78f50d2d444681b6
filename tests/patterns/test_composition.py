"""All six patterns in one workflow, on both runtimes, against a world whose truth is known."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from commedia.actors.simulation.world import Thing, World
from commedia.patterns import (
    Labelled,
    NoneLeft,
    Rounds,
    act,
    classify,
    fan_out,
    generate,
    keep_best,
    loop_until,
    pick_winner,
    rank,
    synthesize,
    verify_adversarially,
)
from commedia.patterns.loop_until_done import Round
from commedia.session import Session
from commedia.supervisor.results import Results
from commedia.supervisor.run import Run

Kind = Literal["inline", "ray"]
Label = Literal["bug", "wish"]
CAUSES = ("cache", "queue", "disk")


class Report(BaseModel):
    """What the workflow came to."""

    bugs: list[str]
    causes: list[str]
    plan: str
    probability: float
    summary: list[str]
    wishes: list[str]


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Each runtime in turn; on Ray, the session joins the one that all tests share."""
    if request.param == "ray":
        request.getfixturevalue("shared_ray")
    yield request.param


def truth() -> World:
    tickets = [Thing(f"ticket {n}", truth="bug" if n % 2 else "wish", utility=n) for n in range(12)]
    bugs = [Thing(f"{n} is broken", pool="code", detectability=0.8) for n in "abcdefgh"]
    traps = [Thing(f"{n} looks broken", pool="code", holds=False) for n in "xyz"]
    causes = [Thing(f"Why? Look at the {c}.", truth=f"the {c} is cold") for c in CAUSES]
    claims = [Thing(f"the {c} is cold", holds=c == "disk") for c in CAUSES]
    ideas = [Thing(f"idea {n}", pool="ideas", holds=n % 2 == 0, utility=n / 3) for n in range(60)]
    plans = [Thing(f"p{n}", truth=f"plan {n}") for n in range(3)]
    texts = [Thing(f"t{n}", text=f"plan {n}", utility=4.0 * n) for n in range(3)]
    return World([*tickets, *bugs, *traps, *causes, *claims, *ideas, *plans, *texts])


async def triage(run: Run) -> Report:
    """Classify tickets, hunt bugs, find causes, and plan: every pattern, each with a purpose."""
    with run.phase("Classify"):
        tickets = [f"ticket {n}" for n in range(12)]
        labelled = await classify(run, tickets, {"bug": "it is broken", "wish": "it is wanted"})
    with run.phase("Act"):
        acted = await act(run, labelled, {"bug": _hunted(run), "wish": _noted})
    bugs = sorted({bug for found in acted for bug in found if "broken" in bug})
    wishes = [each.item for each in labelled if each.label == "wish"]
    with run.phase("Causes"):
        why = await fan_out(run, [f"Why? Look at the {cause}." for cause in CAUSES])
        causes = await verify_adversarially(run, why, "Its evidence rules out its rivals.")
    with run.phase("Ideas"):
        ideas = await generate(run, "How to mend it?", agents=3, about="ideas", count=6)
        best = await keep_best(run, ideas, "It would work.", top=3, by="useful")
    with run.phase("Plan"):
        ways = ("fast", "slow", "safe")
        plan = await pick_winner(run, "Plan.", ways, "sense", topics=["p0", "p1", "p2"])
        order = await rank(run, wishes, "need")
    items = [*bugs, *causes, *best]
    summary = await synthesize(run, items, "List what is to be done.", output=list[str])
    return Report(
        bugs=bugs,
        causes=list(causes),
        plan=plan.value,
        probability=plan.probability,
        summary=summary,
        wishes=[wishes[place] for place in order.order],
    )


def _hunted(run: Run) -> Any:
    async def hunt(ticket: str) -> Sequence[str]:
        async def step(now: Round[str]) -> list[str]:
            return await run.work(
                f"Find what {ticket} is about.",
                output=list[str],
                task="find",
                about="code",
                repeat=int(ticket.split()[1]),
                variant=now.variant,
            )

        async def confirm(new: Sequence[str]) -> Results[str]:
            return await verify_adversarially(run, new, "It is broken.", votes=1)

        return await loop_until(run, step, until=[NoneLeft(), Rounds(4)], confirm=confirm)

    return hunt


async def _noted(ticket: str) -> Sequence[str]:
    return [f"{ticket} is noted"]


REPORTS: dict[str, Report] = {}


def test_six_patterns_make_one_workflow_whose_result_is_true(kind: Kind) -> None:
    with Session(model="sim:ideal", runtime=kind, world=truth(), hosts=2) as session:
        result = session.run(triage)
    report = result.value

    assert result.status == "completed"
    assert report.bugs == [f"{n} is broken" for n in "abcdefgh"]
    assert report.causes == ["the disk is cold"]
    assert (report.plan, report.probability > 0.7) == ("plan 2", True)
    assert set(report.summary) > {"the disk is cold", *report.bugs}
    assert set(report.wishes) == {f"ticket {n}" for n in range(0, 12, 2)}
    assert REPORTS.setdefault("ideal", report) == report  # the runtime changes nothing


def test_six_patterns_survive_a_fallible_model() -> None:
    """A haiku errs everywhere; the workflow ends, and the counts say what is missing."""
    with Session(model="sim:haiku", runtime="inline", world=truth(), seed=5) as session:
        result = session.run(triage)

    assert result.status in ("completed", "degraded")
    assert result.agents > 60
    labelled = Labelled("x", "bug")
    assert (labelled.item, labelled.label) == ("x", "bug")
