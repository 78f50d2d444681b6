"""Templates that build a text from columns: plain field names, nothing that computes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from .actors.errors import UsageError


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{column}` fields, as pieces of (literal text, field or None)."""

    pieces: tuple[tuple[str, str | None], ...]

    @classmethod
    def parse(cls, source: str, columns: Sequence[str]) -> "Template":
        """Read *source*, whose fields must be *columns*; `{{` and `}}` are braces.

        Attribute and index access, conversions, format specs and positional fields are refused:
        `str.format` would let a template reach into objects.
        """
        try:
            parsed = list(Formatter().parse(source))
        except ValueError as error:
            raise _refused(source, f"it cannot be read ({error})") from None
        for _, field, spec, conversion in parsed:
            if field is not None:
                _check_field(source, field, spec or "", conversion or "", columns)
        if all(field is None for _, field, _, _ in parsed):
            raise _refused(source, "it names no column")
        return cls(tuple((literal, field) for literal, field, _, _ in parsed))

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns it names, each once, in order."""
        return tuple(dict.fromkeys(field for _, field in self.pieces if field is not None))

    def render(self, values: Mapping[str, str | None]) -> str | None:
        """Fill the fields; an empty one counts as nothing, and None means that all were empty."""
        if not any((values[field] or "").strip() for field in self.fields):
            return None
        return "".join(
            literal + ((values[field] or "") if field is not None else "")
            for literal, field in self.pieces
        )


def _check_field(
    source: str, field: str, spec: str, conversion: str, columns: Sequence[str]
) -> None:
    if field in columns and not spec and not conversion:
        return
    if not field or (field.isdecimal() and field not in columns):
        raise _refused(source, f"its field {{{field}}} has no column name")
    if spec or conversion:
        raise _refused(source, f"its field {field!r} has a format or a conversion")
    if "." in field or "[" in field:
        raise _refused(source, f"its field {field!r} reaches into a value")
    raise _refused(
        source, f"there is no column {field!r} (there are {', '.join(map(repr, columns))})"
    )


def _refused(source: str, why: str) -> UsageError:
    return UsageError(
        f"template {source!r}: {why}; use plain column names, as in "
        "'{title}: {report}', and {{ }} for braces"
    )
