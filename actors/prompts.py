"""From segments to request text: the one place where labels meet a prompt.

Tokens are estimated at four bytes of UTF-8 each, segment by segment, so the estimate of a prompt
is the sum over its segments whether or not it was rendered.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .errors import TaintError
from .tables import CLOSED, TRUSTED, UNTRUSTED

MAY_READ: Final = {"judge": UNTRUSTED, "verifier": UNTRUSTED, "reader": UNTRUSTED, "worker": CLOSED}
"""The least trusted text that each role may see."""

TAGS: Final = ("item", "first", "second", "claim", "untrusted", "task")
"""The tags that fence texts; no text can hold one of them."""

_TAG = re.compile(rf"<(?=\s*/?\s*(?:{'|'.join(TAGS)})\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt: its text, and how far it is trusted; *tag* fences it off.

    A tag is one of TAGS, with or without attributes; any other is a ValueError.
    """

    text: str
    integrity: int = TRUSTED
    tag: str | None = None
    source: str = "program"

    def __post_init__(self) -> None:
        if self.tag is not None and self._tag_name not in TAGS:
            raise ValueError(f"the tag {self.tag!r} is none of {', '.join(TAGS)}")

    def render(self) -> str:
        """Return the text; inside its tags, where nothing in it can open or close one of ours."""
        if self.tag is None:
            return self.text
        return f"<{self.tag}>\n{fence(self.text)}\n</{self._tag_name}>\n"

    @property
    def tokens(self) -> int:
        """The estimated tokens of the rendered text."""
        return estimate_tokens(self.render())

    @property
    def _tag_name(self) -> str:
        return (self.tag or "").partition(" ")[0]


def fence(text: str) -> str:
    """Return *text* so that it cannot leave its fence: our own tags in it lose their bracket."""
    return _TAG.sub("&lt;", text)


def estimate_tokens(text: str) -> int:
    """Return the estimated tokens of *text*: four bytes of UTF-8 each, rounded up."""
    return (len(text.encode("utf-8", "replace")) + 3) // 4


def assemble(role: str, segments: Iterable[Segment]) -> str:
    """Turn *segments* into the text of a request for *role*.

    Raises TaintError, naming the source and never the text, where a segment is less trusted than
    the role may read, or where untrusted text has no fence.
    """
    parts = []
    for segment in segments:
        if segment.integrity > MAY_READ[role]:
            raise TaintError(segment.source, f"{role}.prompt")
        if segment.integrity >= UNTRUSTED and segment.tag is None:
            raise TaintError(segment.source, f"{role}.prompt outside a fence")
        parts.append(segment.render())
    return "".join(parts)
