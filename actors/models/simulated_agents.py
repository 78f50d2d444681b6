"""Agents that answer from a profile and a world: in the host, for no money, and said to be so."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..answers import Preference, write_answer
from ..errors import UsageError
from ..messages import ModelSpec
from ..prompts import estimate_tokens
from ..questions import Question
from ..simulation.calls import CallSpec, call_keys, read_call
from ..simulation.costs import (
    EFFORTS,
    FAILED,
    INVALID,
    OK,
    REFUSED,
    durations,
    endings,
    thinking_tokens,
    written_tokens,
)
from ..simulation.keyed import Ints, Keys, mix, text_key, text_keys
from ..simulation.profile import AgentProfile, profile_of
from ..simulation.world import World
from ..tables import ANSWERS, CLOSED, REPLIES, batch, values, words
from .filling import Form, form_of
from .playing import NOTHING_KNOWN, Player, Texts, kind_of
from .prices import PRICED_AS, price_of
from .simulated_judging import judged

TRUNCATED: Final = 4
UNREADABLE: Final = 5
UNSAMPLED: Final = 6
NO_SCHEMA: Final = 7
"""More ways to end than a profile has: no room for the answer, a call spec that cannot be read, a
schema that no sample fits, a schema that is none."""

ENDINGS: Final[dict[int, tuple[str, str | None]]] = {
    OK: ("ok", None),
    FAILED: ("failed", "server_error"),
    REFUSED: ("refused", "refusal"),
    INVALID: ("invalid", "schema"),
    TRUNCATED: ("truncated", "max_tokens"),
    UNREADABLE: ("failed", "call_spec"),
    UNSAMPLED: ("invalid", "unsampled"),
    NO_SCHEMA: ("failed", "bad_request"),
}
"""Status and reason of a reply."""

REFUSAL_TOKENS: Final = 40
_NOT_CHARGED: Final = (FAILED, UNREADABLE, NO_SCHEMA)
_ATTEMPT: Final = text_key("attempt")
_MOST: Final = 2**31 - 1


class Asked(NamedTuple):
    """One request as a simulated agent sees it; without a *call* the prompt stands for it."""

    role: str
    model: str
    schema: str | None
    call: CallSpec | None
    prompt: str | None = None
    tokens_in: int = 0
    effort: str | None = None
    attempt: int = 0
    room: int | None = None
    repeat: int = 0
    kind: str = "prompt"
    """As `kind_of_call` says."""


class Answered(NamedTuple):
    """How a request was answered; *ending* is a key of ENDINGS, *verdict* a judge's answer."""

    ending: int
    text: str | None
    verdict: Preference | None
    tokens_out: int
    thinking: int
    ttft_us: int
    decode_us: int
    cost_nanousd: int | None
    served_model: str


class SimulatedAgents:
    """Plays workers, verifiers, readers and judges as `simulation` says, in one *world*.

    A request may name another simulated model than *spec*. With *fails* off nothing fails as a
    network does: for a server, whose clients have a network of their own.
    """

    reads_prompts = True

    def __init__(self, spec: ModelSpec, world: World, *, fails: bool = True) -> None:
        import scipy.special  # noqa: F401 - while others still start, not with the first answer

        self._spec, self._world, self._fails = spec, world, fails
        self._players: dict[AgentProfile, Player] = {}

    async def answer(self, requests: pa.RecordBatch) -> AsyncIterator[pa.RecordBatch]:
        """Yield one batch with every reply, in the order of the requests."""
        asked = _read(requests)
        yield _write(requests, asked, self._play(asked))

    def answer_one(self, asked: Asked) -> Answered:
        """Answer one request, as `answer` answers it among others."""
        return self._play([asked])[0]

    def _play(self, asked: Sequence[Asked]) -> list[Answered]:
        groups: dict[tuple[str, str, str | None, str], list[int]] = {}
        for place, one in enumerate(asked):
            groups.setdefault((one.kind, one.role, one.schema, one.model), []).append(place)
        answers: list[Any] = [None] * len(asked)  # Any: each is replaced below
        for (kind, role, schema, model), places in groups.items():
            group = [asked[place] for place in places]
            player = self._player(model)
            if kind == "unreadable":
                found = [_unanswered(player.profile, UNREADABLE)] * len(group)
            elif kind == "judge":
                found = self._judge(player.profile, group)
            else:
                found = self._agents(player, kind, role, schema, group)
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        return answers

    def _player(self, model: str) -> Player:
        agents = self._spec.agents
        profile = agents if model == agents.name else profile_of(model) or agents
        if profile not in self._players:
            self._players[profile] = Player(profile, self._spec.seed, self._world)
        return self._players[profile]

    def _agents(
        self, player: Player, kind: str, role: str, schema: str | None, asked: Sequence[Asked]
    ) -> list[Answered]:
        profile, seed = player.profile, self._spec.seed
        form = None if schema is None else form_of(schema)
        if schema is not None and form is None:
            return [_unanswered(profile, NO_SCHEMA)] * len(asked)
        keys = _keys(kind, asked, seed=seed, model=profile.name)
        context = np.array([one.tokens_in for one in asked], np.float64)
        calls = [one.call for one in asked if one.call is not None]
        said: Texts = [None] * len(asked)
        if kind != "prompt":
            said = player.texts(kind, calls, keys, form, context)
        texts = [_sampled(form, k) if t is None else t for t, k in zip(said, keys, strict=True)]
        attempt = mix(keys, _ATTEMPT, np.array([one.attempt for one in asked], np.uint64))
        lucky = profile if self._fails else replace(profile, transient=0.0)
        ending = endings(
            lucky, seed, call=keys, attempt=attempt, schema=None if form is None else form.key
        )
        ending[np.array([text is None for text in texts]) & (ending == OK)] = UNSAMPLED
        return _charged(profile, role, asked, texts, ending, attempt)

    def _judge(self, profile: AgentProfile, asked: Sequence[Asked]) -> list[Answered]:
        calls = [one.call for one in asked if one.call is not None]
        verdicts = judged(self._spec, self._world, calls)
        texts = [
            "" if verdict is None else write_answer(Question.parse(call.task), verdict)
            for call, verdict in zip(calls, verdicts, strict=True)
        ]
        keys = call_keys(calls, seed=self._spec.seed, model=self._spec.profile.name)
        tokens_out = np.array([estimate_tokens(text) for text in texts], np.int64)
        ttft, decode = durations(profile, attempt=mix(keys, _ATTEMPT), tokens_out=tokens_out)
        is_tier = profile_of(asked[0].model) is not None
        price = profile.priced_as if is_tier else PRICED_AS
        cost = _costs(price, np.array([one.tokens_in for one in asked], np.int64), tokens_out)
        served = self._spec.profile.name
        columns = zip(
            texts, verdicts, tokens_out.tolist(), ttft.tolist(), decode.tolist(), cost, strict=True
        )
        return [
            _unanswered(profile, UNREADABLE)
            if verdict is None
            else Answered(OK, text, verdict, tokens, 0, first, rest, price, served)
            for text, verdict, tokens, first, rest, price in columns
        ]


def kind_of_call(role: str, call: CallSpec | None, *, is_readable: bool = True) -> str:
    """Return how a request is answered: by a mechanism, by its prompt alone, or not at all."""
    if call is not None:
        return kind_of(call.role, call)
    return "unreadable" if role == "judge" or not is_readable else "prompt"


def _read(requests: pa.RecordBatch) -> list[Asked]:
    names = ("role", "model", "output_schema", "effort", "attempt", "max_tokens", "repeat")
    columns = [values(requests.column(name)) for name in names]
    specs, prompts = requests.column("spec"), requests.column("prompt")
    texts = prompts.to_pylist() if specs.null_count else [None] * requests.num_rows
    bytes_in = pc.binary_length(prompts).cast(pa.int64())
    counted = pc.divide(pc.add(bytes_in, 3), 4)
    tokens = pc.fill_null(pc.coalesce(counted, requests.column("context_tokens")), 0)
    rows = zip(specs.to_pylist(), texts, tokens.to_pylist(), *columns, strict=True)
    return [_asked(*row) for row in rows]


def _asked(
    spec: str | None,
    prompt: str | None,
    tokens_in: int,
    role: str,
    model: str,
    schema: str | None,
    effort: str | None,
    attempt: int,
    room: int | None,
    repeat: int | None,
) -> Asked:
    call, is_readable = None, True
    if spec is not None:
        try:
            call = read_call(spec)
            role = call.role
        except UsageError:
            is_readable = False
    kind = kind_of_call(role, call, is_readable=is_readable)
    more = (prompt, tokens_in, effort, attempt, room, repeat or 0, kind)
    return Asked(role, model, schema, call, *more)


def _write(
    requests: pa.RecordBatch, asked: Sequence[Asked], found: list[Answered]
) -> pa.RecordBatch:
    ends = [ENDINGS[one.ending] for one in found]
    is_ok = [one.ending == OK for one in found]
    verdicts = [one.verdict or Preference() for one in found]
    columns = {
        "call_id": requests.column("call_id"),
        "status": words(status for status, _ in ends),
        "reason": words(reason for _, reason in ends),
        "answer": [
            one.text if ok and one.verdict is None else None
            for one, ok in zip(found, is_ok, strict=True)
        ],
        "grade": [verdict.grade for verdict in verdicts],
        "order": [verdict.order for verdict in verdicts],
        "tokens_in": [
            0 if one.ending in _NOT_CHARGED else min(each.tokens_in, _MOST)
            for one, each in zip(found, asked, strict=True)
        ],
        "tokens_out": [one.tokens_out for one in found],
        "tokens_thinking": [one.thinking for one in found],
        "tokens_cache_write": 0,
        "tokens_cache_read": 0,
        "cost_nanousd": [one.cost_nanousd for one in found],
        "ttft_us": [one.ttft_us for one in found],
        "decode_us": [one.decode_us for one in found],
        "served_model": words(one.served_model for one in found),
        "attempts": 1,
    }
    return batch(REPLIES, columns, rows=len(found), integrity=CLOSED, provenance=ANSWERS)


def _keys(kind: str, asked: Sequence[Asked], *, seed: int, model: str) -> Keys:
    calls = [one.call for one in asked if one.call is not None]
    if kind != "prompt":
        return call_keys(calls, seed=seed, model=model)
    prompts = text_keys([one.prompt or "" for one in asked])
    repeat = np.array([one.repeat for one in asked], np.int64)
    return mix(text_key("prompt", seed, model), prompts, repeat.astype(np.uint64))


def _sampled(form: Form | None, key: np.uint64) -> str | None:
    return NOTHING_KNOWN if form is None else form.sampled(key)


def _charged(
    profile: AgentProfile,
    role: str,
    asked: Sequence[Asked],
    texts: Texts,
    ending: Ints,
    attempt: Keys,
) -> list[Answered]:
    """Return the answers with what they took."""
    length = np.array([estimate_tokens(text or "") for text in texts], np.int64)
    room = np.array([_MOST if one.room is None else one.room for one in asked], np.int64)
    effort = np.array([EFFORTS.get(one.effort, 1.0) for one in asked])
    ending[(length > room) & (ending == OK)] = TRUNCATED
    written = written_tokens(profile, role, attempt=attempt, answer=length)
    written[ending == REFUSED] = REFUSAL_TOKENS
    thinking = thinking_tokens(profile, attempt=attempt, effort=effort)
    tokens_in = np.array([one.tokens_in for one in asked], np.int64)
    is_free = np.isin(ending, _NOT_CHARGED)
    tokens_out = np.where(is_free, 0, np.minimum(written + thinking, room))
    thinking = np.minimum(thinking, np.maximum(tokens_out - length, 0))
    ttft, decode = durations(profile, attempt=attempt, tokens_out=tokens_out)
    price = _costs(profile.priced_as, np.where(is_free, 0, tokens_in), tokens_out)
    counts = (tokens_out.tolist(), thinking.tolist(), ttft.tolist(), decode.tolist(), price)
    columns = zip(ending.tolist(), texts, *counts, strict=True)
    return [
        Answered(end, text, None, tokens, thought, first, rest, paid, profile.name)
        for end, text, tokens, thought, first, rest, paid in columns
    ]


def _unanswered(profile: AgentProfile, ending: int) -> Answered:
    return Answered(ending, None, None, 0, 0, 1, 1, 0, profile.name)


def _costs(model: str, tokens_in: Ints, tokens_out: Ints) -> list[int] | list[None]:
    """Return the cost of each call in nano-dollars; None where no price is known."""
    price = price_of(model)
    if price is None:
        return [None] * len(tokens_in)
    dear = price.above or price.base
    is_dear = (tokens_in > price.threshold) & (price.above is not None)
    rate_in = np.where(is_dear, dear.input, price.base.input)
    rate_out = np.where(is_dear, dear.output, price.base.output)
    paid: list[int] = (tokens_in * rate_in + tokens_out * rate_out).tolist()
    return paid
