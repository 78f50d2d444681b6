"""Rankings: which matches to ask next, and what order their outcomes support."""

from .engine import Diagnosis, PosteriorRanking
from .score import TruthScore, score_against

__all__ = ["Diagnosis", "PosteriorRanking", "TruthScore", "score_against"]
