"""Pointwise: each item gets a score by itself, and nothing is compared."""

import numpy as np

from ....actors.questions import Question
from .script import Script, Verdict
from .scripted import ScriptedRanking


class Pointwise(ScriptedRanking):
    """Scores from 1 to 10, the mean of *votes* for each item: n calls a vote, in one round.

    Ties are many, and are broken by the order of the items. Who got no score has the mean of all.
    """

    question = Question("score", 1)

    def _script(self) -> Script[None]:
        verdicts = yield [(item,) for item in range(self._n)]
        self._guess(verdicts)

    def _guess(self, verdicts: list[Verdict]) -> None:
        score = np.array(verdicts)[:, 0]
        known = score[np.isfinite(score)]
        mean = float(known.mean()) if len(known) else 0.0
        self._score[:] = np.where(np.isfinite(score), score, mean)
