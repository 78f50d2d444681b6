"""Every error of commedia, drawn as a tree.

CommediaError
├ UsageError             what the user gave cannot be used: one sentence
│ ├ BudgetSyntaxError    a budget that cannot be read
│ └ RunLockedError       another process holds the run
├ ActorDiedError         an actor's process ended while it was asked
├ ActorCancelledError    the asker took the question back
├ InvalidBatchError      bytes from another process are not the table they claim to be
├ InvalidAnswerError     a model's answer does not fit its schema
├ AgentError             an agent ended without an answer
├ ModelFaultError        a scripted model plays what goes wrong with a real one
├ ToolError              a function of the workflow's own raised
├ EscapedError           a function raised what would have ended its host
├ ReplayMissError        a run that may ask nothing would have had to ask
├ RunPausedError         a run is paused, and can be resumed
├ TaintError             untrusted text was on its way into a privileged prompt
├ BudgetExceededError    the run spent its budget
├ PriceUnknownError      a dollar budget for a model without a known price
├ JournalCorruptError    a journal holds records behind damage
├ JournalFailedError     a journal could not be written
├ BlobMissingError       a value that a journal refers to is not there
├ BlobCorruptError       a value that a journal refers to has changed
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


class RunLockedError(UsageError):
    """Another process holds the run."""

    def __init__(self, run: str, owner: str, since: str) -> None:
        super().__init__(run, owner, since)
        self.run, self.owner, self.since = run, owner, since

    def __str__(self) -> str:
        return (
            f"run {self.run} is in use by {self.owner} since {self.since}; "
            f"stop it with `commedia stop {self.run}`, or wait"
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
    """A model's answer does not fit its schema.

    *rule* says which rule of which field, in words of the schema alone: no text of the answer.
    """

    def __init__(self, why: str, rule: str = "") -> None:
        super().__init__(why, rule)
        self.why, self.rule = why, rule

    def __str__(self) -> str:
        return self.why


class AgentError(CommediaError):
    """An agent ended without an answer: where, with which reply status, and why in a word."""

    def __init__(self, path: str, status: str, reason: str = "") -> None:
        super().__init__(path, status, reason)
        self.path, self.status, self.reason = path, status, reason

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"the agent at {self.path} has no answer: {self.status}{why}"


class ModelFaultError(CommediaError):
    """Raised by a scripted model: plays what goes wrong with a real one, such as `quota`.

    The *outcome* is one of `actors.models.wire.Outcome`; any other is a fault of the script.
    """

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class ToolError(CommediaError):
    """A function of the workflow's own raised."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"the tool at {self.path} failed: {self.why}"


class EscapedError(CommediaError):
    """A function raised what would have ended its host (sys.exit), or cannot leave a thread."""


class ReplayMissError(CommediaError):
    """A run that may ask nothing would have had to ask."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"the run has no recorded answer for {self.path}, and mode replay asks nothing; resume "
            "it in mode content"
        )


class RunPausedError(CommediaError):
    """A run is paused, and can be resumed."""

    def __init__(self, run: str, why: str) -> None:
        super().__init__(run, why)
        self.run, self.why = run, why

    def __str__(self) -> str:
        return f"run {self.run} is paused: {self.why}; resume it with `commedia resume {self.run}`"


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


class JournalCorruptError(CommediaError):
    """A journal holds records behind damage: *good* is a copy of what precedes it, if one could be
    made, and *line* is the first that is damaged, from 1."""

    def __init__(self, path: str, good: str, line: int) -> None:
        super().__init__(path, good, line)
        self.path, self.good, self.line = path, good, line

    def __str__(self) -> str:
        return (
            f"journal {self.path} is damaged at line {self.line}, and records follow, so nothing "
            f"was cut; the {self.line - 1} before it "
            + (f"are in {self.good}" if self.good else "could not be copied beside it")
        )


class JournalFailedError(CommediaError):
    """A journal could not be written: what was not yet durable may be lost."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"journal {self.path} cannot be written: {self.why}"


class BlobMissingError(CommediaError):
    """A value that a journal refers to is not there."""

    def __init__(self, folder: str, digest: str) -> None:
        super().__init__(folder, digest)
        self.folder, self.digest = folder, digest

    def __str__(self) -> str:
        return f"there is no value {self.digest!r} in {self.folder}"


class BlobCorruptError(CommediaError):
    """A value that a journal refers to has changed since it was put."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} no longer holds what it is named after"


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
