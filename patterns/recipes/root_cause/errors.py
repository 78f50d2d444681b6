"""What can be wrong with the evidence of an incident; each error is one sentence."""

from collections.abc import Sequence

from ....actors.errors import UsageError


class EvidenceError(UsageError):
    """Evidence that cannot be used: which, why, and what to do."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why

    def __str__(self) -> str:
        return f"evidence {self.name!r} {self.why}"


class MissingColumnError(EvidenceError):
    """Evidence without a column that its kind needs."""

    def __init__(self, name: str, wanted: str, found: Sequence[str]) -> None:
        super().__init__(name, f"has no column for {wanted}, only {', '.join(found)}")
        self.args = (name, wanted, tuple(found))
        self.wanted, self.found = wanted, tuple(found)


class UnreadableTimeError(EvidenceError):
    """Evidence whose times are no times."""

    def __init__(self, name: str, column: str, example: str) -> None:
        super().__init__(
            name,
            f"has {example!r} in its column {column!r}; write ISO 8601 in UTC, unix time, or "
            "seconds after the incident",
        )
        self.args = (name, column, example)
        self.column, self.example = column, example


class EmptyEvidenceError(EvidenceError):
    """Evidence without any row."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "has no rows")
        self.args = (name,)


class EmptyWindowError(EvidenceError):
    """Evidence without a row where one is needed: at the incident, or before it."""

    def __init__(self, name: str, window: str) -> None:
        super().__init__(
            name, f"has no rows in the {window} window; check the time of the incident"
        )
        self.args = (name, window)
        self.window = window
