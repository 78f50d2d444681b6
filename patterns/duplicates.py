"""Which texts say the same: for ideas and findings that come in many wordings."""

import re
from typing import Final

NEAR: Final = 0.95
"""From this similarity on (of the letters, words sorted) two texts say the same."""

_TELLING: Final = re.compile(r"\d+|\b(?:not|no|never|none|without|cannot)\b|\w+n't\b")
"""What makes two texts different however alike the rest is: numbers and negations."""


def normal(text: str) -> str:
    """Return *text* without what means nothing: case, punctuation, white space."""
    from rapidfuzz import utils  # here, as a sort imports this and needs none of it

    return " ".join(utils.default_process(text).split()) or text.strip()


class Seen:
    """Texts so far, each with the number of the first that said the same.

    Near duplicates are those whose similarity reaches *near*, and that agree in every number and
    negation; at 1 only what is equal but for case, punctuation and white space is the same.
    """

    def __init__(self, near: float = NEAR) -> None:
        self._near = 100.0 * near
        self._exact: dict[str, int] = {}
        self._alike: dict[tuple[str, ...], dict[int, str]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, text: str) -> int | None:
        """Return the number, from 0, of the text that says the same; None if none does."""
        plain = normal(text)
        if plain in self._exact or self._near >= 100.0:
            return self._exact.get(plain)
        others = self._alike.get(_telling(text), {})
        from rapidfuzz import fuzz, process

        found = process.extractOne(
            plain, others, scorer=fuzz.token_sort_ratio, score_cutoff=self._near
        )
        return None if found is None else int(found[2])

    def add(self, text: str) -> int:
        """Take *text* in; returns its number: that of an earlier one if one says the same."""
        number = self.find(text)
        if number is None:
            number = self._count
            self._count += 1
            self._alike.setdefault(_telling(text), {})[number] = normal(text)
        self._exact.setdefault(normal(text), number)
        return number


def _telling(text: str) -> tuple[str, ...]:
    return tuple(sorted(_TELLING.findall(text.casefold())))
