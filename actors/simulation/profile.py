"""Profiles of simulated agents: what a model can do, what it costs, and how well that is known."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

_PREFIX: Final = "sim:"


@dataclass(frozen=True, slots=True)
class Provenance:
    """One parameter of a profile: its value, how well it is known, and from where.

    Grades: M measured by us, P published by who measured it, S second-hand, D derived from such
    numbers, G a guess.
    """

    name: str
    value: float
    grade: str
    source: str

    @property
    def is_weak(self) -> bool:
        """Whether a report must warn of it: neither measured nor published."""
        return self.grade not in ("M", "P")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfile:
    """Parameters of a simulated agent; the defaults are those of a sonnet-like model.

    Standard deviations and losses are in logits, shares and rates between 0 and 1. Off, mechanism
    by mechanism: `acc0` 1 (skill); `tpr`, `tnr` 1 (verifier), ratios 1, shares 0; `n50` infinite
    (omission); `alpha` infinite (duplicates); rates 0; tokens 0 (an answer takes its own length);
    `ttft_s` 0 and `speed` infinite. GRADES says where each number is from.
    """

    name: str = "sim:sonnet"
    family: str = "claude"
    priced_as: str = "claude-sonnet-5-5"
    version: str = "2026-11"

    acc0: float = 0.85
    """Mean accuracy on items of reference difficulty, in a fresh context."""
    sd_difficulty: float = 1.84
    sd_family: float = 1.12
    sd_model: float = 1.26
    agree_wrong: float = 0.60
    """How often a wrong answer is the item's canonical one: one draw a family and item."""
    context_loss: float = 0.10
    """Logits lost each time that the context doubles over 4k tokens."""

    tpr: float = 0.86
    """How often a verifier upholds a right claim."""
    tnr: float = 0.76
    """How often a verifier refutes a wrong claim of another family's model."""
    verify_difficulty: float = 1.0
    """Logits by which a right claim about an item one sd harder is upheld less."""
    own_ratio: float = 1.3
    """False acceptances of the model's own claims, relative to those of another family's."""
    family_ratio: float = 1.1
    """The same for claims of its family's other models."""
    shared: float = 0.2
    """Correlation of what clouds a model as a verifier with what clouded it as a worker."""

    n50: float = 2500.0
    """Items at which a synthesiser loses half of them."""
    omission_shape: float = 2.5

    alpha: float = 44.0
    """Concentration of the Chinese-restaurant process of ideas, for one prompt."""
    overlap: float = 0.5
    """The share of the ideas' measure that all prompts of a family have in common."""
    hallucination: float = 0.013
    """Made-up claims for each claim that is reported."""

    refusal: float = 0.003
    schema_failure: float = 0.0005
    schema_persistent: float = 0.5
    """The share of schema failures' noise that persists per (model, schema)."""
    transient: float = 0.005

    worker_tokens: float = 600.0
    """Median output tokens of a worker, before it thinks."""
    verifier_tokens: float = 250.0
    reader_tokens: float = 150.0
    thinking_tokens: float = 200.0
    """Median thinking tokens at medium effort."""
    tokens_sd: float = 0.6
    ttft_s: float = 1.6
    """Median time to the first token."""
    ttft_sd: float = 0.25
    speed: float = 85.0
    """Median output tokens a second."""
    speed_sd: float = 0.10
    slow_share: float = 0.01
    """The share of requests that start *slow_factor* times as late, with spread *slow_sd*."""
    slow_factor: float = 10.0
    slow_sd: float = 0.8

    def __post_init__(self) -> None:
        if not self.name.startswith(_PREFIX):
            raise ValueError(f"a simulated model says so in its name: {_PREFIX}{self.name}")

    def provenance(self) -> list[Provenance]:
        """Return every parameter of this profile with its grade and source."""
        return [
            Provenance(name, float(getattr(self, name)), *GRADES[name])
            for name in (field.name for field in fields(self))
            if name in GRADES
        ]


GRADES: Final[Mapping[str, tuple[str, str]]] = {
    "acc0": ("G", "5.4: set per class of task"),
    "sd_difficulty": ("D", "4.6, from measured judges"),
    "sd_family": ("D", "4.6, from measured judges"),
    "sd_model": ("D", "4.6, from measured judges"),
    "agree_wrong": ("P", "C1: arXiv 2506.07962"),
    "context_loss": ("D", "L10-L11, plain look-up, shrunk for 2026"),
    "tpr": ("G", "5.4; direction P, V1: arXiv 2509.17995"),
    "tnr": ("G", "5.4; direction P, V1: arXiv 2509.17995"),
    "verify_difficulty": ("G", "direction P, V1: arXiv 2509.17995"),
    "own_ratio": ("D", "5.4: capped at 1.5 by J11"),
    "family_ratio": ("D", "5.4: capped at 1.5 by J11"),
    "shared": ("G", "chosen so that it explains most of family_ratio"),
    "n50": ("D", "L2-L4, light instructions"),
    "omission_shape": ("D", "L2-L4, light instructions"),
    "alpha": ("D", "G2, from Si et al., arXiv 2409.04109"),
    "overlap": ("G", "no data"),
    "hallucination": ("D", "G4-G5: Vectara leaderboard, March 2026"),
    "refusal": ("P", "R1: Vectara leaderboard"),
    "schema_failure": ("S", "F1, strict output"),
    "schema_persistent": ("D", "C4: share of luck that persists over retries"),
    "transient": ("G", "5.4; a production trace has .018-.073, T2"),
    "worker_tokens": ("G", "no data"),
    "verifier_tokens": ("G", "no data"),
    "reader_tokens": ("G", "no data"),
    "thinking_tokens": ("G", "no data"),
    "tokens_sd": ("G", "5.3 H"),
    "ttft_s": ("G", "2.3, scaled from models before"),
    "ttft_sd": ("M", "2.3: LLMPerf raw data"),
    "speed": ("G", "2.3, scaled from models before"),
    "speed_sd": ("M", "2.3: LLMPerf raw data"),
    "slow_share": ("G", "2.3: one endpoint's tail"),
    "slow_factor": ("G", "2.3: one endpoint's tail"),
    "slow_sd": ("G", "2.3: one endpoint's tail"),
}
"""The grade and source of each parameter; numbers of sections and findings are those of the
research notes on simulation."""

SONNET: Final = AgentProfile()
HAIKU: Final = AgentProfile(
    name="sim:haiku",
    priced_as="claude-haiku-5-5",
    acc0=0.75,
    context_loss=0.15,
    tpr=0.80,
    tnr=0.65,
    own_ratio=1.25,
    n50=1000.0,
    alpha=40.0,
    hallucination=0.012,
    refusal=0.005,
    thinking_tokens=0.0,
    ttft_s=0.7,
    speed=120.0,
)
OPUS: Final = AgentProfile(
    name="sim:opus",
    priced_as="claude-opus-5-5",
    acc0=0.90,
    context_loss=0.06,
    tpr=0.90,
    tnr=0.82,
    n50=3500.0,
    alpha=50.0,
    hallucination=0.012,
    thinking_tokens=400.0,
    ttft_s=2.5,
    speed=60.0,
)
OTHER: Final = AgentProfile(name="sim:other", family="other")
"""As able and as dear as SONNET, of another family: its errors are its own."""

IDEAL: Final = AgentProfile(
    name="sim:ideal",
    family="ideal",
    acc0=1.0,
    context_loss=0.0,
    tpr=1.0,
    tnr=1.0,
    verify_difficulty=0.0,
    own_ratio=1.0,
    family_ratio=1.0,
    shared=0.0,
    n50=float("inf"),
    alpha=float("inf"),
    hallucination=0.0,
    refusal=0.0,
    schema_failure=0.0,
    transient=0.0,
    worker_tokens=0.0,
    verifier_tokens=0.0,
    reader_tokens=0.0,
    thinking_tokens=0.0,
    ttft_s=0.0,
    speed=float("inf"),
    slow_share=0.0,
)
"""Every mechanism off."""

_PROFILES: Final = {p.name: p for p in (HAIKU, SONNET, OPUS, OTHER, IDEAL)}


def profile_of(name: str) -> AgentProfile | None:
    """Return the profile of the simulated model *name*; None if it is not one of ours."""
    return _PROFILES.get(name)
