"""The law of a simulated agent's skill: which things it gets right, and which ones it finds.

About thing i, model m of family f is right iff z > 0, with
`z = theta - sd_difficulty*b_i + sd_family*eps[f,i] + sd_model*eps[m,i] - context + logistic(call)`
and theta solved so that the mean at b = 0 is `acc0`. eps are standard normal and keyed by family
or model and thing, so what is asked again, or of a sibling, errs where the first one did.
A finding of detectability p is reported iff `theta_p + gain + eps terms + logistic(call) > 0`, with
theta_p solved so that the reference model (gain 0) reports it in a share p of its passes.
Source: research notes on simulation, 5.3 A; correlated errors, 1.4.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from .keyed import Floats, Keys, mix, normal, text_key, uniform
from .profile import SONNET, AgentProfile

Flags = npt.NDArray[np.bool_]

_FRESH, _AGREE, _PICK = text_key("fresh"), text_key("agree"), text_key("pick")
_FREE_TOKENS = 4096
_FAR = 40.0


def is_right(
    profile: AgentProfile,
    seed: int,
    *,
    call: Keys,
    thing: Keys,
    difficulty: Floats,
    context_tokens: Floats,
) -> Flags:
    """Return which of the answers, one a *call* and *thing*, are right."""
    doublings = np.log2(np.maximum(context_tokens, _FREE_TOKENS) / _FREE_TOKENS)
    burden = profile.sd_difficulty * difficulty + profile.context_loss * doublings
    z = theta(profile) - burden + shared_luck(profile, seed, thing) + logistic(call, thing)
    return np.asarray(z > 0)


def mistakes(profile: AgentProfile, seed: int, *, call: Keys, thing: Keys) -> tuple[Flags, Floats]:
    """Return whether a wrong answer is the canonical one, and the draw that picks another.

    The first is drawn once for a family and a thing: its models are wrong in the same way.
    """
    family = text_key("family", seed, profile.family)
    is_canonical = uniform(mix(family, _AGREE, thing)) < profile.agree_wrong
    return is_canonical, uniform(mix(call, _PICK, thing))


def evidence(
    profile: AgentProfile,
    seed: int,
    *,
    call: Keys,
    thing: Keys,
    detectability: Floats,
    holds: Flags,
) -> Floats:
    """Return how plainly each finding was seen: reported iff above 0.

    What does not hold is a trap: the abler the model, the more rarely it falls for it.
    """
    spread = spread_of(profile)
    gain = theta(profile) - level(np.array([SONNET.acc0]), spread)[0]
    luck = shared_luck(profile, seed, thing) + logistic(call, thing)
    with np.errstate(invalid="ignore"):  # who never falls for a trap that nobody can miss
        z = level(detectability, spread) + np.where(holds, gain, -gain) + luck
    return np.asarray(np.where(detectability > 0, z, -np.inf), np.float64)


def shared_luck(profile: AgentProfile, seed: int, thing: Keys) -> Floats:
    """Return what every call of the model meets at each thing, in logits: above 0 is easier."""
    family, model = eps(profile, seed, thing)
    return profile.sd_family * family + profile.sd_model * model


def eps(profile: AgentProfile, seed: int, thing: Keys) -> tuple[Floats, Floats]:
    """Return the standard normal draws of the model's family and of itself at each thing."""
    family = normal(mix(text_key("family", seed, profile.family), thing))
    return family, normal(mix(text_key("model", seed, profile.name), thing))


def logistic(call: Keys, thing: Keys) -> Floats:
    """Return the part of the luck that is new with each call, in logits."""
    drawn = uniform(mix(call, _FRESH, thing))
    return np.log(drawn) - np.log1p(-drawn)


def spread_of(profile: AgentProfile) -> float:
    """Return the standard deviation of what persists, family and model together."""
    return float(np.hypot(profile.sd_family, profile.sd_model))


@cache
def theta(profile: AgentProfile) -> float:
    """Return the ability in logits at which the mean accuracy at reference difficulty is acc0."""
    return float(level(np.array([profile.acc0]), spread_of(profile))[0])


def expected(mean: Floats, sd: float) -> Floats:
    """Return E[1 / (1 + exp(-(mean + sd * Z)))] for standard normal Z, by Gauss-Hermite."""
    from scipy.special import expit  # here, because only hosts that simulate need it

    nodes, weights = hermite()
    return np.asarray(expit(np.asarray(mean)[..., None] + sd * nodes) @ weights, np.float64)


def level(share: Floats, sd: float) -> Floats:
    """Return the mean at which `expected` is *share*; infinite for shares of 0 and 1."""
    grid, logits = _levels(sd)
    with np.errstate(divide="ignore"):
        wanted = np.log(share) - np.log1p(-np.asarray(share))
    found = np.interp(wanted, logits, grid)
    return np.asarray(np.where(np.isinf(wanted), wanted, found), np.float64)


@cache
def hermite() -> tuple[Floats, Floats]:
    """Return nodes and weights of the standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    return nodes, weights / weights.sum()


@cache
def _levels(sd: float) -> tuple[Floats, Floats]:
    grid = np.linspace(-_FAR, _FAR, 8001)
    low = expected(-np.abs(grid), sd)  # precise near 0, where 1 - share would not be
    logits = np.log(low) - np.log1p(-low)
    return grid, np.where(grid > 0, -logits, logits)
