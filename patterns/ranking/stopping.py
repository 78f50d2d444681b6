"""When to stop, and how many matches to ask next: decided from the predicted taus so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...actors.bracket import Stopped
from ...actors.questions import Question
from .economics import worth


@dataclass(frozen=True, slots=True)
class Point:
    """After a round: matches asked so far, and the quality (Kendall's tau) that is predicted."""

    asked: int
    tau: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How a ranking spends: until *target*, within *budget*, or its budget in equal *rounds*.

    *once* asks about every item once; *first* is the size of the first adaptive round, *most* the
    size at which even a weak judge would be done, *window* how many matches must raise predicted
    tau by `LEAST_GAIN`.
    """

    target: float
    budget: int | None
    rounds: int | None
    once: int
    first: int
    most: int
    window: int


FIRST_ROUND, MOST_MATCHES = 3.0, 200.0
"""Pairs an item: at first, and at most (a judge right on 65% of random pairs needs about that)."""

LEAST_GAIN = 0.003
WEAK = 0.3
"""Below this predicted tau there is hardly an order: no large round is bet on it."""

EARLY_SHARE = 0.6
"""Of what seems missing, this share is asked while the forecast is still far away."""

LARGE, MARGIN, BEYOND = 5000, 0.0015, 0.0005
"""Where the first round has so many matches nothing is left to chance: what is predicted is so much
too high (simulated, 100,000 items), the target is set higher by it, and a forecast from two rounds
is right within a few percent: all that is missing is asked, for a target higher still."""


def plan_of(
    n: int, question: Question, target: float, budget: int | None, rounds: int | None
) -> Plan:
    """Return how a ranking of *n* items spends, asking *question*."""
    pairs = n / pairs_worth(question)
    first = max(1, round(FIRST_ROUND * pairs))
    most = max(1, round(MOST_MATCHES * pairs))
    once = max(1, -(-n // max(question.size, 2)))
    target += MARGIN if first >= LARGE and target < 0.99 else 0.0
    return Plan(target, budget, rounds, once, first, most, window=max(16, n // 4))


def pairs_worth(question: Question) -> float:
    """Return how many pairs a list is worth; graded ones are planned as if they were plain."""
    return worth(question) if question.kind == "list" else 1.0


def decide(plan: Plan, history: Sequence[Point], asked: int) -> Stopped | None:
    """Return why the ranking is over after *asked* matches, or None while it is not."""
    if plan.budget is not None and asked >= plan.budget:
        return "budget"
    if plan.rounds is not None or not history:
        return None
    if history[-1].tau >= plan.target:
        return "target"
    return "saturation" if asked >= plan.most or _is_saturated(plan, history) else None


def _is_saturated(plan: Plan, history: Sequence[Point]) -> bool:
    """Whether predicted tau has risen by less than `LEAST_GAIN` over the last matches.

    The last N/4 matches, and at least the last quarter of all: tau grows with the logarithm of
    the matches, so a fixed number of pairs gains little late in a healthy run.
    """
    last = history[-1]
    before = last.asked - max(plan.window, last.asked // 4)
    earlier = [point.tau for point in history if point.asked <= before]
    return bool(earlier) and last.tau - earlier[-1] < LEAST_GAIN


def round_size(plan: Plan, history: Sequence[Point], asked: int) -> int:
    """Return how many matches the next round should ask, *asked* of them being handed out.

    A first round, then most of what seems missing (at most doubling at first, while the forecast
    rests on random matches), then small rounds, so that it stops just past the target.
    """
    left = (plan.most if plan.budget is None else plan.budget) - asked
    if plan.rounds is not None and plan.budget is not None:
        return min(left, max(1, plan.budget * (len(history) + 1) // plan.rounds - asked))
    if not history or not history[-1].asked:
        return min(left, plan.first)
    known = history[-1].asked
    missing = expected_calls(plan, history) - asked
    growth = known if len(history) < 2 or history[-1].tau < WEAK else 2 * known
    smallest = max(1, plan.first // 16, known // max(8, 50 - 6 * len(history)))
    share = 1.0 if missing < known // 12 else EARLY_SHARE
    if plan.first >= LARGE and len(history) > 1:
        further = replace(plan, target=min(plan.target + BEYOND, 0.999))
        missing = expected_calls(further, history) - asked
        share = 1.0 if missing > known // 8 else 1.5  # the last round is to be the last
    return min(left, max(smallest, min(math.ceil(missing * share), growth)))


def expected_calls(plan: Plan, history: Sequence[Point]) -> int:
    """Return how many matches the target will have taken in all.

    tau = 2/pi asin sqrt(1 - x) for a share x of the spread still unknown; 1/x grows linearly with
    the matches asked (information adds up), from the last round's slope.
    """
    if not history or not history[-1].asked:
        return plan.first
    known = [_information(point.tau) for point in history]
    asked = [point.asked for point in history]
    slope = (known[-1] - (known[-2] if len(known) > 1 else 1.0)) / max(
        asked[-1] - (asked[-2] if len(asked) > 1 else 0), 1
    )
    slope = max(slope, 0.5 * (known[-1] - 1.0) / max(asked[-1], 1), 1e-9)
    missing = (_information(plan.target) - known[-1]) / slope
    return asked[-1] + math.ceil(max(0.0, min(missing, float(plan.most))))


def _information(tau: float) -> float:
    known = math.sin(math.pi / 2 * max(0.0, min(tau, 0.999))) ** 2
    return 1.0 / (1.0 - known)
