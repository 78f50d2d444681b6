"""Small evaluations, run in this process by functions or simulated judges."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from commedia.actors.models.wire import Attempt
from commedia.eval_result import EvalResult
from commedia.session import Session

Row = Mapping[str, Any]
ITEMS = [{"q": f"question {n}", "a": f"plain {n}", "b": f"good {n}"} for n in range(12)]
TWO: dict[str, Any] = {"prompt": "q", "systems": {"old": "a", "new": "b"}}
THREE = [{**row, "c": f"superb {n}"} for n, row in enumerate(ITEMS)]
QUALITY = {"old": 0.0, "new": 1.5}


def evaluate(items: Any = ITEMS, model: Any = None, **options: Any) -> EvalResult:
    """Evaluate inline; *options* are those of eval, and `budget`."""
    budget = options.pop("budget", None)
    asked = {"by": "quality"} if "rubric" not in options else {}
    with Session(model=model, runtime="inline", budget=budget) as session:
        return session.eval(items, **{**TWO, **asked, **options})


def order(result: EvalResult) -> list[str]:
    """Return the systems, best first."""
    names: list[str] = result.leaderboard.column("system").to_pylist()
    return names


class Judge:
    """A judge that prefers the word that stands further back in *words*, and counts calls."""

    def __init__(self, *words: str, refuses: Callable[[str], bool] = lambda _: False) -> None:
        self.words, self.refuses = words, refuses
        self.asked: list[Row] = []

    def worth(self, text: str) -> int:
        """Return the place of the word that *text* begins with."""
        return next((n for n, word in enumerate(self.words) if text.startswith(word)), -1)

    def __call__(self, row: Row) -> Any:
        self.asked.append(row)
        prompt = row["prompt"]
        if self.refuses(prompt):
            return Attempt("refused")
        if row["task"] == "score":
            return {"score": 1 + 3 * self.worth(shown_in(prompt)[0])}
        first, second = map(self.worth, shown_in(prompt))
        words = ["more second", "tie", "more first"]
        return {"verdict": words[1 + (first > second) - (first < second)]}


def shown_in(prompt: str) -> list[str]:
    """Return the outputs that *prompt* shows, in their order."""
    return [
        text.strip()
        for text in re.findall(r"<(?:first|second|item[^>]*)>(.*?)</", prompt, re.DOTALL)
    ]
