"""Loop until done: passes over the same ground, each a little different, until a rule says enough.

When: nobody knows how much there is to find, and one pass misses some of it. Not when: the number
is known (fan out over it), or a pass always finds the same (vary it, or stop after one).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from ..actors.errors import UsageError
from ..supervisor.backstage import Spent
from ..supervisor.results import Failure, Results
from ..supervisor.run import Run
from .capture import Estimate
from .duplicates import NEAR, Seen
from .items import by_place, words_of
from .stop_rules import NoneNew, Rounds, StopRule, Trail

F = TypeVar("F")
C = TypeVar("C")

MOST_ROUNDS: Final = 20
MOST_FAILURES: Final = 3
"""So many rounds in a row without a result end the loop."""


@dataclass(frozen=True)
class Round(Generic[F]):
    """What a step is told: the *number* of its round, from 1, and all that was *seen* before it.

    Show the step what was seen only if no rule estimates what is left: that rests on finding
    things again.
    """

    number: int
    seen: tuple[F, ...] = ()

    @property
    def variant(self) -> str:
        """The variant of the round's prompts: without one, a simulated agent finds the same."""
        return f"round-{self.number}"

    def turn(self, choices: Sequence[C]) -> C:
        """Return the choice whose turn it is: of prompts, lenses, or models."""
        return choices[(self.number - 1) % len(choices)]


class Found(Results[F]):
    """The findings of a loop; *failed* lists rounds without a result, and what stayed undecided.

    *stopped* says why no more was done, *seen* counts what was reported at all, confirmed or not.
    """

    def __init__(
        self, trail: Trail[F], *, stopped: str, seen: int, failed: Iterable[Failure] = ()
    ) -> None:
        super().__init__(trail.findings, failed)
        self.trail, self.stopped, self.seen = trail, stopped, seen

    @property
    def rounds(self) -> int:
        """Rounds that were made, those without a result among them."""
        return self.trail.rounds + self.trail.failures

    @property
    def left(self) -> Estimate:
        """How many findings no round reported, as it seems."""
        return self.trail.left


Step = Callable[[Round[F]], Awaitable[Iterable[F]]]
Confirm = Callable[[Sequence[F]], Awaitable[Sequence[F]]]


async def loop_until(
    run: Run,
    step: Step[F],
    *,
    until: Sequence[StopRule] = (NoneNew(),),
    confirm: Confirm[F] | None = None,
    near: float = NEAR,
    most: int = MOST_ROUNDS,
) -> Found[F]:
    """Repeat *step* until one of *until* says enough, or *most* rounds are done.

    What says the same as something seen before is not new, whether that was confirmed or not:
    *confirm* (such as `verify_adversarially`) is shown each thing until it is decided, and findings
    are what it returns. A round that raises is listed, tells nothing of what is left, and the third
    in a row ends the loop. Cost: the step's agents times the rounds, 7 or so by default. No rule
    beats as many fixed passes by much; passes that differ do: let models take turns (Round.turn).
    """
    if most < 1:
        raise UsageError(f"a loop of {most} rounds does nothing")
    log = _Log[F](near)
    rules = (*until, Rounds(most))
    while True:
        now = Round(log.rounds + 1, tuple(log.items))
        with run.phase(f"Round {now.number}"):
            found = await run.parallel(
                [partial(_pass, step, confirm, log, now)], on_error="collect"
            )
        if found.failed:
            log.fail(found.failed[0])
        trail = log.trail(_share(run.budget))
        stopped = next((why for rule in rules if (why := rule.why(trail))), log.hopeless)
        if stopped:
            left = trail.left
            run.log(
                f"{len(trail.findings)} findings in {log.rounds} rounds; stopped: {stopped}; "
                f"{left.unseen:.1f} seem left ({left.low:.1f} to {left.high:.1f})"
            )
            return Found(trail, stopped=stopped, seen=len(log.items), failed=log.missing)


async def _pass(step: Step[F], confirm: Confirm[F] | None, log: "_Log[F]", now: Round[F]) -> None:
    reported = await step(now)
    if isinstance(reported, Results) and reported.failed and not reported:
        raise reported.failed[0].error or RuntimeError(reported.failed[0].why)
    reported = list(reported)
    new = log.news(reported)
    log.add(now.number, reported, new, new if confirm is None or not new else await confirm(new))


class _Log(Generic[F]):
    """All rounds so far: what was seen, how often, and what became of it."""

    def __init__(self, near: float) -> None:
        self.items: list[F] = []
        self.failed: list[Failure] = []
        self._near, self._seen = near, Seen(near)
        self._counts: Counter[int] = Counter()
        self._confirmed: dict[int, F] = {}
        self._undecided: dict[int, Failure] = {}
        self._fresh: list[int] = []
        self._streak = 0

    @property
    def rounds(self) -> int:
        return len(self._fresh) + len(self.failed)

    @property
    def missing(self) -> list[Failure]:
        """Rounds without a result, and findings that nobody could confirm or refute."""
        return by_place([*self.failed, *self._undecided.values()])

    @property
    def hopeless(self) -> str | None:
        is_over = self._streak >= MOST_FAILURES
        return f"{self._streak} rounds in a row failed" if is_over else None

    def news(self, reported: Sequence[F]) -> list[F]:
        """Return, once each, what says nothing that was seen and decided before."""
        fresh = Seen(self._near)
        news = []
        for item in reported:
            number, before = self._seen.find(words_of(item)), len(fresh)
            is_open = number is None or number in self._undecided
            if is_open and fresh.add(words_of(item)) == before:
                news.append(item)
        return news

    def add(self, number: int, reported: Sequence[F], new: Sequence[F], good: Sequence[F]) -> None:
        """Take in round *number*: what it reported, what of that is *new*, and of that *good*."""
        for item in reported:
            if self._number(item) == len(self.items):
                self.items.append(item)
        self._counts.update({self._number(item) for item in reported})
        for item in new:
            self._undecided.pop(self._number(item), None)
        for each in good.failed if isinstance(good, Results) else ():
            lost = new[each.place]
            why = f"{words_of(lost)[:80]}: {each.why}"
            self._undecided[self._number(lost)] = Failure(number, why, each.error)
        confirmed = {self._number(item): item for item in good}
        self._confirmed |= confirmed
        self._fresh.append(len(confirmed))
        self._streak = 0

    def fail(self, failure: Failure) -> None:
        """Take in a round without a result."""
        self.failed.append(Failure(self.rounds + 1, failure.why, failure.error))
        self._streak += 1

    def trail(self, spent: float) -> Trail[F]:
        """Return the facts for the rules."""
        numbers = sorted(self._confirmed)
        return Trail(
            tuple(self._confirmed[number] for number in numbers),
            tuple(self._counts[number] for number in numbers),
            tuple(self._fresh),
            len(self.failed),
            spent,
        )

    def _number(self, item: F) -> int:
        return self._seen.add(words_of(item))


def _share(account: Spent) -> float:
    caps = account.caps
    pairs = (
        (account.tokens, caps.tokens),
        (account.nanousd, caps.nanousd),
        (account.agents, caps.agents),
    )
    return max((spent / cap for spent, cap in pairs if cap), default=0.0)
