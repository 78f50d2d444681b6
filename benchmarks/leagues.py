"""Leagues of systems whose order is known: are their intervals true, is a vain judge found out?

SIMULATED: nine systems on 500 items. An output's worth is its system's strength and a chance of its
own on the item, which all judges of the panel see alike; half of each judge's noise persists.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from ..actors.questions import Question
from ..actors.simulation.judge import Bench, JudgeProfile
from ..actors.simulation.keyed import text_keys
from ..actors.tables import OUTCOMES, concat
from ..patterns.boards import Rows, verdicts_of
from ..patterns.ranking.league import League
from ..patterns.ranking.likelihood import Floats, Ints
from ..patterns.self_preference import favours_of
from .rows import Row, at_least, within
from .trial import judged

SYSTEMS, ITEMS, JUDGES, SEEDS, CALLS = 9, 500, 3, 50, 2_000
VAIN_SEEDS, VAIN_CALLS = 12, 4_000
GAP: Final = 0.08
"""What neighbours in the true order are apart, in logits: so little that it is in doubt."""

CHANCE: Final = 0.8
"""How far a system's outputs lie apart, beside what it is worth in the mean, in logits."""

VANITY: Final = 0.6
"""What the vain judge holds for its own model's outputs, in logits."""

GRADED: Final = Question("graded")


@dataclass(frozen=True, slots=True)
class Played:
    """One league: the share of intervals that hold the true rank, and what else is asked of it."""

    coverage: float
    in_order: float
    calls: int
    width: float


def leagues() -> list[Row]:
    """Nine systems on 500 items, a panel of three simulated judges, 50 seeds."""
    played = [_play(seed) for seed in range(SEEDS)]
    coverage = float(np.mean([each.coverage for each in played]))
    return [
        within("the true rank lies in its 90% interval", coverage, 0.83, 0.97),
        Row("width of the intervals, ranks", f"{np.mean([each.width for each in played]):.2f}"),
        Row("calls", f"{np.mean([each.calls for each in played]):,.0f}"),
        Row("share of pairs of systems in order", f"{np.mean([e.in_order for e in played]):.3f}"),
        *vanity(),
    ]


def vanity() -> list[Row]:
    """A judge that prefers its own model's outputs, beside two that do not; and none that does."""
    seen, effects, covered, false = 0, [], 0, 0
    for seed in range(VAIN_SEEDS):
        system, item, worth = _outputs(seed)
        for is_vain in (True, False):
            judges = _judges(seed, system, worth, vanity=VANITY if is_vain else 0.0)
            _, outcomes = _held(seed, system, item, judges, VAIN_CALLS)
            told = verdicts_of(outcomes, Rows(system, item, SYSTEMS, ITEMS))
            [favour] = favours_of(told, SYSTEMS, [(0, 4)], judges=JUDGES)
            if favour.effect is None:
                continue
            if is_vain:
                seen += favour.low > 0.0
                covered += favour.low <= VANITY <= favour.high
                effects.append(favour.effect)
            else:
                false += not favour.low <= 0.0 <= favour.high
    return [
        at_least("vanity found out, share of leagues", seen / VAIN_SEEDS, 0.8, ".2f"),
        Row(
            f"its effect (true: {VANITY} beside one item's other outputs)",
            f"{np.mean(effects):.2f}",
        ),
        Row(
            f"its 90% interval holds the truth, of {VAIN_SEEDS} leagues",
            f"{covered / VAIN_SEEDS:.2f}",
        ),
        Row("where there is none, it is seen in", f"{false / VAIN_SEEDS:.2f}"),
    ]


def _outputs(seed: int) -> tuple[Ints, Ints, Floats]:
    """Return the system, the item and the worth of each output."""
    system = np.tile(np.arange(SYSTEMS), ITEMS)
    item = np.repeat(np.arange(ITEMS), SYSTEMS)
    rng = np.random.default_rng([seed, 23])
    worth = GAP * (SYSTEMS - 1 - system) + CHANCE * rng.standard_normal(len(system))
    return system, item, worth


def _judges(seed: int, system: Ints, worth: Floats, *, vanity: float = 0.0) -> list[Bench]:
    """Return a panel; the first judge holds *vanity* for the outputs of system 4."""
    keys = text_keys([str(row) for row in range(len(system))])
    benches = []
    for number in range(JUDGES):
        profile = replace(JudgeProfile(), name=f"judge {number}", bias=0.3 * (number - 1))
        own = vanity * (system == 4) if number == 0 else 0.0
        benches.append(Bench(profile, seed, "worth", worth + own, keys))
    return benches


def _held(
    seed: int, system: Ints, item: Ints, judges: list[Bench], calls: int = CALLS
) -> tuple[League, pa.RecordBatch]:
    """Hold a league until it stops; returns it, and all outcomes."""
    league = League(system, item, GRADED, seed=seed, target=0.95, judges=JUDGES, budget_calls=calls)
    answers, told = [bench.answer for bench in judges], []
    while (matches := league.next_matches()).num_rows:
        told.append(judged(matches, answers))
        league.record(told[-1])
    return league, concat(told, OUTCOMES)


def _play(seed: int) -> Played:
    system, item, worth = _outputs(seed)
    league, _ = _held(seed, system, item, _judges(seed, system, worth))
    standing = league.standing()
    number, low, high = (
        standing.column(name).to_numpy() for name in ("item", "rank_low", "rank_high")
    )
    rank = number + 1.0  # systems are numbered best first
    apart = np.sign(np.subtract.outer(number, number))[np.triu_indices(len(number), 1)]
    return Played(
        coverage=float(np.mean((low <= rank) & (rank <= high))),
        in_order=float(np.mean(apart < 0)),
        calls=league.progress().asked,
        width=float(np.mean(high - low)),
    )
