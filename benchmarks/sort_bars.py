"""The sorting benchmark: `python -m commedia.benchmarks.sort_bars` prints every figure and its bar.

Simulated judges only. Exits 1 when a bar is missed. Another part is a function that takes
`Settings` and returns rows; `SECTIONS` names it.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ..actors.simulation.judge import REFERENCE
from .cases import ITEMS, Case, mean, run_case, run_cases
from .command import folder
from .rows import Row, at_least, at_most, render, within
from .trial import Trial
from .whole import crashes, over_http, real_model, real_table, same_digest, start

HEADER = """\
Sorting, SIMULATED: judges whose truth is known; no model was asked. Mean of {seeds} seeds.
Reference judge: N = {items:,} items of normal utility, right on 85% of random pairs (logistic
noise), position bias 0.4 logit, no persistent part, no lapse, no ties; grades at 0.3 and 2.0 logit;
a list of k has Gumbel noise of scale 1 + 0.15 log2(k / 2) and a position slope of 0.3 (assumed).
Tokens are input + 5 x output: 200 a call, 300 an item, 10 out for a pair, 10 + 4k for a list.
tau is Kendall's against the truth; predicted tau is agreement with the judge's own consensus."""

DATA = Path(__file__).parents[2] / "shared" / "data"
FIXED = (("list:10", 2200, 2), ("graded", 13500, 6), ("pair", 20000, 8))
STRETCH = {"list:10": 2000, "graded": 12000, "pair": 17500}
STOPPING = (("list:10", 2250, 8), ("graded", 15500, 12), ("pair", 22500, 16))
TASTE = replace(REFERENCE, list_scale=0.75**0.5, taste=0.5 * 1.35 * np.pi / 6**0.5)
"""A quarter of the variance of a list of ten's noise belongs to the items: its taste."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the benchmark runs."""

    seeds: int = 10
    processes: int = 1
    data: Path = DATA

    def play(self, case: Case) -> Sequence[Trial]:
        """Return the trials of *case*, each case played once."""
        return _played(case, self.seeds, self.processes)


@cache
def _played(case: Case, seeds: int, processes: int) -> tuple[Trial, ...]:
    return tuple(run_cases(case, seeds, processes=processes))


def fixed(settings: Settings) -> list[Row]:
    """Fixed budgets in equal rounds."""
    rows = []
    for question, calls, rounds in FIXED:
        trials = settings.play(Case(question, budget=calls, rounds=rounds))
        name = f"{question}, {calls:,} calls in {rounds} rounds: "
        rows.append(at_least(name + "tau", mean(trials, "tau"), 0.90))
        if question == "list:10":
            rows.append(at_most(name + "Mtok", mean(trials, "tokens") / 1e6, 7.6, ".1f"))
        few = settings.play(Case(question, budget=STRETCH[question], rounds=rounds))
        stretch = f"{question}, {STRETCH[question]:,} calls (stretch, no bar): tau"
        rows.append(Row(stretch, f"{mean(few, 'tau'):.4f}"))
    return rows


def stop(settings: Settings) -> list[Row]:
    """Stopping by itself at a predicted tau of 0.90."""
    rows = []
    for question, calls, rounds in STOPPING:
        trials = settings.play(Case(question))
        rows.append(at_least(f"{question}: tau", mean(trials, "tau"), 0.895, ".4f"))
        rows.append(at_most(f"{question}: calls", mean(trials, "calls"), calls))
        most = max(trial.rounds for trial in trials)
        rows.append(at_most(f"{question}: rounds, most of any seed", most, rounds))
    return rows


def persistent(settings: Settings) -> list[Row]:
    """Noise that asking again does not renew."""
    rows = []
    for share, bar in ((0.5, 0.89), (0.9, 0.88)):
        case = Case("pair", replace(REFERENCE, per_pair=share), budget=20000, rounds=8)
        name = f"pair, 20,000 calls, {share:.0%} of the noise per pair: tau"
        rows.append(at_least(name, mean(settings.play(case), "tau"), bar))
    trials = settings.play(Case("list:10", TASTE))
    name = "list:10, a quarter of its noise is taste, until 0.90: "
    rows.append(Row(name + "tau", f"{mean(trials, 'tau'):.4f}"))
    rows.append(Row(name + "predicted tau", f"{mean(trials, 'predicted'):.4f}"))
    return rows


def honest(settings: Settings) -> list[Row]:
    """Intervals and predicted tau of weak and strong judges, stopping at 0.90."""
    rows = []
    for accuracy in (0.75, 0.85, 0.90):
        for question, _, _ in STOPPING:
            trials = settings.play(Case(question).at(accuracy))
            name = f"{accuracy:.0%} judge, {question}: "
            rows.append(within(name + "coverage", mean(trials, "coverage"), 0.83, 0.97))
            error = mean(trials, "predicted") - mean(trials, "tau")
            rows.append(within(name + "predicted - real tau", error, -0.02, 0.02, "+.3f"))
    return rows


def cost(settings: Settings) -> list[Row]:
    """CPU of deciding, predicted tau and intervals included, in this process; least of 5 seeds.

    The least, because whatever else runs on the machine slows the caches, never speeds them.
    """
    rows = []
    for case, bar in ((Case("pair", budget=20000, rounds=8), 10), (Case("list:10"), 200)):
        run_case(case, 0)  # warm: imports and caches are not what is measured
        trials = [run_case(case, seed) for seed in range(5)]
        each = [1e6 * trial.cpu_s / trial.calls for trial in trials]
        name = f"{case.question}, {'8 rounds' if case.rounds else 'until 0.90'}: CPU us a call"
        rows.append(at_most(name, min(each), bar, ".1f"))
        rows.append(Row(name + ", mean of the 5 (no bar)", f"{np.mean(each):.1f}"))
    return rows


def empty(settings: Settings) -> list[Row]:
    """Judges that carry no information."""
    rows = []
    for question, _, _ in STOPPING:
        trials = settings.play(Case(question, habit="first"))
        name = f"{question}, always the first shown: "
        rows.append(at_most(name + "predicted tau", mean(trials, "predicted"), 0.3, ".4f"))
        rows.append(at_least(name + "width / N", mean(trials, "width") / ITEMS, 0.8, ".4f"))
        rows.append(Row(name + "calls until it stops", f"{mean(trials, 'calls'):,.0f}"))
    for question, _, _ in STOPPING:
        trials = settings.play(Case(question, habit="random"))
        name = f"{question}, at random: "
        rows.append(at_most(name + "predicted tau", mean(trials, "predicted"), 0.3, ".4f"))
        rows.append(Row(name + "calls until it stops", f"{mean(trials, 'calls'):,.0f}"))
    return rows


def table(settings: Settings) -> list[Row]:
    """The 420 advisories of RustSec that have a CVSS score; utilities by rank, heavily tied."""
    path = settings.data / "tickets" / "rustsec_advisories.parquet"
    if not path.exists():
        return [Row(f"skipped: there is no {path}", "")]
    column = pq.read_table(path, columns=["cvss_score"])["cvss_score"].drop_null()
    half = replace(REFERENCE, per_pair=0.5)
    trials = settings.play(Case("list:10", half, truth=tuple(column.to_pylist())))
    name = f"list:10, N = {len(column)}, half the noise per set: "
    return [
        at_least(name + "tau-b", mean(trials, "tau"), 0.89),
        at_most(name + "calls", mean(trials, "calls"), 1550),
    ]


Section = Callable[[Settings], list[Row]]

SECTIONS: dict[str, Section] = {
    "fixed": fixed,
    "stop": stop,
    "persistent": persistent,
    "honest": honest,
    "cost": cost,
    "empty": empty,
    "table": table,
    "real": real_table,
    "http": over_http,
    "digest": same_digest,
    "crashes": crashes,
    "start": start,
    "local": real_model,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser("python -m commedia.benchmarks.sort_bars", description=__doc__)
    parser.add_argument("--only", help=f"some of {', '.join(SECTIONS)}, separated by commas")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=1, choices=(1, 2))
    parser.add_argument("--data", type=Path, default=DATA, help="where the recorded tables are")
    chosen = parser.parse_args(arguments)
    names = chosen.only.split(",") if chosen.only else list(SECTIONS)
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"no section is called {', '.join(unknown)}")
    os.environ["COMMEDIA_HOME"] = str(folder())  # no run of these is anybody's
    settings = Settings(chosen.seeds, chosen.processes, chosen.data)
    sys.stdout.write(HEADER.format(seeds=settings.seeds, items=ITEMS) + "\n")
    missed = 0
    start = time.monotonic()
    for name in names:
        rows = SECTIONS[name](settings)
        missed += sum(row.ok is False for row in rows)
        sys.stdout.write(render(f"{name}: {_first_line(SECTIONS[name])}", rows) + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{missed} bars missed, {time.monotonic() - start:.0f} s\n")
    return int(missed > 0)


def _first_line(section: Section) -> str:
    return (section.__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
