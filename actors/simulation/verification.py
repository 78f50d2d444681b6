"""The law of a simulated verifier: which claims it upholds.

A right claim about thing i is upheld iff `t - verify_difficulty*b_i + r + logistic(call) > 0`, with
t solved from `tpr`; a wrong one iff `w + shift - r' + logistic(call) > 0`, w solved from `1 - tnr`.
r and r' persist: `sd*(shared*eps + sqrt(1 - shared^2)*eps2)` for its family and for itself. eps is
the luck of its skill at the thing, so what fooled an author of its family fools it as well; eps2 is
a draw of its own for the claim, so the votes of a family agree, right or wrong. The shift for
claims by its own model, or its family, is what brings the rate of false acceptances, among the
claims that such an author got wrong, to `own_ratio` or `family_ratio` times the others'.
Source: research notes on simulation, 5.3 D and 5.4.
"""

from functools import cache
from typing import Final

import numpy as np

from .keyed import Floats, Ints, Keys, mix, normal, text_key
from .profile import AgentProfile
from .skill import Flags, eps, expected, hermite, level, logistic, spread_of, theta

_DOUBT: Final = text_key("doubt")
_HIGHEST: Final = 0.999
STRANGER: Final = 0
SIBLING: Final = 1
SELF: Final = 2
"""Who wrote a claim, as a verifier of some model sees it."""


def upholds(
    profile: AgentProfile,
    seed: int,
    *,
    call: Keys,
    thing: Keys,
    claim: Keys,
    difficulty: Floats,
    is_true: Flags,
    author: Ints,
) -> Flags:
    """Return which of the claims are upheld; *author* is STRANGER, SIBLING or SELF."""
    spread = spread_of(profile)
    base_true, base_wrong = level(np.array([profile.tpr, 1 - profile.tnr]), spread)
    known = _weighed(profile, eps(profile, seed, thing))
    about = mix(_DOUBT, thing, claim)
    doubt = np.sqrt(1 - profile.shared**2) * _weighed(profile, eps(profile, seed, about))
    for_true = base_true - profile.verify_difficulty * difficulty + profile.shared * known
    shift = np.array([0.0, *_shifts(profile)])[author]
    for_wrong = base_wrong + shift - profile.shared * known
    z = np.where(is_true, for_true, for_wrong) + doubt + logistic(call, claim)
    return np.asarray(z > 0)


def holds_by_chance(claim: Keys) -> Flags:
    """Return which claims of no known world are taken to be true: half of them, by their hash."""
    return np.asarray(normal(mix(text_key("holds"), claim)) > 0)


def _weighed(profile: AgentProfile, luck: tuple[Floats, Floats]) -> Floats:
    return profile.sd_family * luck[0] + profile.sd_model * luck[1]


@cache
def _shifts(profile: AgentProfile) -> tuple[float, float]:
    """Return the shifts in logits for wrong claims of a sibling and of the model itself."""
    rest = np.sqrt(1 - profile.shared**2)
    family = _shift(profile, profile.family_ratio, profile.sd_family, profile.sd_model, rest)
    return family, _shift(profile, profile.own_ratio, spread_of(profile), 0.0, rest)


def _shift(profile: AgentProfile, ratio: float, sd: float, other_sd: float, rest: float) -> float:
    """Solve for the shift where luck of spread *sd* is common to author and verifier."""
    if profile.tnr >= 1.0:
        return 0.0
    nodes, weights = hermite()
    if profile.acc0 < 1.0:
        weights = weights * expected(-(theta(profile) + sd * nodes), other_sd)
        weights = weights / weights.sum()
    base = level(np.array([1 - profile.tnr]), spread_of(profile))[0]
    wanted = min(ratio * (1 - profile.tnr), _HIGHEST)
    spread = float(np.hypot(rest * sd, other_sd))
    low, high = -20.0, 20.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        accepted = weights @ expected(base + middle - profile.shared * sd * nodes, spread)
        low, high = (middle, high) if accepted < wanted else (low, middle)
    return (low + high) / 2
