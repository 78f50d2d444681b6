"""Names for a command-line tool: many ideas, two filters, a tournament, and the best three."""

import re

from commedia import Run, Thing, World, workflow
from commedia.patterns import distinct, generate, rank, verify_adversarially

PROMPT = "Name a command-line tool that {tool}. A name is one word of at most ten letters."
RUBRIC = """\
It can be the name of a command-line tool that {tool}. Refute it if it is the name of a program \
that many people have, if one who hears it cannot spell it, or if it promises something else."""
BEST = "fitness as the name of a command-line tool that {tool}: easy to remember, to say, to type"


@workflow
async def names(
    run: Run,
    tool: str = "puts texts in order by a quality that you name",
    count: int = 12,
    top: int = 3,
) -> list[str]:
    """Find names for a command-line tool.

    Args:
        tool: what the tool does, as the end of "a command-line tool that ..."
        count: how many names each of six agents thinks of
        top: how many names to return, the best first
    """
    with run.phase("Generate"):
        ideas = await generate(run, PROMPT.format(tool=tool), agents=6, count=count, about="names")
    with run.phase("Filter"):
        different = distinct(ideas.map(str.lower))
        typed = different.where([re.fullmatch("[a-z]{2,10}", name) for name in different])
        sound = await verify_adversarially(run, typed, RUBRIC.format(tool=tool))
    run.log(f"{len(ideas)} ideas, {len(different)} different, {len(typed)} can be typed with ease")
    with run.phase("Tournament"):
        ranked = await rank(run, sound, BEST.format(tool=tool))
    return ranked.best(sound, top)


# What is true where the agents are simulated: which names there are to think of, which of them
# hold up against the rubric, and how good each is (in logits). A real model never sees it.
GOOD = (
    "podium laurel rankle ladder pecking sieve tally crest prefer winnow gauge rung sortie "
    "verdict muster umpire jostle hustle align lineup queue stacker shuffle piler"
)
TAKEN = "sort order tsort column join comm"
CLUMSY = "text-ranking-tool rank2000 ai_sorter order.it"
WORLD = World(
    [
        *(Thing(name, pool="names", utility=4 - 0.35 * n) for n, name in enumerate(GOOD.split())),
        *(Thing(name, pool="names", utility=2, holds=False) for name in TAKEN.split()),
        *(Thing(name, pool="names", utility=2, holds=False) for name in CLUMSY.split()),
    ]
)
