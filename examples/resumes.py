"""Resumes in order of their fit: you give the rubric, judges rank, verifiers check the best ten."""

import json
from pathlib import Path

from pydantic import BaseModel

from commedia import Run, Thing, World, workflow
from commedia.patterns import poll, rank

FILE = Path(__file__).with_suffix(".jsonl")
QUESTION = "We look for a backend engineer for a parcel firm. What must one have, and what counts?"
RUBRIC = """\
Must have: three years of Python in production, has run a database, takes part in on-call duty. \
Counts: message queues, has led a migration, explains well."""
FIT = "fit for the job by this rubric: {rubric}"
CHECK = """\
Whoever wrote this resume fits the job. Refute it if the resume lacks what one must have, or if \
what it says cannot all be true. The rubric: {rubric}"""


class Doubt(BaseModel):
    """A resume that ranked high and was turned down, and why."""

    id: str
    why: list[str]


class Shortlist(BaseModel):
    """Who is to be invited, the best first; who was turned down; and the rubric that said so.

    *unchecked* are ids of whom no verifier said anything: not invited, and not turned down.
    """

    rubric: str
    invited: list[str]
    doubted: list[Doubt]
    unchecked: list[str]


@workflow
async def resumes(run: Run, file: Path = FILE, top: int = 10, votes: int = 3) -> Shortlist:
    """Rank resumes by your rubric, and double-check the best of them.

    Args:
        file: JSON lines, each with an id and a text
        top: how many to invite
        votes: how many verifiers look at each resume that would be invited
    """
    people = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [person["text"] for person in people]
    rubric = await run.ask(QUESTION, default=RUBRIC)
    with run.phase("Rank"):
        waiting = (await rank(run, texts, FIT.format(rubric=rubric))).order

    found = Shortlist(rubric=rubric, invited=[], doubted=[], unchecked=[])
    while waiting and (wanted := top - len(found.invited)):
        best, waiting = waiting[:wanted], waiting[wanted:]
        with run.phase("Double-check"):  # whoever is turned down makes room for the next
            claims, check = [texts[place] for place in best], CHECK.format(rubric=rubric)
            polls = await poll(run, claims, check, votes=votes)
        for place, checked in zip(best, polls, strict=True):
            name, is_upheld = people[place]["id"], checked.upheld()
            if is_upheld is None:  # all its verifiers failed
                found.unchecked.append(name)
            elif is_upheld:
                found.invited.append(name)
            else:
                against = [v for v in checked.verdicts if not (v.upheld or v.abstained)]
                found.doubted.append(Doubt(id=name, why=[v.reason for v in against]))
    return found


# What is true of resumes.jsonl where the agents are simulated. *fit* is how well one fits in truth,
# from 0 to 100; *seems* how it reads to a judge, where that is not the same. A judge sees what
# seems, a verifier finds out what is. A real model never sees either.
PEOPLE = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
WORLD = World(
    Thing(
        each["id"],
        text=each["text"],
        utility=each.get("seems", each["fit"]) / 10,
        holds=each["fit"] >= 50,
    )
    for each in PEOPLE
)
