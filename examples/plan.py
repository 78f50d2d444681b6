"""A business plan before three critical readers: each objection is checked, then one review."""

from functools import partial
from pathlib import Path

from pydantic import BaseModel

from commedia import Run, Thing, World, workflow
from commedia.patterns import synthesize, verify_adversarially

READERS = {
    "investor": "who asks whether the money adds up, how far it carries, and what would end it",
    "customer": "who would have to pay for it, and to live with it every day",
    "competitor": "who wants to copy it, or to make it pointless",
}
PROMPT = """\
You are the {reader}, {who}. Read the business plan below and say what is wrong with it, as the \
{reader} sees it: each weakness in one sentence, with what in the plan shows it.

<plan>
{plan}
</plan>"""
RUBRIC = """\
It is a weakness of the business plan below. Refute it if the plan does not say what it is said to \
say, or answers it in another place, or if it could be said of any plan.

<plan>
{plan}
</plan>"""
REVIEW = """\
Write one review of a business plan for its authors, from what its readers object to: a list of \
points, the most dangerous first, each with what to change. Merge objections that are the same."""


class Review(BaseModel):
    """What each reader objects to, and a review made of it.

    *doubted* is what verifiers refuted, or could not check: it is not in the review, and not lost.
    *silent* are readers who had no answer.
    """

    objections: dict[str, list[str]]
    doubted: dict[str, list[str]]
    silent: list[str]
    review: list[str]


@workflow
async def plan(
    run: Run, file: Path = Path(__file__).with_name("plan.md"), votes: int = 3
) -> Review:
    """Have a business plan criticised by an investor, a customer and a competitor.

    Args:
        file: the plan, a text
        votes: how many verifiers try to refute each objection
    """
    text, readers = file.read_text(encoding="utf-8"), list(READERS)

    async def criticise(reader: str) -> tuple[list[str], list[str]]:
        prompt = PROMPT.format(reader=reader, who=READERS[reader], plan=text)
        said = await run.work(prompt, output=list[str], task="find", about=reader)
        sound = await verify_adversarially(run, said, RUBRIC.format(plan=text), votes=votes)
        return list(sound), [claim for claim in said if claim not in sound]

    with run.phase("Criticise"):  # a reader's objections are checked while another still reads
        answers = await run.parallel([partial(criticise, reader) for reader in readers])
    heard = dict(zip(readers, answers, strict=True))  # None: a reader without an answer
    objections = {reader: found[0] for reader, found in heard.items() if found}
    doubted = {reader: found[1] for reader, found in heard.items() if found}
    silent = [reader for reader, found in heard.items() if not found]

    with run.phase("Review"):
        items = [f"{reader}: {claim}" for reader, sound in objections.items() for claim in sound]
        review = await synthesize(run, items, REVIEW, output=list[str])
    return Review(objections=objections, doubted=doubted, silent=silent, review=review)


# What is true of plan.md where the readers are simulated: what each can find, and what only looks
# like a weakness, because the plan has an answer. A real model never sees it.
PLANTED = {
    "investor": [
        "Each shop costs 14 euros a month and pays 9: the more shops, the larger the loss.",
        "The money lasts eight months, and the first shops pay in month ten.",
        "6,000 shops in two years, by word of mouth: more than one in four, without any selling.",
        "Growth hangs on Brandt & Co., who have signed nothing, and wait for a contract.",
    ],
    "customer": [
        "Sixty shelves, twice a day: counting takes longer than writing the order by hand.",
        "The app needs a connection while it counts; storerooms and cellars have none.",
        "Who cancels loses all counts: nothing can be taken along.",
        "What is sold between two counts is not seen, because there is no link to the till.",
    ],
    "competitor": [
        "Counting and forecast are free parts: a wholesaler's portal can have both in a month.",
        "Makers of tills know each sale of 15,000 shops, and can give the forecast away.",
        "A free first year is a war of prices against firms that can wait longer.",
        "Jo Lind builds at night what the employer does by day, and may have to hand it over.",
    ],
}
ANSWERED = {
    "investor": ["The plan does not say what the money is for.", "Nobody knows who holds what."],
    "customer": ["One has to pay before one can try it.", "The wholesaler cannot read the orders."],
    "competitor": ["The name is free to be taken.", "Nobody in the team has ever run a shop."],
}
WORLD = World(
    [
        *(Thing(c, pool=r, detectability=0.9) for r, claims in PLANTED.items() for c in claims),
        *(Thing(c, pool=r, holds=False) for r, claims in ANSWERED.items() for c in claims),
    ]
)
