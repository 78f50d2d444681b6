"""Makes outside text safe to show: one line that moves no cursor and hides nothing."""

import unicodedata

_ELLIPSIS = "…"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def inert(text: str, limit: int | None = None) -> str:
    """Return *text* as one harmless line, at most *limit* characters long.

    Line breaks and tabs become spaces, other control characters their pictures (ESC is ␛), C1
    controls and lone surrogates a replacement character; bidirectional controls, zero-width and
    other invisible format characters are dropped. Printable text is kept; idempotent.
    """
    if limit is not None and len(text) > 4 * limit + 64:
        text = _shorten(text, limit)
    shown = text.translate(_HARMLESS)
    if limit is None or len(shown) <= limit:
        return shown
    return shown[: max(limit - 1, 0)] + _ELLIPSIS[:limit]


def inert_lines(text: str) -> str:
    """Return *text* line by line, each made inert."""
    return "\n".join(inert(line) for line in text.splitlines())


def _shorten(text: str, limit: int) -> str:
    """Return a head of *text* that still shows more than *limit* characters, if there are such."""
    end = 4 * limit + 64
    while end < len(text) and len(text[:end].translate(_HARMLESS)) <= limit:
        end *= 2
    return text[:end]


class _Harmless(dict[int, str]):
    """What each character is shown as, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = shown = _shown(chr(code))
        return shown


def _shown(character: str) -> str:
    code = ord(character)
    category = unicodedata.category(character)
    if character in "\t\n\v\f\r\x85" or category in ("Zl", "Zp"):
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if category in ("Cc", "Cs"):
        return _REPLACEMENT
    if category == "Cf" or character in _INVISIBLE:
        return ""
    return character


_INVISIBLE = (
    "\N{COMBINING GRAPHEME JOINER}\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}"
    "\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}\N{KHMER VOWEL INHERENT AQ}"
    "\N{KHMER VOWEL INHERENT AA}"
)
_HARMLESS = _Harmless()
