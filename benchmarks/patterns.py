"""The patterns' benchmark: `python -m commedia.benchmarks.patterns` prints every figure.

Simulated agents only, in worlds whose truth is known. Exits 1 when a bar is missed.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple, get_args

import numpy as np

from ..actors.simulation.world import Thing, World
from ..patterns.adversarial_verification import Poll, Rule, poll
from ..patterns.fan_out_and_synthesize import fan_out
from ..patterns.loop_until_done import Found, Round, loop_until
from ..patterns.stop_rules import All, NoneLeft, NoneNew, Rounds, StopRule
from ..session import Session
from ..supervisor.run import Run
from .command import folder
from .rows import Row, at_least, render

HEADER: Final = """\
Patterns, SIMULATED: agents whose truth is known; no model was asked. Mean of {seeds} seeds.
Findings: 20, found by one pass of a sonnet with chance .9, .6, .35, .15 (five each); a pass errs
where its model erred before, and makes up a claim for each 77 that it reports; two families take
turns. `confirmed`: what is made up is refused, as ideal verifiers would. At most 20 rounds.
Claims: 400 answers of a sonnet to questions of mixed difficulty; verifiers see answer and question,
each in another way, and share their family's blind spots."""

CHANCES: Final = (0.9,) * 5 + (0.6,) * 5 + (0.35,) * 5 + (0.15,) * 5
FAMILIES: Final = ("sim:sonnet", "sim:other")
QUESTIONS: Final = 400
VOTES: Final = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the benchmark runs."""

    seeds: int = 10


class Hunt(NamedTuple):
    """One loop, measured: *held* says whether the interval of what is left holds what is."""

    recall: float
    rounds: int
    missed: int
    unseen: float
    held: bool


FIXED: Final = (1, 2, 3, 5, 8, 12, 16)
RULES: Final[dict[str, StopRule]] = {
    "nothing new in 1 round": NoneNew(1),
    "nothing new in 2 rounds": NoneNew(2),
    "nothing new in 3 rounds": NoneNew(3),
    "none left (Chao2 < 0.5)": NoneLeft(),
    "coverage 95%": NoneLeft(unseen=0.0, coverage=0.95),
    "coverage 97%, nothing new": All((NoneNew(1), NoneLeft(unseen=0.0, coverage=0.97))),
}
STOPS: Final[dict[str, StopRule]] = {**{f"{n} passes": Rounds(n) for n in FIXED}, **RULES}
GROUNDS: Final = {
    "mixed ground": CHANCES,
    "easy ground": (0.9,) * 10 + (0.6,) * 10,
    "hard ground": (0.35,) * 10 + (0.15,) * 10,
}


def stops(settings: Settings) -> list[Row]:
    """When to stop looking: recall of 20 findings of mixed detectability, by rule."""
    rows = []
    for title, models, sure in (
        ("one model", FAMILIES[:1], False),
        ("two families", FAMILIES, False),
        ("two families, confirmed", FAMILIES, True),
    ):
        hunts = _hunts(settings, models, CHANCES, is_confirmed=sure)
        rows += [_stop_row(title, name, hunts) for name in STOPS]
        gain = _gain("nothing new in 2 rounds", hunts)
        name = f"{title}: nothing new in 2, over as many fixed passes"
        rows.append(at_least(name, gain, -0.04))
    one, two = (_hunts(settings, models, CHANCES) for models in (FAMILIES[:1], FAMILIES))
    gain = _mean(two, "8 passes", "recall") - _mean(one, "8 passes", "recall")
    rows.append(at_least("recall won in 8 passes by a second family", gain, 0.03))
    return rows


def grounds(settings: Settings) -> list[Row]:
    """Easy ground and hard: what a rule spends where it does not know which it is on."""
    rows = []
    for title, chances in GROUNDS.items():
        hunts = _hunts(settings, FAMILIES, chances, is_confirmed=True)
        rows += [_stop_row(title, name, hunts) for name in ("5 passes", *RULES)]
    return rows


def estimates(settings: Settings) -> list[Row]:
    """What a loop of confirmed findings says is left, beside what is."""
    rows = []
    hunts = _hunts(settings, FAMILIES, CHANCES, is_confirmed=True)
    for name in ("5 passes", "8 passes", "12 passes"):
        rows.append(Row(f"{name}: left, estimated", f"{_mean(hunts, name, 'unseen'):.1f}"))
        rows.append(Row(f"{name}: left, in truth", f"{_mean(hunts, name, 'missed'):.1f}"))
        rows.append(Row(f"{name}: 90% intervals that hold it", f"{_mean(hunts, name, 'held'):.2f}"))
    return rows


def _stop_row(title: str, name: str, hunts: Sequence[dict[str, Hunt]]) -> Row:
    rounds = _mean(hunts, name, "rounds")
    recall = _mean(hunts, name, "recall")
    return Row(f"{title}, {name}: recall, in {rounds:.1f} rounds", f"{recall:.3f}")


def _mean(hunts: Sequence[dict[str, Hunt]], name: str, what: str) -> float:
    return float(np.mean([getattr(hunt[name], what) for hunt in hunts]))


def _gain(rule: str, hunts: Sequence[dict[str, Hunt]]) -> float:
    """Return by how much a rule's recall beats that of as many fixed passes, interpolated."""
    curve = [_mean(hunts, f"{n} passes", "recall") for n in FIXED]
    return _mean(hunts, rule, "recall") - float(
        np.interp(_mean(hunts, rule, "rounds"), FIXED, curve)
    )


def _hunts(
    settings: Settings,
    models: tuple[str, ...],
    chances: tuple[float, ...],
    *,
    is_confirmed: bool = False,
) -> list[dict[str, Hunt]]:
    return [_hunt(models, chances, seed, is_confirmed) for seed in range(settings.seeds)]


@cache
def _hunt(
    models: tuple[str, ...], chances: tuple[float, ...], seed: int, is_confirmed: bool
) -> dict[str, Hunt]:
    things = [Thing(f"bug {n}", pool="bugs", detectability=p) for n, p in enumerate(chances)]
    known = {thing.id for thing in things}

    async def confirm(new: Sequence[str]) -> Sequence[str]:
        return [name for name in new if name in known]

    async def hunt(run: Run) -> dict[str, Hunt]:
        async def step(now: Round[str]) -> list[str]:
            return await run.work(
                "Find bugs.",
                output=list[str],
                task="find",
                about="bugs",
                repeat=0,
                variant=now.variant,
                model=now.turn(models),
            )

        sure = confirm if is_confirmed else None
        return {
            name: _measured(
                await loop_until(run, step, until=[rule], confirm=sure, near=1.0), known
            )
            for name, rule in STOPS.items()
        }

    found: dict[str, Hunt] = _played(hunt, World(things), seed)
    return found


def _measured(found: Found[str], known: set[str]) -> Hunt:
    missed, left = len(known - set(found)), found.left
    held = left.low - 0.5 <= missed <= left.high + 0.5
    return Hunt(1 - missed / len(known), found.rounds, missed, left.unseen, held)


class Quality(NamedTuple):
    """How good a selection of claims is."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.precision * self.recall / (self.precision + self.recall)


def verification(settings: Settings) -> list[Row]:
    """Who verifies, and how often: precision and recall of what is upheld of 400 claims."""
    runs = [_verified(seed) for seed in range(settings.seeds)]
    base = float(np.mean([base for base, _ in runs]))
    rows = [Row("unverified: precision", f"{base:.3f}"), Row("unverified: recall", "1.000")]
    means: dict[str, Quality] = {}
    for name in runs[0][1]:
        found = np.mean([quality[name] for _, quality in runs], axis=0)
        means[name] = Quality(*found)
        shown = f"{means[name].precision:.3f} {means[name].recall:.3f} {means[name].f1:.3f}"
        rows.append(Row(f"{name}: precision, recall, F1", shown))
    other = {votes: means[f"other family, {votes} votes, majority"] for votes in VOTES}
    same = {votes: means[f"same family, {votes} votes, majority"] for votes in VOTES}
    rows.append(at_least("precision won by a vote of the other family", other[1][0] - base, 0.05))
    gain = other[3].precision - same[3].precision
    rows.append(at_least("precision won by the other family over the same, 3 votes", gain, 0.0))
    gain = other[3].f1 - other[1].f1
    rows.append(at_least("F1 won by the 2nd and 3rd vote of the other family", gain, 0.0))
    rows.append(Row("F1 won by the 4th and 5th", f"{other[5].f1 - other[3].f1:.4f}"))
    return rows


def _verified(seed: int) -> tuple[float, dict[str, Quality]]:
    rng = np.random.default_rng(seed)
    world = World(
        Thing(f"question {n}", truth=f"answer {n}", wrong=(f"mistake {n}",), difficulty=hard)
        for n, hard in enumerate(rng.normal(0.3, 0.6, QUESTIONS))
    )
    panels = {"same family": FAMILIES[:1], "other family": FAMILIES[1:], "both": FAMILIES[::-1]}

    async def verify(run: Run) -> tuple[float, dict[str, Quality]]:
        names = [thing.id for thing in world.things]
        answers = await fan_out(run, names)
        topics = [names[place] for place in answers.places]
        qualities: dict[str, Quality] = {}
        right = {text: text.startswith("answer") for text in answers}
        for who, models in panels.items():
            polls = await poll(
                run, answers, "It is the answer.", votes=max(VOTES), models=models, topics=topics
            )
            for rule in get_args(Rule):
                for votes in VOTES:
                    name = f"{who}, {votes} votes, {rule}"
                    qualities[name] = _quality(polls, right, votes, rule)
        return sum(right.values()) / len(right), qualities

    found: tuple[float, dict[str, Quality]] = _played(verify, world, seed)
    return found


def _quality(polls: Sequence[Poll[str]], right: dict[str, bool], votes: int, rule: Rule) -> Quality:
    kept = [right[each.claim] for each in polls if each.first(votes).upheld(rule)]
    return Quality(sum(kept) / max(len(kept), 1), sum(kept) / sum(right.values()))


def _played(script: Callable[[Run], Coroutine[Any, Any, Any]], world: World, seed: int) -> Any:
    with Session(model="sim:sonnet", runtime="inline", world=world, seed=seed) as session:
        return session.run(script)._value


Section = Callable[[Settings], list[Row]]

SECTIONS: Final[dict[str, Section]] = {
    "stops": stops,
    "grounds": grounds,
    "estimates": estimates,
    "verification": verification,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser("python -m commedia.benchmarks.patterns")
    parser.add_argument("--only", help=f"some of {', '.join(SECTIONS)}, separated by commas")
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args(arguments)
    names = chosen.only.split(",") if chosen.only else list(SECTIONS)
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"no section is called {', '.join(unknown)}")
    os.environ["COMMEDIA_HOME"] = str(folder())  # no run of these is anybody's
    settings = Settings(chosen.seeds)
    sys.stdout.write(HEADER.format(seeds=settings.seeds) + "\n")
    missed, start = 0, time.monotonic()
    for name in names:
        rows = SECTIONS[name](settings)
        missed += sum(row.ok is False for row in rows)
        sys.stdout.write(render(f"{name}: {SECTIONS[name].__doc__}", rows) + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{missed} bars missed, {time.monotonic() - start:.0f} s\n")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
