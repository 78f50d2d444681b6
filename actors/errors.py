"""Every error of commedia, drawn as a tree.

CommediaError
├ UsageError             what the user gave cannot be used: one sentence
│ └ BudgetSyntaxError    a budget that cannot be read
├ ActorDiedError         an actor's process ended while it was asked
├ ActorCancelledError    the asker took the question back
├ InvalidBatchError      bytes from another process are not the table they claim to be
├ InvalidAnswerError     a model's answer does not fit its schema
├ TaintError             untrusted text was on its way into a privileged prompt
├ BudgetExceededError    the run spent its budget
├ PriceUnknownError      a dollar budget for a model without a known price
├ IntensityExceededError children died more often than the restart intensity allows
└ RunFailedError         a run ended without a result
"""


class CommediaError(Exception):
    """Base of every error here; its facts are positional, so it pickles."""


class UsageError(CommediaError):
    """What the user gave cannot be used: one sentence with what, where and what to do."""


class BudgetSyntaxError(UsageError):
    """A budget that cannot be read."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text, why)
        self.text, self.why = text, why

    def __str__(self) -> str:
        return (
            f"budget {self.text!r}: {self.why}; write for example "
            "2usd, 500k (tokens), 2M, 300agents or 30min"
        )


class ActorDiedError(CommediaError):
    """An actor's process ended while it was asked."""

    def __init__(self, actor: str, why: str = "its process ended") -> None:
        super().__init__(actor, why)
        self.actor, self.why = actor, why

    def __str__(self) -> str:
        return f"actor {self.actor} died: {self.why}"


class ActorCancelledError(CommediaError):
    """The asker took the question back before it was answered."""


class InvalidBatchError(CommediaError):
    """Bytes from another process are not the table they claim to be."""

    def __init__(self, table: str, why: str) -> None:
        super().__init__(table, why)
        self.table, self.why = table, why

    def __str__(self) -> str:
        return f"a batch of {self.table} was refused: {self.why}"


class InvalidAnswerError(CommediaError):
    """A model's answer does not fit its schema."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class TaintError(CommediaError):
    """Untrusted text was on its way into a privileged prompt; names the source, never the text."""

    def __init__(self, source: str, sink: str) -> None:
        super().__init__(source, sink)
        self.source, self.sink = source, sink

    def __str__(self) -> str:
        return f"untrusted text from {self.source} may not enter {self.sink}"


class BudgetExceededError(CommediaError):
    """The run spent its budget."""

    def __init__(self, unit: str, spent: float, limit: float) -> None:
        super().__init__(unit, spent, limit)
        self.unit, self.spent, self.limit = unit, spent, limit

    def __str__(self) -> str:
        return f"spent {self.spent:,.6g} of {self.limit:,.6g} {self.unit}"


class PriceUnknownError(UsageError):
    """A dollar budget for a model without a known price."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return (
            f"no price is known for model {self.model!r}, so a budget in dollars cannot hold; "
            "give one in tokens or agents, for example --budget 500k"
        )


class IntensityExceededError(CommediaError):
    """Children died more often than the restart intensity allows."""

    def __init__(self, child: str, restarts: int, period_s: float, why: str) -> None:
        super().__init__(child, restarts, period_s, why)
        self.child, self.restarts, self.period_s, self.why = child, restarts, period_s, why

    def __str__(self) -> str:
        return (
            f"{self.child} died again ({self.why}) after {self.restarts} restarts within "
            f"{self.period_s:g} s, which is more than the restart intensity allows"
        )


class RunFailedError(CommediaError):
    """A run ended without a result; says why in one sentence."""
