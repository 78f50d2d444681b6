"""Simulated judges beside the default one, shaped after real ones that were recorded.

Each has the position bias, the persistence of noise and the ties that judges of 2023 and 2024
showed on recorded pairs (research: calibration targets). How sharply they see beside one another
(*keen*) is the slope of their verdicts on the consensus of the others.
"""

from typing import Final

from .judge import JudgeProfile

_BROKEN_BIAS: Final = 2.2

JUDGES: Final[dict[str, JudgeProfile]] = {
    profile.name: profile
    for profile in (
        JudgeProfile(),
        JudgeProfile("sim:judge-strong", keen=1.4, bias=0.2, per_pair=0.5, per_order=0.4),
        JudgeProfile("sim:judge-middle", keen=1.2, bias=-0.8, per_pair=0.3, per_order=0.4),
        JudgeProfile("sim:judge-noisy", keen=0.7, bias=-0.9, per_pair=0.2, per_order=0.2),
        JudgeProfile(
            "sim:judge-biased",
            keen=0.2,
            bias=_BROKEN_BIAS,
            list_slope=_BROKEN_BIAS,
            per_pair=0.0,
            per_order=0.0,
        ),
    )
}
"""By name: strong as gpt-4-0613 was, middle as claude-3-sonnet, noisy as gemini-pro, biased (broken
by position) as claude-3-haiku on DevBench."""
