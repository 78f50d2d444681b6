"""Generate and filter: more ideas than are needed, in different ways; then the best of them.

When: many answers are possible, and a good one is easier to recognise than to make. Not when: there
is one right answer (then verify it), or the rubric cannot tell ideas apart.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar, Unpack, overload

from ..actors.errors import UsageError
from ..actors.questions import Question
from ..supervisor.agents import AgentOptions
from ..supervisor.results import Results
from ..supervisor.run import Run
from .adversarial_verification import LENSES, Rule, verify_adversarially
from .duplicates import NEAR, Seen
from .items import Topics, filled, words_of
from .tournament import rank

T = TypeVar("T")

VARIANT: Final = "ideas-1"
COUNT: Final = 5

PROMPT: Final = """\
{prompt}

Give {count} different answers. {way}
"""
WAYS: Final = (
    "Give those that you hold to be the best.",
    "Give those that most people would not think of.",
    "Give the simplest and cheapest ones.",
    "Begin from what would have to be true, and work backwards.",
    "Take what works in a field far from this one.",
    "Turn each usual assumption around.",
)
"""How generators go about it, the first one in the first way."""


@overload
async def generate(
    run: Run,
    prompt: str,
    *,
    agents: int = 4,
    ways: Sequence[str] = WAYS,
    **options: Unpack[AgentOptions],
) -> Results[str]: ...
@overload
async def generate(
    run: Run,
    prompt: str,
    *,
    output: type[T],
    agents: int = 4,
    ways: Sequence[str] = WAYS,
    **options: Unpack[AgentOptions],
) -> Results[T]: ...
@overload
async def generate(
    run: Run,
    prompt: str,
    *,
    output: Any = None,
    agents: int = 4,
    ways: Sequence[str] = WAYS,
    **options: Unpack[AgentOptions],
) -> Results[Any]: ...
async def generate(
    run: Run,
    prompt: str,
    *,
    output: Any = None,
    agents: int = 4,
    ways: Sequence[str] = WAYS,
    **options: Unpack[AgentOptions],
) -> Results[Any]:
    """Have *agents* workers have ideas, *count* each (5), each in another of *ways*.

    Returns all ideas, in the order of the agents, duplicates among them; agents without an answer
    are in `failed`. *output* is the type of one idea. Cost: as many agents, in the time of one.
    """
    if agents < 1 or not ways:
        raise UsageError(f"ideas need an agent and a way: {agents} agents, {len(ways)} ways")
    count, first = options.get("count", COUNT), options.get("repeat", 0)
    wanted = _list_of(str if output is None else output)
    asked = []
    for agent in range(agents):
        way = agent % len(ways)
        own = filled(options, task="generate", count=count, variant=f"{VARIANT}:{way}")
        own["repeat"] = first + agent
        text = PROMPT.format(prompt=prompt, count=count, way=ways[way])
        asked.append(partial(run.work, text, output=wanted, **own))
    lists = await run.parallel(asked, on_error="collect")
    return Results((idea for ideas in lists for idea in ideas), lists.failed)


async def keep_best(
    run: Run,
    ideas: Sequence[T],
    rubric: str,
    *,
    top: int | None = None,
    by: str | None = None,
    votes: int = 1,
    near: float = NEAR,
    lenses: Sequence[str] = LENSES,
    models: Sequence[str] = (),
    rule: Rule = "majority",
    topics: Topics | None = None,
    **options: Unpack[AgentOptions],
) -> Results[T]:
    """Return the *top* of the *ideas* that verifiers uphold against *rubric*, the best first.

    Of ideas that say the same (see `Seen`) the first is kept. More than *top* upheld ones are put
    in order by judges, by the quality *by* (default: the rubric); without *top* all are returned in
    their own order. Ideas that nobody could judge are in `failed`. With *votes* 0 nothing is
    verified. Cost: *votes* agents an idea, and about one call of a judge for each where they are
    put in order.
    """
    different = distinct(ideas, near=near)
    if len(different) < len(ideas):
        run.log(f"{len(ideas) - len(different)} of {len(ideas)} ideas said what another had said")
    good: Results[T] = different
    if votes:
        topics = None if topics is None else [topics[place] for place in different.places]
        good = await verify_adversarially(
            run,
            different,
            rubric,
            votes=votes,
            lenses=lenses,
            models=models,
            rule=rule,
            topics=topics,
            **options,
        )
    if top is None or len(good) <= top:
        return good
    texts = [words_of(idea) for idea in good]
    size = min(10, max(2, len(texts) // 2))
    ranked = await rank(run, texts, by or rubric, question=Question("list", size))
    best = ranked.order[:top]
    return Results((good[n] for n in best), good.failed, (good.places[n] for n in best))


def distinct(ideas: Sequence[T], *, near: float = NEAR) -> Results[T]:
    """Return *ideas* without those that say what an earlier one says; see `Seen`."""
    given = ideas if isinstance(ideas, Results) else Results(ideas)
    seen = Seen(near)
    firsts = []
    for idea in given:
        before = len(seen)
        seen.add(words_of(idea))
        firsts.append(len(seen) > before)
    return given.where(firsts)


def _list_of(output: Any) -> Any:  # Any: a type, or a JSON Schema
    if not isinstance(output, Mapping):
        return list[output]
    schema = dict(output)
    definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
    return {"type": "array", "items": schema, **definitions}
