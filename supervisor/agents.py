"""From the words of a verb to a call: what each role is shown, and what becomes of its reply."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel

from ..actors.errors import AgentError, TaintError, UsageError
from ..actors.handle import Handle, text_of
from ..actors.judge import VARIANT as JUDGED
from ..actors.judge import segments as judge_segments
from ..actors.prompts import Segment, assemble
from ..actors.questions import Question
from ..actors.reader import VARIANT as READ
from ..actors.reader import segments as reader_segments
from ..actors.simulation.keyed import text_key
from ..actors.simulation.profile import profile_of
from ..actors.tables import TRUSTED, UNTRUSTED
from ..actors.verifier import CLOSED_SCHEMA, SCHEMA
from ..actors.verifier import VARIANT as VERIFIED
from ..actors.verifier import segments as verifier_segments
from ..actors.worker import VARIANT as WORKED
from ..actors.worker import segments as worker_segments
from .outbox import Call, Reply
from .paths import here

Effort = Literal["low", "medium", "high", "xhigh", "max"]


class AgentOptions(TypedDict, total=False):
    """What any agent can be given beside its words.

    *label* names it for people and for `commedia stop --agent`. *about, task, repeat, variant* are
    the call spec: ids of the things that it is about, the kind of task, which repetition, and the
    version of the prompt; real models never see them, simulated ones read nothing else.
    """

    label: str
    model: str
    effort: Effort
    max_tokens: int
    timeout_s: float
    about: str | Sequence[str]
    task: str
    repeat: int
    variant: str
    count: int
    own: bool
    author: str


_SPEC: Final = ("count", "own", "author")
_LABEL: Final = 60


class Clerk:
    """Writes the calls of one run; *model* is what answers where no other is named."""

    def __init__(self, model: str) -> None:
        self.model = model

    def work(self, path: str, prompt: str, schema: str | None, options: AgentOptions) -> Call:
        """Return a worker's call."""
        text = assemble("worker", worker_segments(_plain(prompt, "worker.prompt")))
        return self._call(path, "worker", text, schema, options, WORKED, text)

    def verify(
        self,
        path: str,
        claim: object,
        rubric: str,
        lens: str | None,
        options: AgentOptions,
    ) -> Call:
        """Return a verifier's call; a handle as the claim goes into its fence."""
        shown = _segment(claim, "claim")
        words = _plain(rubric, "verifier.rubric"), lens and _plain(lens, "verifier.lens")
        text = assemble("verifier", verifier_segments(shown, words[0], words[1]))
        schema = _VERDICT if shown.integrity < UNTRUSTED else _CLOSED_VERDICT
        told = shown.text if shown.integrity < UNTRUSTED else rubric
        call = self._call(path, "verifier", text, schema, options, VERIFIED, told, claim=shown.text)
        call.integrity = shown.integrity
        return call

    def read(
        self, path: str, untrusted: object, question: str, schema: str | None, options: AgentOptions
    ) -> Call:
        """Return a reader's call: what it reads is untrusted, whoever wrote it."""
        shown = Segment(_segment(untrusted, "untrusted").text, UNTRUSTED, "untrusted", "a reader")
        text = assemble("reader", reader_segments(shown, _plain(question, "reader.question")))
        call = self._call(path, "reader", text, schema, options, READ, question)
        call.integrity = UNTRUSTED
        return call

    def judge(
        self, path: str, texts: Sequence[object], by: str, ask: Question, options: AgentOptions
    ) -> Call:
        """Return a judge's call about *texts*, in the order shown."""
        shown = [_segment(text, "item").text for text in texts]
        prompt = assemble("judge", judge_segments(ask, _plain(by, "judge.by"), shown))
        items = list(_ids(options)) or shown
        given: AgentOptions = {**options, "task": str(ask)}
        call = self._call(path, "judge", prompt, None, given, JUDGED, by, by=by, items=items)
        call.integrity = UNTRUSTED
        return call

    def _call(
        self,
        path: str,
        role: str,
        prompt: str,
        schema: str | None,
        options: AgentOptions,
        variant: str,
        told: str,
        **more: object,
    ) -> Call:
        """Return a call that is named by what was *told*: never by text of an untrusted source."""
        model = options.get("model") or self.model
        if self.model.startswith("sim:") and profile_of(model) is None:
            raise UsageError(f"there are no simulated agents {model!r}")
        _check_options(options, prompt)
        timeout_s = options.get("timeout_s")
        return Call(
            path=path,
            role=role,
            prompt=prompt,
            model=model,
            phase=here().phase,
            label=options.get("label") or label_of(told),
            schema=schema,
            room=options.get("max_tokens"),
            effort=options.get("effort"),
            timeout_us=None if timeout_s is None else round(timeout_s * 1e6),
            task=options.get("task"),
            spec=_spec(path, role, options, variant, more),
        )


def label_of(words: str) -> str:
    """Return what an agent is named where nobody named it: how its *words* begin, on one line."""
    return " ".join(words.lstrip()[:_LABEL].split())


_VERDICT: Final = json.dumps(SCHEMA, sort_keys=True, separators=(",", ":"))
_CLOSED_VERDICT: Final = json.dumps(CLOSED_SCHEMA, sort_keys=True, separators=(",", ":"))
_TASKS: Final = {"worker": "answer", "verifier": "verify", "reader": "read", "judge": "pair"}


def _spec(
    path: str, role: str, options: AgentOptions, variant: str, more: Mapping[str, object]
) -> str:
    """Return the call spec. Who names no repetition gets one for each place in the workflow."""
    repeat = options.get("repeat")
    if repeat is None:
        repeat = int(text_key(path)) >> 2
    task, about = options.get("task") or _TASKS[role], tuple(_ids(options))
    frame = _frame(role, task, about, options.get("variant") or variant)
    told = {**{name: value for name, value in options.items() if name in _SPEC}, **more}
    rest = f", {json.dumps(told)[1:-1]}" if told else ""
    return f'{frame}, "repeat": {repeat}{rest}}}'


@functools.lru_cache(maxsize=256)
def _frame(role: str, task: str, about: tuple[str, ...], variant: str) -> str:
    """Return what the call specs of agents alike begin with: JSON but for its last brace."""
    spec = {"role": role, "task": task, "about": about, "variant": variant}
    return json.dumps(spec)[:-1]


_KINDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("label", "model", "effort", "task", "variant", "author"), str),
    **dict.fromkeys(("max_tokens", "repeat", "count"), int),
    "timeout_s": (int, float),
    "about": (str, list, tuple),
    "own": bool,
}
_MOST: Final = {"max_tokens": 2**20, "timeout_s": 10**7, "count": 2**31, "repeat": 2**63}


def _check_options(options: AgentOptions, prompt: str) -> None:
    """Raise UsageError where an option is unknown, or has a value that it cannot have."""
    for name, value in options.items():
        if name not in _KINDS:
            raise UsageError(f"an agent has no option {name!r}; it has {', '.join(_KINDS)}")
        if not isinstance(value, _KINDS[name]) or (value is True and name != "own"):
            raise UsageError(f"an agent's {name} is {value!r}, which it cannot be")
        least = 0 if name == "repeat" else 1e-6
        if name in _MOST and not least <= float(str(value)) <= _MOST[name]:
            raise UsageError(f"an agent's {name} is {value!r}, which it cannot be")
    for text in (prompt, options.get("label", "")):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError("an agent's words hold a lone surrogate, which is no text") from None


def _ids(options: AgentOptions) -> Sequence[str]:
    about = options.get("about", ())
    return (about,) if isinstance(about, str) else about


def _plain(text: object, sink: str) -> str:
    """Return *text* for a privileged place of a prompt: a handle may not stand there."""
    if isinstance(text, Handle):
        raise TaintError(f"handle {text.name} ({text.source})", sink)
    if not isinstance(text, str):
        raise UsageError(f"{sink} is a {type(text).__name__}, and must be a text")
    if not text.strip():
        raise UsageError(f"{sink} is empty")
    return text


def _segment(value: object, tag: str) -> Segment:
    """Return what goes inside a fence: a text, a value as JSON, or what a handle stands for."""
    if isinstance(value, Handle):
        return Segment(text_of(value), UNTRUSTED, tag, value.source)
    if isinstance(value, BaseModel):
        return Segment(value.model_dump_json(), TRUSTED, tag)
    if isinstance(value, str):
        return Segment(value, TRUSTED, tag)
    try:
        return Segment(json.dumps(value), TRUSTED, tag)
    except (TypeError, ValueError):
        raise UsageError(
            f"a {tag} is a {type(value).__name__} that is no JSON; give a text, JSON, or one handle"
        ) from None


def raise_for(reply: Reply, call: Call) -> None:
    """Raise AgentError where *reply* holds no answer."""
    if reply.status != "ok":
        raise AgentError(call.path, reply.status, reply.reason or "")
