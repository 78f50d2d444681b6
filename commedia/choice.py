"""Which model runs: what the user named, or what fits when nothing was named."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .actors.errors import UsageError
from .actors.messages import ModelSpec, Script
from .actors.models.prices import price_of
from .actors.models.recorded import PREFIX, Source
from .actors.models.wire import Attempt
from .actors.simulation.judge import JudgeProfile
from .actors.simulation.judges import JUDGES
from .actors.simulation.profile import SONNET, profile_of
from .supervisor.budget import Budget
from .supervisor.gateway import check_budget
from .supervisor.store import find_run

DEFAULT_MODEL = "claude-haiku-5-5"
SIMULATED = "sim:judge"
NOBODY = "none"
"""The model of a workflow that runs without one."""
_KEY = "ANTHROPIC_API_KEY"
_TRUTH = "--truth COLUMN (truth= in Python)"


def choose_model(
    model: str | Script | None,
    *,
    has_truth: bool,
    base_url: str | None,
    budget: Budget,
    profile: JudgeProfile,
    seed: int,
    in_flight: int,
) -> ModelSpec:
    """Return the model that runs; raises UsageError where it cannot, and says what to do."""
    name = (
        model if isinstance(model, str) else "scripted" if model else _default(has_truth, base_url)
    )
    script = model if callable(model) else None
    if script is None and name.startswith(PREFIX):
        name = _recorded(name, base_url=base_url, budget=budget)
    spec = ModelSpec(
        name=name,
        base_url=base_url,
        seed=seed,
        profile=profile,
        script=script,
        in_flight=in_flight,
    )
    if spec.is_simulated:
        _check_simulated(name, has_truth=has_truth, base_url=base_url)
    elif script is None and not spec.is_recorded:
        _check_real(name, base_url=base_url)
        check_budget(spec, budget)
    return spec


def choose_agents(
    model: str | Script | None,
    *,
    base_url: str | None,
    budget: Budget,
    profile: JudgeProfile,
    seed: int,
    in_flight: int,
    is_needed: bool = True,
) -> ModelSpec:
    """Return the model of a workflow's agents; raises UsageError where it cannot run.

    Where none *is needed* and none is named, the model is one that no agent may ask.
    """
    if model in (None, NOBODY) and not is_needed:
        model = nobody
    name = "scripted" if callable(model) else model or _default_agents(base_url)
    name = NOBODY if model is nobody else name
    agents = profile_of(name)
    spec = ModelSpec(
        name=name,
        base_url=base_url,
        seed=seed,
        profile=profile,
        agents=agents or SONNET,
        script=model if callable(model) else None,
        in_flight=in_flight,
    )
    if spec.is_simulated:
        if base_url is not None:
            raise UsageError(f"model {name} is simulated here, and has no use for a base URL")
        if agents is None:
            raise UsageError(
                f"there are no simulated agents {name!r}; there are sim:haiku, sim:sonnet, "
                "sim:opus, and sim:other of another family"
            )
    elif spec.is_recorded:
        raise UsageError(f"{name} answers comparisons alone: it judges, but runs no workflow")
    elif spec.script is None:
        _check_real(name, base_url=base_url, simulated=_AGENTS)
        check_budget(spec, budget)
    return spec


def nobody(row: Mapping[str, Any]) -> Attempt:
    """Answer nothing: the script of a workflow that runs without a model."""
    return Attempt("not_found", reason="model")


def _default_agents(base_url: str | None) -> str:
    if base_url is not None:
        raise UsageError("a base URL needs the name of a model: give --model")
    if api_key():
        return DEFAULT_MODEL
    raise UsageError(
        f"no model to ask: give --model sim:sonnet to rehearse on simulated agents, or set {_KEY} "
        f"and a --budget to run on {DEFAULT_MODEL}"
    )


def api_key() -> str | None:
    """Return the user's key, if there is one."""
    return os.environ.get(_KEY) or None


def _default(has_truth: bool, base_url: str | None) -> str:
    if base_url is not None:
        raise UsageError("a base URL needs the name of a model: give --model")
    if has_truth:
        return SIMULATED
    if api_key():
        return DEFAULT_MODEL
    raise UsageError(
        f"no model to ask: give {_TRUTH} to sort with a simulated judge, or set {_KEY} and a "
        f"budget to sort with {DEFAULT_MODEL}"
    )


def _recorded(name: str, *, base_url: str | None, budget: Budget) -> str:
    """Return the name of a recorded judge with its file or run in full, once it can be read."""
    if base_url is not None:
        raise UsageError(f"{name} is answered from a record, and has no use for a base URL")
    if budget.nanousd is not None:
        raise UsageError("recorded verdicts cost nothing: leave the dollars out of the budget")
    where, mark, filters = name.removeprefix(PREFIX).partition("?")
    path = Path(where)
    if where and not path.exists() and len(path.parts) == 1 and not path.suffix:
        path = find_run(where).path
    name = f"{PREFIX}{path.resolve() if where else where}{mark}{filters}"
    Source.parse(name).rows()
    return name


def check_texts(model: str, ids: Sequence[str], texts: Sequence[str]) -> None:
    """Raise UsageError where *model* is a record of verdicts on other *texts* by the same ids."""
    if not model.startswith(PREFIX):
        return
    strange = Source.parse(model).strange_texts(ids, texts)
    if strange:
        named = ", ".join(strange[:3]) + (", ..." if strange[3:] else "")
        raise UsageError(
            f"{len(strange)} of {len(ids)} rows ({named}) had another text when {model} was "
            "recorded, and its verdicts say nothing of the new one; give the texts of then, or "
            "leave these rows out"
        )


def recorded_question(judges: Sequence[ModelSpec]) -> str | None:
    """Return what *judges* were asked where all are records of one question; None elsewhere."""
    if not all(judge.is_recorded for judge in judges):
        return None
    asked = {Source.parse(judge.name).question() for judge in judges}
    return asked.pop() if len(asked) == 1 else None


def _check_simulated(name: str, *, has_truth: bool, base_url: str | None) -> None:
    if base_url is not None:
        raise UsageError(
            f"model {name} is simulated here and has no use for a base URL; leave it out"
        )
    if name != SIMULATED:
        near = difflib.get_close_matches(name, JUDGES, 1)
        hint = f"do you mean {near[0]}? there" if near else "there"
        raise UsageError(f"there is no simulated judge {name!r}; {hint} are {', '.join(JUDGES)}")
    if not has_truth:
        raise UsageError(f"{SIMULATED} judges by a known truth: give {_TRUTH}")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        raise UsageError(f"base URL {url!r} is no address; write it as http://127.0.0.1:8080")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "a base URL holds no name, password or query, because it is kept with the run; set "
            f"{_KEY} for a key"
        )


def _check_key(key: str) -> None:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(
            f"{_KEY} holds characters that no key has, such as a line break; set it again"
        )


_JUDGE = (SIMULATED, f"use {SIMULATED} with {_TRUTH}")
_AGENTS = ("sim:sonnet", "rehearse with --model sim:sonnet")
"""A simulated model to name instead, and how: for a sort, and for a workflow."""


def _check_real(name: str, *, base_url: str | None, simulated: tuple[str, str] = _JUDGE) -> None:
    if base_url is not None:
        _check_url(base_url)
    if key := api_key():
        _check_key(key)
    if base_url is None and price_of(name) is None:
        raise UsageError(
            f"there is no model {name!r} here; give {simulated[0]}, a Claude model such as "
            f"{DEFAULT_MODEL}, or --base-url URL for any other"
        )
    if base_url is None and not api_key():
        raise UsageError(f"{name} needs a key: set {_KEY}, or {simulated[1]}")
