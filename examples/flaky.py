"""Why does a test fail now and then? Theories are tried by really running it, until one holds."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from commedia import Run, Thing, World, workflow
from commedia.patterns import Goal, Round, loop_until

FOLDER = Path(__file__).with_name("flaky_test")
Knob = Literal["PYTHONHASHSEED", "RANDOM_SEED", "TEST_ORDER", "TZ"]
KNOBS: dict[Knob, list[str]] = {
    "PYTHONHASHSEED": [str(seed) for seed in range(1, 200)],
    "RANDOM_SEED": [str(seed) for seed in range(200)],
    "TEST_ORDER": [str(seed) for seed in range(200)],
    "TZ": [f"XXX{hours}" for hours in range(-12, 13)],
}
"""What an experiment can turn, with the settings of each: variables of the environment, all."""

PROMPT = """\
A test in the file below fails now and then. Give two theories why, the likelier one first: on \
which of these knobs it depends whether the test fails, and because of which lines.

- PYTHONHASHSEED: the order of a set, which is another in each process
- RANDOM_SEED: what the module random draws
- TEST_ORDER: which tests of the file have run before
- TZ: the time zone

These knobs were turned, and it was not them: {ruled_out}

<file>
{source}
</file>"""


class Theory(BaseModel):
    """On which knob it depends whether the test fails, and because of what."""

    knob: Knob
    because: str


class Trial(BaseModel):
    """A theory, and how often the test failed while its knob alone was turned, or alone was not."""

    theory: Theory
    holds: bool
    turned: int
    held: int | None = None


class Diagnosis(BaseModel):
    """All trials in their order: if a theory holds, the last one is its. *ended* says why."""

    cause: Theory | None
    trials: list[Trial]
    ended: str


@workflow
async def flaky(
    run: Run, test: Path = FOLDER / "test_receipt.py", runs: int = 8, rounds: int = 10
) -> Diagnosis:
    """Find out why a test fails now and then.

    Args:
        test: a file of tests that `flaky_test/drive.py` can run
        runs: how often an experiment runs them
        rounds: how often to think of more theories, at most
    """
    test, trials = test.resolve(), list[Trial]()
    source = test.read_text(encoding="utf-8")
    failed = await run.tool(failures, test=str(test), settings=[draw(run) for _ in range(runs)])
    if failed in (0, runs):
        return Diagnosis(cause=None, trials=[], ended=f"{failed} of {runs} runs failed: not flaky")

    async def think(now: Round[Theory]) -> list[Theory]:
        ruled_out = ", ".join(trial.theory.knob for trial in trials) or "none yet"
        prompt = PROMPT.format(ruled_out=ruled_out, source=source)
        return await run.work(
            prompt,
            output=list[Theory],
            task="generate",
            about="theories",
            count=2,
            variant=now.variant,
        )

    async def try_out(theories: Sequence[Theory]) -> list[Theory]:
        for theory in theories:
            if theory.knob not in [trial.theory.knob for trial in trials]:
                with run.phase(f"Turn {theory.knob}"):
                    trials.append(await experiment(run, test, theory, runs))
                if trials[-1].holds:
                    return [theory]
        return []

    found = await loop_until(run, think, until=[Goal(bool)], confirm=try_out, most=rounds)
    return Diagnosis(cause=found[0] if found else None, trials=trials, ended=found.stopped)


async def experiment(run: Run, test: Path, theory: Theory, runs: int) -> Trial:
    """Turn the knob alone; if that changes the outcome, hold it and turn all the others."""
    knob, base = theory.knob, draw(run)
    turned = [{**base, knob: setting} for setting in run.random.choices(KNOBS[knob], k=runs)]
    failed = await run.tool(failures, test=str(test), settings=turned)
    if failed in (0, runs):
        return Trial(theory=theory, holds=False, turned=failed)
    held = [{**draw(run), knob: base[knob]} for _ in range(runs)]
    still = await run.tool(failures, test=str(test), settings=held)
    return Trial(theory=theory, holds=still in (0, runs), turned=failed, held=still)


def draw(run: Run) -> dict[str, str]:
    """Return a setting of each knob, at random, and the same when the run is resumed."""
    return {knob: run.random.choice(settings) for knob, settings in KNOBS.items()}


def failures(test: str, settings: list[dict[str, str]]) -> int:
    """Run *test* in a process of its own with each of *settings*; return how often it failed."""
    command = [sys.executable, str(FOLDER / "drive.py"), test]
    done = [
        subprocess.run(command, env={**os.environ, **each}, capture_output=True, timeout=60)
        for each in settings
    ]
    return sum(process.returncode != 0 for process in done)


# What simulated agents may think of. Which of it is true they are not told, nor does the workflow
# look it up: it is found out by running the test. A real model sees none of this.
THEORIES: list[tuple[Knob, str]] = [
    ("TEST_ORDER", "COUNTER is shared by all tests, so the numbers depend on who comes first"),
    ("TEST_ORDER", "the winners are drawn from numbers that another test has used up"),
    ("TZ", "stamp prints local time, whose day differs from place to place"),
    ("RANDOM_SEED", "lucky draws at random, and sorts texts as if they were numbers"),
    ("PYTHONHASHSEED", "tags_line joins a set, whose order changes from process to process"),
]
CAUSE: Knob = "PYTHONHASHSEED"
WORLD = World(
    Thing(why, truth={"knob": knob, "because": why}, pool="theories", holds=knob == CAUSE)
    for knob, why in THEORIES
)
