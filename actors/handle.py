"""A handle: what stands for untrusted text where the text itself may not go."""

from hashlib import blake2b
from typing import NoReturn

from .errors import TaintError


class Handle:
    """Names a text that a reader wrote under quarantine; it cannot be turned into text.

    Give it to `read` or to `verify` as the claim. Anything that would write it into a prompt, an
    f-string for example, raises TaintError.
    """

    __slots__ = ("_text", "name", "source")

    def __init__(self, text: str, *, source: str) -> None:
        self._text, self.source = text, source
        self.name = blake2b(f"{source}\n{text}".encode(), digest_size=6).hexdigest()

    def __repr__(self) -> str:
        return f"Handle({self.name})"

    def __str__(self) -> str:
        return self._refuse("a text")

    def __format__(self, spec: str) -> str:
        return self._refuse("a text")

    def __add__(self, other: object) -> str:
        return self._refuse("a text")

    __radd__ = __add__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> NoReturn:
        self._refuse("a message or a file")

    def _refuse(self, sink: str) -> NoReturn:
        raise TaintError(f"handle {self.name} ({self.source})", sink)


def text_of(handle: Handle) -> str:
    """Return the text behind *handle*: for the fence of a verifier or a reader alone."""
    return handle._text
