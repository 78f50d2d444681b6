"""What a simulated agent says: from call specs and a world to the text of each answer."""

import functools
import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ..simulation.calls import CallSpec
from ..simulation.generation import MADE_UP, fresh_ideas, ideas, is_kept, made_up, measure
from ..simulation.keyed import Floats, Ints, Keys, mix, text_key, text_keys
from ..simulation.profile import AgentProfile, profile_of
from ..simulation.skill import evidence, is_right, mistakes
from ..simulation.verification import SELF, SIBLING, STRANGER, holds_by_chance, upholds
from ..simulation.world import Thing, World
from .filling import Form, Json, dump

IDEAS: Final = 5
"""So many ideas are had in a call that does not say how many."""
NOTHING_KNOWN: Final = "This is a simulated answer."

_KINDS: Final = {
    "answer": "answer",
    "classify": "answer",
    "read": "answer",
    "find": "find",
    "generate": "generate",
    "synthesize": "synthesize",
}

Texts = list[str | None]
"""An answer for each call; None where the world knows nothing of it, or it cannot be said."""
Entry = tuple[str | None, list[Json]]


def kind_of(role: str, call: CallSpec | None) -> str:
    """Return by which mechanism a call is answered; `free`: by none."""
    if call is None:
        return "free"
    if role in ("verifier", "judge"):
        return role
    return _KINDS.get(call.task, "free") if role == "worker" else "answer"


class Player:
    """One simulated model at work in a world."""

    def __init__(self, profile: AgentProfile, seed: int, world: World) -> None:
        self.profile, self.seed, self.world = profile, seed, world
        self._measure = functools.lru_cache(maxsize=128)(self._measured)

    def texts(
        self,
        kind: str,
        calls: Sequence[CallSpec],
        keys: Keys,
        form: Form | None,
        context_tokens: Floats,
    ) -> Texts:
        """Return what each of *calls* of one *kind* is answered, in a *form* or as free text."""
        match kind:
            case "answer":
                return self._answers(calls, keys, form, context_tokens)
            case "verifier":
                return self._verdicts(calls, keys, form)
            case "find":
                return self._findings(calls, keys, form)
            case "generate":
                return self._ideas(calls, keys, form)
            case "synthesize":
                return self._synthesis(calls, keys, form)
        return [None] * len(calls)

    def _answers(
        self, calls: Sequence[CallSpec], keys: Keys, form: Form | None, context_tokens: Floats
    ) -> Texts:
        abouts = [self._known(call) for call in calls]
        rows, of = _flat(abouts)
        thing, call = self.world.keys[rows], keys[of]
        is_good = is_right(
            self.profile,
            self.seed,
            call=call,
            thing=thing,
            difficulty=self.world.difficulty[rows],
            context_tokens=context_tokens[of],
        )
        is_canonical, pick = mistakes(self.profile, self.seed, call=call, thing=thing)
        said = [
            self.world.things[row].truth if good else self._wrong(row, form, canonical, draw)
            for row, good, canonical, draw in zip(rows, is_good, is_canonical, pick, strict=True)
        ]
        texts: Texts = []
        start = 0
        for about, key in zip(abouts, keys, strict=True):
            names = [self.world.things[row].id for row in about]
            values = said[start : start + len(about)]
            start += len(about)
            texts.append(_answer(form, names, values, key))
        return texts

    def _known(self, call: CallSpec) -> list[int]:
        """Return the places of what *call* is about; none if there is one without a truth."""
        rows = [self.world.row(name) for name in call.about]
        found = [row for row in rows if row is not None and self._has_truth(row)]
        return found if len(found) == len(rows) else []

    def _has_truth(self, row: int) -> bool:
        return self.world.things[row].truth is not None

    def _wrong(self, row: int, form: Form | None, is_canonical: bool, pick: float) -> Json:
        thing = self.world.things[row]
        options = thing.wrong or _wrong_by_form(thing, form)
        if not options:
            return None
        rest = options[1:] or options
        return options[0] if is_canonical else rest[int(pick * len(rest))]

    def _verdicts(self, calls: Sequence[CallSpec], keys: Keys, form: Form | None) -> Texts:
        looked = [_look(self.world, call) for call in calls]
        claims = text_keys([call.claim or "\x1f".join(call.about) for call in calls])
        rows = np.array([-1 if row is None else row for row, _ in looked], np.int64)
        by_chance = holds_by_chance(claims)
        is_true = np.array(
            [c if t is None else t for (_, t), c in zip(looked, by_chance, strict=True)]
        )
        is_known = rows >= 0
        thing, difficulty = claims.copy(), np.zeros(len(rows))
        thing[is_known] = self.world.keys[rows[is_known]]
        difficulty[is_known] = self.world.difficulty[rows[is_known]]
        upheld = upholds(
            self.profile,
            self.seed,
            call=keys,
            thing=thing,
            claim=claims,
            difficulty=difficulty,
            is_true=is_true.astype(bool),
            author=np.array([self._author(call) for call in calls], np.int64),
        )
        said = {True: _ruling(form, "upheld", True), False: _ruling(form, "refuted", False)}
        return [_say(form, said[bool(u)], key) for u, key in zip(upheld, keys, strict=True)]

    def _author(self, call: CallSpec) -> int:
        if call.own or call.author == self.profile.name:
            return SELF
        author = profile_of(call.author or "")
        is_sibling = author is not None and author.family == self.profile.family
        return SIBLING if is_sibling else STRANGER

    def _findings(self, calls: Sequence[CallSpec], keys: Keys, form: Form | None) -> Texts:
        pools = [self.world.pool(call.about) for call in calls]
        rows, of = _flat(pools)
        things = [self.world.things[row] for row in rows]
        thing, call = self.world.keys[rows], keys[of]
        seen = evidence(
            self.profile,
            self.seed,
            call=call,
            thing=thing,
            detectability=np.array([t.detectability for t in things], np.float64),
            holds=np.array([t.is_true is not False for t in things], np.bool_),
        )
        beside = made_up(self.profile, call=call, thing=thing)
        found: list[list[Entry]] = [[] for _ in calls]
        for place in np.lexsort((thing, -seen, of)):
            if seen[place] > 0:
                found[of[place]] += _reported(things[place], beside[place])
        return [
            _list(form, entries[: call.count], key) if self._has_pool(call, pool) else None
            for entries, call, pool, key in zip(found, calls, pools, keys, strict=True)
        ]

    def _has_pool(self, call: CallSpec, pool: list[int]) -> bool:
        """Whether the world knows what is looked through: nothing in a known thing is an answer."""
        return bool(pool) or any(self.world.row(name) is not None for name in call.about)

    def _ideas(self, calls: Sequence[CallSpec], keys: Keys, form: Form | None) -> Texts:
        texts: Texts = [None] * len(calls)
        groups: dict[tuple[tuple[str, ...], str], list[int]] = {}
        for place, call in enumerate(calls):
            groups.setdefault((call.about, call.variant), []).append(place)
        for (about, variant), places in groups.items():
            pool = self.world.pool(about)
            if not pool:
                continue
            asked = [calls[place] for place in places]
            counts = [IDEAS if call.count is None else call.count for call in asked]
            drawn = self._drawn(about, variant, asked, keys[places], np.array(counts, np.int64))
            for place, chosen in zip(places, np.split(drawn, np.cumsum(counts)[:-1]), strict=True):
                things = (self.world.things[pool[idea]] for idea in chosen)
                texts[place] = _list(form, [_entry(thing) for thing in things], keys[place])
        return texts

    def _drawn(
        self,
        about: tuple[str, ...],
        variant: str,
        calls: Sequence[CallSpec],
        keys: Keys,
        counts: Ints,
    ) -> Ints:
        if np.isfinite(self.profile.alpha):
            return ideas(self._measure(about, variant), call=keys, count=counts)
        repeat = np.array([call.repeat for call in calls], np.int64)
        pool = self.world.keys[self.world.pool(about)]
        return fresh_ideas(self.seed, pool=pool, variant=variant, repeat=repeat, count=counts)

    def _measured(self, about: tuple[str, ...], variant: str) -> Floats:
        rows = self.world.pool(about)
        weights = np.array([self.world.things[row].weight for row in rows])
        keys = self.world.keys[rows]
        return measure(self.profile, self.seed, pool=keys, weights=weights, variant=variant)

    def _synthesis(self, calls: Sequence[CallSpec], keys: Keys, form: Form | None) -> Texts:
        names, of = _flat_names([call.about for call in calls])
        thing, call = text_keys(names), keys[of]
        among = np.array([len(call.about) for call in calls], np.float64)[of]
        is_in = is_kept(self.profile, call=call, thing=thing, among=among)
        beside = made_up(self.profile, call=call, thing=thing)
        kept: list[list[Entry]] = [[] for _ in calls]
        for place in np.flatnonzero(is_in):
            known = self.world.find(names[place]) or Thing(names[place])
            kept[of[place]] += _reported(known, beside[place])
        return [
            _list(form, entries, key) if call.about else None
            for entries, call, key in zip(kept, calls, keys, strict=True)
        ]


def _flat(lists: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Return all numbers of *lists*, one after the other, and which list each is of."""
    sizes = [len(each) for each in lists]
    flat = np.fromiter((row for each in lists for row in each), np.int64, sum(sizes))
    return flat, np.repeat(np.arange(len(lists)), sizes)


def _flat_names(lists: Sequence[Sequence[str]]) -> tuple[list[str], Ints]:
    sizes = [len(each) for each in lists]
    return [name for each in lists for name in each], np.repeat(np.arange(len(lists)), sizes)


def _say(form: Form | None, values: Sequence[Json], key: np.uint64) -> str | None:
    return _text(values[0]) if form is None else form.answer(values, key)


def _list(form: Form | None, entries: Sequence[Entry], key: np.uint64) -> str | None:
    if form is not None:
        return form.listed(entries, key)
    return "\n".join(f"- {values[-1]}" for _, values in entries) or "(nothing)"


def _answer(
    form: Form | None, names: Sequence[str], values: Sequence[Json], key: np.uint64
) -> str | None:
    if not values or any(value is None for value in values):
        return None
    if len(values) == 1:
        return _say(form, values, key)
    if form is None:
        return "\n".join(
            f"{name}: {_text(value)}" for name, value in zip(names, values, strict=True)
        )
    pairs = zip(names, values, strict=True)
    entries: list[Entry] = [(name, [value, _text(value)]) for name, value in pairs]
    return form.listed(entries, key) or form.answer(values[:1], key)


def _reported(thing: Thing, beside: str | None) -> list[Entry]:
    entries = [_entry(thing)]
    return entries if beside is None else [*entries, (None, [beside])]


def _entry(thing: Thing) -> Entry:
    """Return how a finding or an idea is said: as the value that it is, or else in its words."""
    is_whole = isinstance(thing.truth, (dict, list))
    return None, [thing.truth, thing.text] if is_whole else [thing.text]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dump(value)


def _wrong_by_form(thing: Thing, form: Form | None) -> tuple[Json, ...]:
    """Return wrong answers where the world names none: the other labels, or what is near."""
    truth = thing.truth
    labels = [] if form is None else form.labels(truth)
    if others := [label for label in labels if label != truth]:
        keys = mix(text_key("wrong", thing.id), text_keys([dump(label) for label in others]))
        return tuple(others[place] for place in np.argsort(keys, kind="stable"))
    if isinstance(truth, bool):
        return (not truth,)
    if isinstance(truth, (int, float)):
        return (truth + 1, truth - 1, 2 * truth + 2)
    return (f"not {truth}",) if isinstance(truth, str) else ()


def _ruling(form: Form | None, word: str, is_upheld: bool) -> list[Json]:
    """Return how a verifier can say it: as the word or as a boolean, as the form has it."""
    if form is None or word in form.labels(word):
        return [word]
    return [is_upheld, word]


def _look(world: World, call: CallSpec) -> tuple[int | None, bool | None]:
    """Return which thing a claim is about and whether it is true; None where nobody knows."""
    claim = call.claim or ""
    if MADE_UP in claim:
        return None, False
    parts = list(_parts(_parsed(claim)))
    for text in (claim, *parts):
        row = world.row(text) if isinstance(text, str) else None
        if row is not None and world.things[row].is_true is not None:
            return row, world.things[row].is_true
    for name in call.about:
        row = world.row(name)
        if row is not None and world.things[row].truth is not None:
            truth = world.things[row].truth
            said = {claim, *(dump(part) for part in parts)}
            return row, not said.isdisjoint((dump(truth), _text(truth)))
    return None, None


def _parsed(claim: str) -> Json:
    try:
        return json.loads(claim)
    except (ValueError, RecursionError):
        return claim


def _parts(value: Json) -> Iterator[Json]:
    """Yield *value* and all that stands in it."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, (dict, list)):
            waiting += reversed(part.values() if isinstance(part, dict) else part)
