"""Whom a server plays: a judge that knows a truth, and agents."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...answers import Preference, write_answer
from ...errors import UsageError
from ...messages import ModelSpec
from ...questions import Question
from ...simulation.calls import read_call
from ...simulation.judge import Bench, JudgeProfile
from ...simulation.keyed import Floats, text_keys
from ...simulation.profile import SONNET, AgentProfile
from ...simulation.world import World as Things
from ..filling import dump
from ..simulated_agents import NO_SCHEMA, UNREADABLE, Answered, Asked, SimulatedAgents, kind_of_call
from .request import Posted


class World:
    """Whom a server plays: a judge that knows the *utility* of each item, by id, and *agents*.

    What agents know are *things*; without utilities they play the judge as well.
    """

    def __init__(
        self,
        profile: JudgeProfile,
        seed: int,
        utility: Mapping[str, float],
        *,
        things: Things = Things(),
        agents: AgentProfile = SONNET,
    ) -> None:
        self.profile, self.seed, self.agents = profile, seed, agents
        spec = ModelSpec(name=agents.name, seed=seed, profile=profile, agents=agents)
        self._agents = SimulatedAgents(spec, things, fails=False)
        self._rows = {name: row for row, name in enumerate(utility)}
        self._utility: Floats = np.array(list(utility.values()), np.float64)
        self._keys = text_keys(list(utility))

    def is_judged(self, spec: Mapping[str, Any]) -> bool:
        """Whether a call *spec* is a question to the judge that knows utilities."""
        return bool(self._rows) and spec.get("role", "judge") == "judge"

    def played(
        self, spec: Mapping[str, Any], asked: Posted, schema: Mapping[str, Any] | None
    ) -> Answered:
        """Return an agent's answer to a call *spec*; raises UsageError, which says why."""
        call = read_call(json.dumps(spec))
        found = self._agents.answer_one(
            Asked(
                call.role,
                asked.model,
                None if schema is None else dump(schema),
                call,
                tokens_in=asked.context_tokens,
                effort=asked.effort,
                attempt=asked.attempt,
                room=asked.max_tokens,
                kind=kind_of_call(call.role, call),
            )
        )
        if found.ending == UNREADABLE:
            raise UsageError(f"the call spec is no question {call.task!r} about its items")
        if found.ending == NO_SCHEMA:
            raise UsageError("the schema of the answer is no JSON Schema")
        return found

    def answer(self, spec: Mapping[str, Any]) -> str:
        """Return the judge's answer to a call *spec* as JSON; raises UsageError, which says why."""
        by, variant = _part(spec, "by", str), _part(spec, "variant", str)
        repeat = _part(spec, "repeat", int)
        if not 0 <= repeat < 2**63:
            raise UsageError("the call spec's repeat is not a count")
        question = Question.parse(_part(spec, "task", str))
        names = _part(spec, "items", list)
        if not question.takes(len(names)):
            raise UsageError(f"a call spec of {question} names {len(names)} items")
        unknown = [name for name in names if not isinstance(name, str) or name not in self._rows]
        if unknown:
            raise UsageError(f"item {str(unknown[0])[:100]!r} is not part of this world")
        shown = np.array([[self._rows[name] for name in names]], np.int64)
        bench = Bench(self.profile, self.seed, by, self._utility, self._keys)
        found = bench.answer(question, shown, variant=variant, repeat=repeat)[0]
        why = "simulated: no reason" if question.why else None
        if question.kind == "list":
            return write_answer(question, Preference(order=tuple(found.tolist()), why=why))
        return write_answer(question, Preference(grade=int(found), why=why))


def _part(spec: Mapping[str, Any], name: str, kind: type) -> Any:  # Any: of type *kind*
    value = spec.get(name)
    if type(value) is not kind:
        raise UsageError(f"the call spec has no {name} of type {kind.__name__}")
    return value
