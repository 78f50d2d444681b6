"""What to ask next, and of whom: the question and the judges that tell most for their price.

Pure deciders: what is known in, a step out. `Always` asks one question; `Panel` finds out which of
several judges see well; `Planner` runs a pilot, and chooses the question by what it found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ...actors.questions import Question
from .audit import Honesty, Swaps
from .economics import Prices, Traits, value
from .likelihood import FAR, Judge, Key
from .scale import Signal

PAIR, GRADED, LIST = Question("pair"), Question("graded"), Question("list", 10)
OFFERED: Final = (PAIR, GRADED, LIST)
"""What a planner chooses from."""

PILOT_ITEMS: Final = 150
PILOT_TRIES, PILOT_PAIRS, PILOT_LISTS, PILOT_SWAPS = 12, 300, 60, 60
"""The pilot: a try whether grades are answered at all, so many graded pairs, then as many again
with these lists, and pairs swapped."""

SMALL: Final = 500
"""Among so few items a pilot would cost a quarter of the ranking and more: lists are asked."""

STAYS: Final = 0.93
"""Another question is asked only if the present one has less than this share of its value."""

SURPRISE: Final = 0.3
"""How far the logarithm of lists' noise may well be from what is assumed."""

PROBE: Final = 12
PROBE_ITEMS: Final = 100
"""Calls of each judge of a panel before any is preferred, and of how many items: only where lists
share items is it seen who contradicts the others."""

WORST: Final = 0.25
"""A judge that tells less than this share of the best one, for its price, is not asked again."""

MUCH_FLIPPING: Final = 0.4
"""A judge that changes its mind on more pairs than this when they are swapped is reported."""


FAINT: Final = 4.0
"""A signal of fewer standard errors is chance, if the judge flips besides."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the next round asks: *question*, of the judges in proportion to their *shares*.

    *calls* are as many as the stop rule wants where None; *among* bounds how many items take part,
    *swapped* pairs are asked again in the other order.
    """

    question: Question
    shares: tuple[float, ...] = (1.0,)
    calls: int | None = None
    among: int | None = None
    swapped: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What a policy is told after each round."""

    judges: Mapping[Key, Judge]
    signal: Signal
    swaps: Swaps
    honesty: Honesty
    counts: Mapping[Key, int]
    """How many answers there are of each part."""


class Policy(Protocol):
    """Decides what is asked; may keep what it has decided, so it belongs to one ranking."""

    main: Question
    """The question that calls are counted by."""

    audits: bool
    """Whether it wants to know if grades follow the strength of the preference."""

    keeps: bool
    """Whether a judge that tells nothing is to be asked, and believed, all the same."""

    def steps(self, known: Known) -> list[Step]:
        """Return the parts of the next round; none where the judge is not worth asking."""
        ...

    def notes(self, known: Known) -> list[str]:
        """Return what a person should know of the judges."""
        ...


@dataclass(slots=True)
class Always:
    """Asks one question of one judge."""

    main: Question
    keeps: bool = False
    audits: bool = False

    def steps(self, known: Known) -> list[Step]:
        """Return the one question, as often as is wanted."""
        return [Step(self.main)]

    def notes(self, known: Known) -> list[str]:
        """Return nothing: nothing was found out."""
        return []


@dataclass(slots=True)
class Panel:
    """Asks one question of several judges: of all at first, then of those who see well.

    *names* are the judges', *prices* what a call costs of each.
    """

    main: Question
    names: Sequence[str]
    prices: Sequence[float]
    keeps: bool = False
    is_probed: bool = False
    shares: tuple[float, ...] = ()
    audits: bool = False

    def steps(self, known: Known) -> list[Step]:
        """Return a probe of every judge, then as many calls as wanted of the better ones."""
        if not self.is_probed:
            self.is_probed = True
            even = (1.0,) * len(self.names)
            return [Step(self.main, even, calls=PROBE * len(self.names), among=PROBE_ITEMS)]
        self.shares = self._shares(known)
        return [Step(self.main, self.shares)]

    def notes(self, known: Known) -> list[str]:
        """Return how the judges differ, where they do."""
        if not self.shares:
            return []
        told = [
            f"{name}: keenness {self._judge(known, place).keen:.2f}, "
            f"position bias {self._judge(known, place).bias:+.2f}, {share:.0%} of the calls"
            for place, (name, share) in enumerate(zip(self.names, self.shares, strict=True))
        ]
        return [f"the panel at the end: {'; '.join(told)}"]

    def _shares(self, known: Known) -> tuple[float, ...]:
        keen = [self._judge(known, place).keen for place in range(len(self.names))]
        told = [k * k / price for k, price in zip(keen, self.prices, strict=True)]
        best = max(told)
        kept = [(each / best) ** 2 if each >= WORST * best else 0.0 for each in told]
        return tuple(each / sum(kept) for each in kept)

    def _judge(self, known: Known, place: int) -> Judge:
        return known.judges.get((place, self.main.kind), Judge())


@dataclass(slots=True)
class Planner:
    """Finds out about a judge in a pilot, and asks what tells most for its price.

    *traits* are known where somebody measured this judge before: then there is no pilot. A judge
    that seems to know nothing is given up after it, unless it is to be kept (*keeps*).
    """

    n: int
    prices: Prices
    traits: Traits | None = None
    keeps: bool = False
    main: Question = GRADED
    audits: bool = True
    pilot: int = 0
    pair: Question = GRADED
    """What the pilot asks about pairs: plain ones where grades get no answer."""

    found: Traits | None = field(default=None)
    is_refused: bool = False
    changed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.has_pilot:
            self.pilot = 3
            self.main = self._best(self.traits or Traits())

    @property
    def has_pilot(self) -> bool:
        """Whether it begins with a pilot: among many items, and where nothing is known."""
        return self.n > SMALL and self.traits is None

    def steps(self, known: Known) -> list[Step]:
        """Return a part of the pilot, or the question that tells most by what is known now."""
        self.pilot += 1
        if self.pilot <= 3:
            return self._pilot(known)
        if self.n <= SMALL:
            return [Step(self.main)]
        if self.traits is None or known.judges:
            self.found = found = self._learned(known)
            if self.pilot == 4 and self._refuses(known):
                return []
            self._choose(found)
        return [Step(self.main)]

    def _pilot(self, known: Known) -> list[Step]:
        """Return the next part of the pilot; its last one is short where no signal was seen."""
        among = min(self.n, PILOT_ITEMS)
        if self.pilot == 1:
            return [Step(GRADED, calls=PILOT_TRIES, among=among)]
        if self.pilot == 2:
            if known.counts.get((0, "graded"), 0) < PILOT_TRIES // 4:
                self.pair = self.main = PAIR
            return [Step(self.pair, calls=PILOT_PAIRS, among=among)]
        swapped = 0 if known.swaps.asked else PILOT_SWAPS
        if known.signal.is_weak and swapped and not self.keeps:
            self.pilot -= 1  # before more is spent, see whether it flips
            return [Step(self.pair, calls=0, among=among, swapped=swapped)]
        if self._refuses(known):
            return []
        lists = Step(LIST, calls=PILOT_LISTS, among=among)
        return [Step(self.pair, calls=PILOT_PAIRS, among=among, swapped=swapped), lists]

    def _refuses(self, known: Known) -> bool:
        """Whether the judge is given up: its answers could be chance."""
        self.is_refused = _knows_nothing(known) and not self.keeps
        return self.is_refused

    def notes(self, known: Known) -> list[str]:
        """Return what the pilot found and what was chosen, in words."""
        swaps, found, notes = known.swaps, self.found, []
        if swaps.asked:
            ties = swaps.flipped - swaps.first - swaps.second
            flips = (
                f"{swaps.flipped} of {swaps.asked} pairs flipped when they were swapped "
                f"({swaps.first} to whichever came first, {swaps.second} to the second"
                f"{f', {ties} from or to a tie' if ties else ''})"
            )
            if self.is_refused:
                notes.append(
                    f"this judge was refused after the pilot: its answers do not depend on the "
                    f"texts, and {flips}; --keep-judge asks it on"
                )
            elif swaps.share > MUCH_FLIPPING:
                notes.append(f"this judge is of two minds: {flips}")
            else:
                notes.append(f"pilot: {flips}")
        if found is not None and not self.is_refused:
            noise = f"a list of ten is {found.list_noise:.2f} times as noisy as a pair"
            grades = "" if found.is_graded else "; its grades do not follow its preference"
            notes.append(f"judge: {noise}{grades}; asked {self.main}")
        return [*notes, *self.changed]

    def _choose(self, found: Traits) -> None:
        best = self._best(found)
        if best == self.main:
            return
        if self.pilot > 4:
            if value(self.main, found, self.prices) > STAYS * value(best, found, self.prices):
                return
            self.changed.append(f"the question was changed from {self.main} to {best}")
        self.main = best

    def _best(self, traits: Traits) -> Question:
        offered = [GRADED if traits.is_graded else PAIR, LIST]
        if self.n <= SMALL:
            return LIST
        return max(offered, key=lambda question: value(question, traits, self.prices))

    def _learned(self, known: Known) -> Traits:
        """Return what the answers so far say of the judge; what they do not say is assumed."""
        assumed = self.traits or Traits()
        kinds = {kind: judge for (place, kind), judge in known.judges.items() if place == 0}
        pair = kinds.get("graded") or kinds.get("pair")
        listed = kinds.get("list")
        noise = assumed.list_noise
        if pair is not None and listed is not None:
            noise *= (pair.keen / listed.keen / noise) ** self._trust(known)
        is_graded = self.pair == GRADED and not known.honesty.is_in_doubt
        traits = replace(assumed, list_noise=noise, is_graded=is_graded)
        if known.swaps.asked:
            traits = replace(traits, flips=known.swaps.share)
        if pair is not None and pair.much < FAR:
            traits = replace(traits, tie=pair.tie, much=pair.much)
        return traits

    def _trust(self, known: Known) -> float:
        """Return how much the measured noise of lists counts, beside what is assumed of it.

        Measured in pilots (simulated), the variance of its logarithm is 1.7 over the lists.
        """
        lists = sum(n for (_, kind), n in known.counts.items() if kind == "list")
        return lists / (lists + 1.7 / SURPRISE**2)


def _knows_nothing(known: Known) -> bool:
    """Whether a pilot's answers could be chance: also where they hardly differ from it, and the
    verdict changes with the order as often as chance would have it."""
    signal = known.signal
    is_faint = signal.noise > 0.0 and signal.excess < FAINT * signal.noise
    return signal.is_absent or (is_faint and known.swaps.share > MUCH_FLIPPING)
