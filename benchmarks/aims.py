"""Rankings with more in mind than one order: pilots, panels, the best few, tables that grow.

SIMULATED: the reference judge of the sorting benchmark, N = 1,000, 85%, unless a row says else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ..actors.simulation.judge import REFERENCE, JudgeProfile
from ..actors.tables import OUTCOMES, concat
from ..patterns.ranking.engine import PosteriorRanking
from ..patterns.ranking.objective import Best, WholeOrder
from ..patterns.ranking.policy import LIST, OFFERED, Panel, Planner
from .cases import ITEMS, SCALE, Case, judge_of, mean, run_cases, world_of
from .rows import Row, at_least, at_most
from .trial import Answer, Trial, judged, play, tokens_per_call

PRICES = {str(question): float(tokens_per_call(question)) for question in OFFERED}
NOISY = replace(REFERENCE, list_scale=2.0)
DISHONEST = replace(REFERENCE, grade_honesty=0.0)


@dataclass(frozen=True, slots=True)
class Seeds:
    """How often a case is played."""

    few: int = 10
    many: int = 20


def planner(seeds: Seeds) -> list[Row]:
    """What `auto` picks, its pilot included; and for judges that are not as assumed."""
    rows = []
    usual = _planned(REFERENCE, seeds.few)
    rows.append(at_most("auto: Mtok", mean(usual, "tokens") / 1e6, 8.6, ".2f"))
    rows.append(at_least("auto: tau", mean(usual, "tau"), 0.895))
    for title, profile in (("lists twice as noisy", NOISY), ("grades say nothing", DISHONEST)):
        trials = _planned(profile, seeds.few)
        best = _best_question(profile, seeds.few)
        rows.append(at_least(f"{title}: tau of auto", mean(trials, "tau"), 0.895))
        ratio = mean(trials, "tokens") / mean(best[1], "tokens")
        rows.append(at_most(f"{title}: tokens of auto / of {best[0]}", ratio, 1.3, ".2f"))
        asked = ", ".join(sorted({_asked(trial) for trial in trials}))
        rows.append(Row(f"{title}: asked in the end", asked))
    for habit in ("first", "random"):
        case = Case("graded", habit="first" if habit == "first" else "random")
        refused = [_plan(case, seed).stopped == "judge" for seed in range(seeds.few)]
        name = f"a judge that picks {'the first' if habit == 'first' else 'at random'}: refused"
        rows.append(Row(name, f"{sum(refused)} of {seeds.few}", f"= {seeds.few}", all(refused)))
    return rows


def top(seeds: Seeds) -> list[Row]:
    """The best ten of 1,000."""
    rows = []
    for title, is_wide, calls, rounds, recall in (
        ("narrow", False, 420, 14, 0.90),
        ("wide", True, 550, 8, 0.88),
    ):
        trials = []
        for seed in range(seeds.many):
            truth, utility = world_of(Case("list:10"), seed)
            ranking = PosteriorRanking(ITEMS, LIST, objective=Best(10, is_wide), seed=seed)
            trials.append(play(ranking, judge_of(Case("list:10"), utility, seed), truth))
        rows.append(at_least(f"{title}: recall", mean(trials, "recall"), recall, ".3f"))
        rows.append(at_most(f"{title}: list calls", mean(trials, "calls"), calls))
        rows.append(at_most(f"{title}: rounds", mean(trials, "rounds"), rounds, ".1f"))
        if not is_wide:
            rows.append(at_most(f"{title}: Mtok", mean(trials, "tokens") / 1e6, 1.4, ".2f"))
    return rows


def grown(seeds: Seeds) -> list[Row]:
    """100 new rows among 1,000 that were ranked yesterday."""
    taus, shares = [], []
    for seed in range(seeds.many):
        truth, utility = world_of(Case("list:10"), seed)
        more = np.random.default_rng([seed, 77]).standard_normal(100)
        truth, utility = np.r_[truth, more], np.r_[utility, SCALE[0.85] * more]
        answer = judge_of(Case("list:10"), utility, seed)
        earlier = _all_outcomes(PosteriorRanking(ITEMS, LIST, seed=seed), answer)
        anew = play(PosteriorRanking(ITEMS + 100, LIST, seed=seed + 100), answer, truth)
        ranking = PosteriorRanking(
            ITEMS + 100,
            LIST,
            seed=seed + 50,
            earlier=earlier,
            objective=WholeOrder(is_uneven=True),
        )
        trial = play(ranking, answer, truth)
        taus.append(trial.tau)
        shares.append(trial.calls / anew.calls)
    return [
        at_least("tau over all 1,100", float(np.mean(taus)), 0.90),
        at_most("calls / those of a new sort", float(np.mean(shares)), 0.15, ".3f"),
    ]


def panel(seeds: Seeds) -> list[Row]:
    """Three judges, one of them broken by position; and such that have tastes of their own."""
    rows = []
    for title, taste in (("reference judges", 0.0), ("with tastes of their own", 0.3)):
        alone, together = _panel(taste, seeds.many)
        best = max(mean(trials, "tau") for trials in alone)
        rows += [
            Row(f"{title}: judge {name} alone: tau", f"{mean(trials, 'tau'):.4f}")
            for name, trials in zip("abc", alone, strict=True)
        ]
        found = mean(together, "tau")
        rows.append(at_least(f"{title}: panel, same tokens: tau", found, best))
    return rows


def _panel(taste: float, seeds: int) -> tuple[list[list[Trial]], list[Trial]]:
    """Return the trials of each judge alone, and of all together, with the tokens of one sort."""
    broken = replace(REFERENCE, name="c", taste=taste, list_slope=6.0, list_scale=4.0)
    profiles = [replace(REFERENCE, name=name, taste=taste) for name in "ab"] + [broken]
    alone: list[list[Trial]] = [[], [], []]
    together = []
    for seed in range(seeds):
        truth, utility = world_of(Case("list:10"), seed)
        judges = [judge_of(Case("list:10", each), utility, seed) for each in profiles]
        budget = play(PosteriorRanking(ITEMS, LIST, seed=seed), judges[0], truth).tokens
        for place, judge in enumerate(judges):
            ranking = PosteriorRanking(ITEMS, LIST, seed=seed, target=0.99)
            alone[place].append(play(ranking, judge, truth, most_tokens=budget))
        policy = Panel(LIST, "abc", [1.0] * 3)
        ranking = PosteriorRanking(ITEMS, policy=policy, seed=seed, target=0.99)
        together.append(play(ranking, judges, truth, most_tokens=budget))
    return alone, together


def _planned(profile: JudgeProfile, seeds: int) -> list[Trial]:
    return [_plan(Case("graded", profile), seed) for seed in range(seeds)]


def _plan(case: Case, seed: int) -> Trial:
    truth, utility = world_of(case, seed)
    policy = Planner(ITEMS, PRICES)
    ranking = PosteriorRanking(
        ITEMS, policy=policy, seed=seed, objective=WholeOrder(is_uneven=True)
    )
    return play(ranking, judge_of(case, utility, seed), truth)


def _best_question(profile: JudgeProfile, seeds: int) -> tuple[str, Sequence[Trial]]:
    """Return the question that takes the fewest tokens until 0.90, and its trials."""
    found = {str(q): run_cases(Case(str(q), profile), seeds) for q in OFFERED}
    best = min(found, key=lambda name: mean(found[name], "tokens"))
    return best, found[best]


def _asked(trial: Trial) -> str:
    told = [note for note in trial.notes if "; asked " in note]
    return told[-1].rpartition("; asked ")[2] if told else "nothing"


def _all_outcomes(ranking: PosteriorRanking, answer: Answer) -> pa.RecordBatch:
    found = []
    while (matches := ranking.next_matches()).num_rows:
        found.append(judged(matches, answer))
        ranking.record(found[-1])
    return concat(found, OUTCOMES)


Section = Callable[[Seeds], list[Row]]

SECTIONS: dict[str, Section] = {
    "planner": planner,
    "top": top,
    "grown": grown,
    "panel": panel,
}
