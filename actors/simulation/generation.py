"""The law of what simulated agents make: ideas with duplicates, made-up claims, omissions.

Ideas are draws from a random measure over a pool: a Dirichlet process of concentration `alpha`
whose base measure is the ideas' weights. So the number of different ones is that of a
Chinese-restaurant process, `sum alpha / (alpha + n)`, whatever calls they come from. The measure of
a prompt variant is that of its family, Gamma(overlap*alpha*g), plus its own,
Gamma((1 - overlap)*alpha*g), normalised.
A synthesiser loses each of n things with probability `1 / (1 + (n50 / n)^shape)`.
Source: research notes on simulation, 5.3 B, G and I; G2 for alpha.
"""

from typing import Final

import numpy as np

from .keyed import Floats, Ints, Keys, mix, text_key, uniform
from .profile import AgentProfile
from .skill import Flags

MADE_UP: Final = "a simulated claim that nothing supports: "
"""How every made-up claim begins: a simulated verifier knows that it is wrong."""

_MADE_UP, _KEPT, _SLOT = text_key("made up"), text_key("kept"), text_key("slot")


def measure(
    profile: AgentProfile, seed: int, *, pool: Keys, weights: Floats, variant: str
) -> Floats:
    """Return the cumulative chance of each idea of *pool* with this prompt *variant*."""
    from scipy.special import gammaincinv  # here, because only hosts that simulate need it

    shape = profile.alpha * weights / weights.sum()
    common = uniform(mix(text_key("ideas", seed, profile.family), pool))
    own = uniform(mix(text_key("ideas", seed, profile.name, variant), pool))
    mass = np.zeros(len(pool))
    for part, drawn in ((profile.overlap, common), (1 - profile.overlap, own)):
        if part:
            mass += gammaincinv(part * shape, drawn)
    if not mass.sum() > 0:  # so concentrated that every mass is too small to write down
        mass = np.where(common == common.max(), 1.0, 0.0)
    return np.asarray(np.cumsum(mass) / mass.sum(), np.float64)


def ideas(cumulative: Floats, *, call: Keys, count: Ints) -> Ints:
    """Return the places in the pool of the ideas of all calls, *count* each, call after call."""
    slot = _slots(count)
    drawn = uniform(mix(np.repeat(call, count), _SLOT, slot))
    places = np.searchsorted(cumulative, drawn).astype(np.int64)
    return np.minimum(places, len(cumulative) - 1)


def fresh_ideas(seed: int, *, pool: Keys, variant: str, repeat: Ints, count: Ints) -> Ints:
    """Return ideas as an ideal agent has them: none twice, in all repeats, while the pool lasts."""
    order = np.argsort(mix(text_key("ideas", seed, variant), pool), kind="stable")
    place = np.repeat(repeat % (2**31) * count, count) + _slots(count).astype(np.int64)
    return np.asarray(order[place % len(pool)], np.int64)


def made_up(profile: AgentProfile, *, call: Keys, thing: Keys) -> list[str | None]:
    """Return the claim that was made up beside each reported thing, or None."""
    keys = mix(call, _MADE_UP, thing)
    is_made_up = uniform(keys) < profile.hallucination
    names: list[str | None] = [None] * len(keys)
    for place in np.flatnonzero(is_made_up):
        names[place] = f"{MADE_UP}{int(mix(keys[place])):016x}"
    return names


def is_kept(profile: AgentProfile, *, call: Keys, thing: Keys, among: Floats) -> Flags:
    """Return which of the things a synthesiser keeps, each *among* so many."""
    kept = 1 / (1 + (among / profile.n50) ** profile.omission_shape)
    return np.asarray(uniform(mix(call, _KEPT, thing)) < kept)


def _slots(count: Ints) -> Keys:
    """Return 0, 1, ... for each of *count*, one after the other."""
    ends = np.cumsum(count)
    starts = np.repeat(ends - count, count)
    return (np.arange(len(starts)) - starts).astype(np.uint64)
