"""An evaluation that is about to run: systems, items, rubric, judges; all is checked before it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Required, TypedDict

import pyarrow as pa

from .actors.errors import UsageError
from .actors.messages import ModelSpec
from .actors.models.prices import price_of
from .actors.questions import Question
from .choice import NOBODY, SIMULATED, api_key, nobody
from .eval_commands import read_command
from .inputs import MAX_TEXT_CHARS, Items, Prepared, prepare
from .models import model_of, source_of
from .panel import Judges
from .patterns.evaluation import SCORE
from .rubrics import Rubric, read_rubric
from .supervisor.budget import Budget

AUTO: Final = "graded"
"""What `auto` asks."""

TARGET: Final = 0.95
TIMEOUT_S: Final = 60.0
AT_ONCE: Final = 4

BY_JUDGES: Final = "judges"
"""The check that has judges score each output by itself."""

MOST_SYSTEMS: Final = 300
MOST_NAME_CHARS: Final = 100
UNDECIDED: Final = "tie"
"""The label of an item that prefers no system."""

Checker = Callable[..., Any]  # Any: a number or a truth value, checked where it is called
"""A function of prompt, output and (where there are labels) label."""


@dataclass(frozen=True, slots=True)
class System:
    """What is evaluated: its outputs stand in *column*, or are made by the command *argv*."""

    name: str
    column: str | None = None
    argv: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalJob:
    """One evaluation, checked and ready: *prepared* has the prompts as its texts.

    *check* is None where outputs are compared, BY_JUDGES where each is scored by itself, or the
    *checker*'s name. *qualities* are what simulated judges know of the systems, in logits,
    *authors* whose model made a system's outputs, where its name does not say so.
    """

    prepared: Prepared
    systems: tuple[System, ...]
    rubric: Rubric
    question: Question
    model: ModelSpec
    budget: Budget
    target: float = TARGET
    seed: int = 0
    labels: tuple[str | None, ...] | None = None
    check: str | None = None
    checker: Checker | None = None
    qualities: Mapping[str, float] = field(default_factory=dict)
    authors: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = TIMEOUT_S
    at_once: int = AT_ONCE
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def names(self) -> list[str]:
        """The names of the systems, in the order given."""
        return [system.name for system in self.systems]

    @property
    def by(self) -> str:
        """The quality, or the names of the criteria, in a line."""
        criteria = self.rubric.criteria
        return criteria[0].by if len(criteria) == 1 else ", ".join(self.rubric.names)

    @property
    def judges(self) -> list[str]:
        """The names of the judges' models; none where a function checks."""
        return [] if self.checker is not None else [judge.name for judge in self.model.judges]

    def author(self, system: str) -> str:
        """Return whose model made the outputs of *system*: by default, it is named after it."""
        return self.authors.get(system, system)


def systems_of(
    frame: pa.Table, columns: Mapping[str, str], commands: Mapping[str, str | Sequence[str]]
) -> tuple[System, ...]:
    """Check the systems that are named; raises UsageError."""
    both = [name for name in columns if name in commands]
    if both:
        raise UsageError(f"system {both[0]!r} has a column and a command; give it one of them")
    for name in [*columns, *commands]:
        _check_name(name)
    if len(columns) + len(commands) > MOST_SYSTEMS:
        raise UsageError(f"there are more than {MOST_SYSTEMS} systems; leave some out")
    for name, column in columns.items():
        if column not in frame.column_names:
            raise UsageError(
                f"system {name!r}: there is no column {column!r}; the columns are {_named(frame)}"
            )
    made = [System(name, argv=_argv(name, command)) for name, command in commands.items()]
    return (*(System(name, column) for name, column in columns.items()), *made)


def outputs_in(frame: pa.Table, column: str) -> list[str | None]:
    """Return the outputs in *column*, None where one is null or blank; raises UsageError."""
    texts: list[str | None] = []
    for row, value in enumerate(frame.column(column).to_pylist()):
        text = value if isinstance(value, str) or value is None else str(value)
        if text is not None and len(text) > MAX_TEXT_CHARS:
            raise UsageError(
                f"row {row} (counted from 0) of column {column!r} has {len(text):,} characters, "
                f"which is more than {MAX_TEXT_CHARS:,}; shorten it"
            )
        texts.append(text if text is not None and text.strip() else None)
    return texts


class EvalOptions(TypedDict, total=False):
    """The options of an evaluation.

    *prompt* is a column or a template of columns: the task of each item. *systems* names for each
    system the column that holds its outputs; *commands* a command that makes them, which gets the
    prompt on standard input. *by* is the quality to compare by, or *rubric* several criteria.
    *labels* is a column that names the preferred system of each item. *check* scores each output
    by itself: True asks the judges, a function of prompt, output (and label) asks nobody.
    *ask* is `pair`, `graded`, `list:K` or `auto`; it stops at predicted Kendall tau *target* of the
    order of systems. *quality* is what simulated judges know of each system, in logits, *author*
    the model that made a system's outputs. *timeout_s* bounds a command, *at_once* how many run.
    With *reasons* judges say why, which costs more than their verdicts.
    """

    prompt: Required[str]
    systems: Mapping[str, str]
    commands: Mapping[str, str | Sequence[str]]
    by: str | None
    rubric: Rubric | str | Path | None
    labels: str | None
    check: bool | str | Checker | None
    id: str | None
    ask: str
    target: float
    seed: int
    quality: Mapping[str, float] | Mapping[str, str]
    author: Mapping[str, str]
    timeout_s: float
    at_once: int
    reasons: bool


Choose = Callable[[bool, int], ModelSpec]
"""Chooses the judges: told whether the systems' qualities are known, and the seed."""


def plan_eval(items: Items, options: EvalOptions, *, choose: Choose, budget: Budget) -> EvalJob:
    """Return the evaluation that *options* describe; raises UsageError where it makes no sense."""
    if alien := [name for name in options if name not in EvalOptions.__annotations__]:
        known = ", ".join(sorted(EvalOptions.__annotations__))
        raise UsageError(f"eval has no option {alien[0]!r}; it has {known}")
    prepared = prepare(items, text=options["prompt"], id=options.get("id"))
    systems = systems_of(prepared.frame, options.get("systems", {}), options.get("commands", {}))
    names = [system.name for system in systems]
    check, seed = options.get("check"), options.get("seed", 0)
    checker = check_of(check)
    _check_systems(prepared, systems, is_compared=not check)
    target, timeout_s = options.get("target", TARGET), options.get("timeout_s", TIMEOUT_S)
    at_once = options.get("at_once", AT_ONCE)
    _check_numbers(target, timeout_s, at_once)
    qualities = _qualities(options.get("quality", {}), names)
    authors = dict(options.get("author", {}))
    if unknown := [name for name in authors if name not in names]:
        raise UsageError(_no_system(unknown[0], "author", names))
    labels = options.get("labels")
    question = SCORE if check else _question(options.get("ask", "auto"), len(names))
    return EvalJob(
        prepared=prepared,
        systems=systems,
        rubric=_rubric(options.get("by"), options.get("rubric"), is_needed=checker is None),
        question=replace(question, why=options.get("reasons", False) or question.why),
        model=ModelSpec(name=NOBODY, script=nobody)
        if checker is not None
        else choose(bool(qualities), seed),
        budget=budget,
        target=target,
        seed=seed,
        labels=None if labels is None else _labels(prepared.frame, labels, names),
        check=_name_of_check(check, checker),
        checker=checker,
        qualities=qualities,
        authors=authors,
        timeout_s=timeout_s,
        at_once=at_once,
    )


def check_judges(model: Judges, *, is_known: bool, base_url: str | None) -> None:
    """Raise UsageError where judges cannot run because of what an evaluation lacks."""
    free = "--quality NAME=NUMBER for each system to rehearse on simulated judges"
    if model is None and not is_known and base_url is None and not api_key():
        raise UsageError(
            f"no model to ask: give {free}, or set ANTHROPIC_API_KEY and a --budget to be judged "
            "by a Claude model"
        )
    panel = [model] if isinstance(model, str) or not isinstance(model, Sequence) else model
    for each in panel:
        name = each if isinstance(each, str) else getattr(each, "name", "")
        if str(name).startswith(SIMULATED) and not is_known:
            raise UsageError(f"{name} judges by what is known: give {free}")
        if base_url is None and price_of(str(name)) is not None and not api_key():
            raise UsageError(f"{name} needs a key: set ANTHROPIC_API_KEY, or give {free}")


def check_of(check: bool | str | Checker | None) -> Checker | None:
    """Return the function that *check* names, if it names one; raises UsageError."""
    if check is None or isinstance(check, bool) or check == BY_JUDGES:
        return None
    if callable(check):
        return check
    if ".py:" not in check:
        raise UsageError(
            f"check {check!r} is no FILE.py:FUNCTION; leave the value out to have judges score"
        )
    found = model_of(check)
    assert callable(found)
    return found


def _name_of_check(check: bool | str | Checker | None, checker: Checker | None) -> str | None:
    if checker is not None:
        return source_of(checker) or getattr(checker, "__qualname__", "a function")
    return BY_JUDGES if check else None


def _argv(name: str, command: str | Sequence[str]) -> tuple[str, ...]:
    import shlex

    text = command if isinstance(command, str) else shlex.join(command)
    return read_command(text, system=name)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MOST_NAME_CHARS or not name.isprintable():
        raise UsageError(
            f"system name {_short(name)} is blank, too long or not printable; give each system a "
            f"name of at most {MOST_NAME_CHARS} characters, as in --system NAME=COLUMN"
        )
    if name == UNDECIDED:
        raise UsageError(f"no system can be named {UNDECIDED!r}, which is what a label may say")


def _check_systems(prepared: Prepared, systems: Sequence[System], *, is_compared: bool) -> None:
    """Raise where there are too few systems, one without outputs, or two outputs of one id."""
    if len(systems) < 1 + is_compared:
        some = "at least two, for they are compared" if is_compared else "at least one"
        raise UsageError(
            f"there {'is one system' if systems else 'are no systems'}; name {some}, with --system "
            "NAME=COLUMN or --run NAME=COMMAND"
        )
    for system in systems:
        if system.column is not None and not any(outputs_in(prepared.frame, system.column)):
            raise UsageError(
                f"column {system.column!r} of system {system.name!r} is empty in every row; name "
                "the column that holds its outputs"
            )
    _check_ids(prepared.ids, [system.name for system in systems])


def _check_ids(ids: Sequence[str], names: Sequence[str]) -> None:
    """Refuse ids and names that would give two outputs one id."""
    if any("/" in name for name in names):
        seen: dict[str, str] = {}
        for id in ids:
            for name in names:
                if seen.setdefault(f"{id}/{name}", name) != name:
                    raise UsageError(
                        f"outputs are known by id and system, and {id}/{name} would be two of "
                        "them; rename the system"
                    )


def _check_numbers(target: float, timeout_s: float, at_once: int) -> None:
    if not 0.0 < target < 1.0:
        raise UsageError(f"target {target:g} is not between 0 and 1")
    if not 0.0 < timeout_s < math.inf:
        raise UsageError(f"timeout {timeout_s:g} is no time; give seconds above 0")
    if at_once < 1:
        raise UsageError(f"{at_once} commands at once are none; give at least 1")


def _rubric(by: str | None, rubric: Rubric | str | Path | None, *, is_needed: bool) -> Rubric:
    if by is not None and rubric is not None:
        raise UsageError("give --by or --rubric, and not both: a rubric says itself what counts")
    if by is not None:
        return Rubric.of(by)
    if isinstance(rubric, Rubric):
        return rubric
    if rubric is not None:
        return read_rubric(rubric)
    if is_needed:
        raise UsageError(
            "judges must be told what to compare by: give --by TEXT, or --rubric FILE with criteria"
        )
    return Rubric.of("what the check says")


def _question(ask: str, systems: int) -> Question:
    question = Question.parse(AUTO if ask == "auto" else ask)
    if question.kind == "score":
        raise UsageError("to score each output by itself, give --check")
    return question.of(min(question.size, systems)) if question.kind == "list" else question


def _qualities(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    found = {name: _number(name, value) for name, value in given.items()}
    if unknown := [name for name in found if name not in names]:
        raise UsageError(_no_system(unknown[0], "quality", names))
    lacking = [name for name in names if name not in found]
    if found and lacking:
        raise UsageError(
            f"system {lacking[0]!r} has no quality; simulated judges need one for every system, "
            f"as in --quality {lacking[0]}=0.5"
        )
    return found


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # what it does not take it refuses
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= 100:
        raise UsageError(
            f"quality {_short(str(value))} of system {name!r} is no number of logits; give one "
            "such as 0.5, from -100 to 100"
        )
    return number


def _labels(frame: pa.Table, column: str, names: Sequence[str]) -> tuple[str | None, ...]:
    if column not in frame.column_names:
        raise UsageError(
            f"there is no column {column!r} to use as labels; the columns are {_named(frame)}"
        )
    found: list[str | None] = []
    for row, value in enumerate(frame.column(column).to_pylist()):
        label = None if value is None else str(value).strip() or None
        if label is not None and label not in names and label != UNDECIDED:
            raise UsageError(
                f"label {_short(label)} in row {row} (counted from 0) is no system; the systems "
                f"are {', '.join(map(_short, names[:8]))}; leave it empty, or write "
                f"{UNDECIDED!r}, where none is preferred"
            )
        found.append(label)
    return tuple(found)


def _no_system(name: str, what: str, names: Sequence[str]) -> str:
    known = ", ".join(map(_short, names[:8]))
    return f"{what} of {_short(name)}: there is no such system; the systems are {known}"


def _named(frame: pa.Table) -> str:
    return ", ".join(repr(str(name)) for name in frame.column_names)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
