"""A judge that is asked row by row: the law of `simulation.judge`, items by id or by their text."""

from collections.abc import Sequence

import numpy as np

from ..answers import Preference
from ..errors import UsageError
from ..messages import ModelSpec
from ..questions import Question
from ..simulation.calls import CallSpec
from ..simulation.judge import Bench, unknown_utility
from ..simulation.keyed import Floats, Keys, text_keys
from ..simulation.world import World


def judged(spec: ModelSpec, world: World, calls: Sequence[CallSpec]) -> list[Preference | None]:
    """Return the verdict of each of *calls*; None where a call spec is no question about items."""
    found: list[Preference | None] = [None] * len(calls)
    groups: dict[tuple[str, str, str, int], list[int]] = {}
    for place, call in enumerate(calls):
        group = (call.task, call.by or "", call.variant, len(call.items))
        groups.setdefault(group, []).append(place)
    for (task, by, variant, size), places in groups.items():
        question = _question(task, size)
        if question is None:
            continue
        asked = [calls[place] for place in places]
        verdicts = _verdicts(spec, world, question, by, variant, asked)
        for place, verdict in zip(places, verdicts, strict=True):
            found[place] = verdict
    return found


def _question(task: str, size: int) -> Question | None:
    try:
        question = Question.parse(task)
    except UsageError:
        return None
    return question if question.takes(size) else None


def _verdicts(
    spec: ModelSpec,
    world: World,
    question: Question,
    by: str,
    variant: str,
    calls: Sequence[CallSpec],
) -> list[Preference]:
    names = list(dict.fromkeys(name for call in calls for name in call.items))
    rows = {name: row for row, name in enumerate(names)}
    utility, keys = _known(world, names, seed=spec.seed, by=by)
    shown = np.array([[rows[name] for name in call.items] for call in calls], np.int64)
    repeat = np.array([call.repeat for call in calls], np.int64)
    bench = Bench(spec.profile, spec.seed, by, utility, keys)
    answers = bench.answer(question, shown, variant=variant, repeat=repeat).tolist()
    if question.kind == "list":
        return [Preference(order=tuple(order)) for order in answers]
    return [Preference(grade=grade) for grade in answers]


def _known(world: World, names: list[str], *, seed: int, by: str) -> tuple[Floats, Keys]:
    """Return the utility and key of each item; what no world knows has a utility by its name."""
    things = [world.find(name) for name in names]
    ids = [name if thing is None else thing.id for thing, name in zip(things, names, strict=True)]
    keys = text_keys(ids)
    drawn = unknown_utility(keys, seed=seed, by=by)
    known = [None if thing is None else thing.utility for thing in things]
    pairs = zip(known, drawn, strict=True)
    return np.array([u if k is None else k for k, u in pairs], np.float64), keys
