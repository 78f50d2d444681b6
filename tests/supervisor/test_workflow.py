"""A workflow knows its parameters and where it is, and its arguments survive being written."""

import asyncio
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pyarrow as pa
import pytest
from pydantic import BaseModel

from commedia.actors.errors import UsageError
from commedia.supervisor.workflow import (
    decode_args,
    encode_args,
    type_name,
    workflow,
)

if TYPE_CHECKING:
    from commedia.supervisor.run import Run


class Colour(Enum):
    RED = "red"


class Cause(BaseModel):
    text: str
    seen: datetime | None = None


class SureCause(Cause):
    odds: float


@dataclass
class Window:
    start: datetime
    hours: float = 1.0


@workflow
async def hunt(
    run: "Run", incident: str, sources: "list[str]", votes: Annotated[int, "How many."] = 3
) -> str:
    """Find an incident's root cause.

    From disjoint evidence.
    """
    return f"{incident}: {', '.join(sources)} ({votes})"


@workflow(name="many-kinds")
async def kinds(  # type: ignore[no-untyped-def]
    run: Any,
    word: str = "",
    count: int = 0,
    ratio: float = 0.0,
    is_dry: bool = False,
    nothing: None = None,
    path: Path | None = None,
    when: datetime | None = None,
    words: Sequence[str] = (),
    pairs: tuple[tuple[int, str], ...] = (),
    many: Iterable[int] = (),
    odds: Mapping[str, float] | None = None,
    by_day: dict[date, int] | None = None,
    choice: Literal["a", 2] = "a",
    colour: Colour = Colour.RED,
    causes: Sequence[Cause] = (),
    window: Window | None = None,
    table: pa.Table | None = None,
    loose: Any = None,
    free=None,
) -> None:
    """Take every kind of value."""


RUN: Any = None
NOON = datetime(2026, 11, 25, 12, tzinfo=timezone(timedelta(hours=1)))


def test_calling_it_is_calling_the_function() -> None:
    assert asyncio.run(hunt(RUN, "p99", ["logs"], votes=1)) == "p99: logs (1)"


def test_it_says_what_it_is() -> None:
    assert (hunt.name, kinds.name) == ("hunt", "many-kinds")
    assert hunt.summary == "Find an incident's root cause."
    assert hunt.doc.splitlines()[2] == "From disjoint evidence."


def test_parameters_are_what_follows_the_run_with_their_types() -> None:
    """Texts become types, notes stay, and the run's own type need not exist while it runs."""
    incident, sources, votes = hunt.parameters

    assert (incident.name, incident.annotation) == ("incident", str)
    assert sources.annotation == list[str]
    assert votes.annotation == Annotated[int, "How many."]
    assert votes.default == 3


def test_an_annotation_that_means_nothing_is_named() -> None:
    @workflow
    async def lost(run: "Run", where: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821
        ...

    with pytest.raises(UsageError, match=r"argument where of lost: its annotation .*Nowhere"):
        _ = lost.parameters


def test_a_script_is_referred_to_by_its_file() -> None:
    assert hunt.reference == f"{Path(__file__).resolve()}:hunt"
    assert hunt.file == Path(__file__).resolve()


def test_what_is_installed_is_referred_to_by_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    source = (
        "from commedia.supervisor.workflow import workflow\n"
        "@workflow\nasync def go(run): return 1\n"
    )
    (folder / "installed_flows.py").write_text(source)
    monkeypatch.syspath_prepend(folder)

    assert import_module("installed_flows").go.reference == "installed_flows:go"


@pytest.mark.parametrize(
    ("define", "why"),
    [
        ("def f(run): ...", "the workflow f is not async; write it with `async def`"),
        ("async def f(): ...", "the workflow f has no first parameter for the run"),
        ("async def f(*, run): ...", "the workflow f has no first parameter for the run"),
        ("async def f(incident: str): ...", "the workflow f has no first parameter for the run"),
        ("async def f(names: 'list[str]'): ...", "f has no first parameter for the run"),
        ("async def f(run, *rest: int): ...", r"f takes \*rest, which cannot be given by name"),
        ("async def f(run, **rest): ...", r"f takes \*\*rest, which cannot be given by name"),
        ("async def f(run, a, /): ...", "f takes a, which cannot be given by name"),
    ],
)
def test_what_cannot_be_a_workflow_is_refused_when_it_is_decorated(define: str, why: str) -> None:
    space: dict[str, Any] = {}
    exec(define, space)

    with pytest.raises(UsageError, match=why):
        workflow(space["f"])


def test_a_name_can_be_typed_in_a_shell() -> None:
    with pytest.raises(UsageError, match="'a b' holds more than letters"):
        workflow(name="a b")


VALUES: dict[str, Any] = {
    "word": "é\n\x00",
    "count": 2**70,
    "ratio": math.inf,
    "is_dry": True,
    "nothing": None,
    "path": Path("a b/c"),
    "when": NOON,
    "words": ["a", "b"],
    "pairs": ((1, "x"), (2, "y")),
    "many": [1, 2],
    "odds": {"a": 0.1, "b": -math.inf},
    "by_day": {date(2026, 11, 25): 3},
    "choice": 2,
    "colour": Colour.RED,
    "causes": [Cause(text="disk", seen=NOON), Cause(text="")],
    "window": Window(NOON, hours=0.5),
    "loose": {"deep": [1, None, "x"]},
    "free": [True, 1.5],
}


@pytest.mark.parametrize("name", VALUES)
def test_an_argument_survives_being_written(name: str) -> None:
    """Across JSON text, in its own type."""
    written = json.dumps(encode_args(kinds, {name: VALUES[name]}), allow_nan=False)
    back = decode_args(kinds, json.loads(written))[name]

    assert back == VALUES[name]
    assert type(back) is type(VALUES[name])


def test_only_what_was_given_is_written() -> None:
    """A default belongs to the workflow, which may change it."""
    assert encode_args(kinds, {}) == {}
    assert encode_args(hunt, {"incident": "p99", "sources": ("logs",)}) == {
        "incident": "p99",
        "sources": ["logs"],
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table", pa.table({"a": [1]})),
        ("causes", [SureCause(text="disk", odds=0.5)]),
        ("ratio", math.nan),
        ("word", "\ud800"),
    ],
)
def test_what_would_come_back_different_is_refused(name: str, value: object) -> None:
    """A table has no JSON, a subclass would lose its fields, and nan is not even itself."""
    with pytest.raises(UsageError, match=f"^argument {name} of many-kinds: [^\n]*$"):
        encode_args(kinds, {name: value})


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"incident": "x"}, "argument sources of hunt: it is missing, and has no default"),
        (
            {"incident": "x", "sources": [], "vote": 2},
            "argument vote of hunt: it is unknown; did you mean votes?",
        ),
        (
            {"incident": "x", "sources": 3},
            "argument sources of hunt: 3 does not fit list[str]: input should be a valid list",
        ),
        (
            {"incident": "x", "sources": ["a", 1, 2]},
            "argument sources of hunt: ['a', 1, 2] does not fit list[str]: "
            "1: input should be a valid string (and 1 more)",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(args: dict[str, Any], why: str) -> None:
    """The same in both directions."""
    for translate in (encode_args, decode_args):
        with pytest.raises(UsageError) as refused:
            translate(hunt, args)

        assert str(refused.value).replace("valid array", "valid list") == why


def test_an_untyped_argument_is_plain_json() -> None:
    for value in (Path("x"), {1: 2}, (1, 2), object()):
        with pytest.raises(UsageError, match="argument free of many-kinds"):
            encode_args(kinds, {"free": value})


def test_a_call_is_bound_to_names() -> None:
    assert hunt.bind("p99", sources=["logs"]) == {"incident": "p99", "sources": ["logs"]}

    wrong: Any = hunt
    with pytest.raises(UsageError, match=r"hunt was called wrongly: missing .*'sources'"):
        wrong.bind("p99")
    with pytest.raises(UsageError, match=r"sorces: it is unknown; did you mean sources\?"):
        wrong.bind("p99", sorces=["logs"])


def test_a_name_is_no_workflow() -> None:
    make: Any = workflow
    with pytest.raises(UsageError, match="'greet' is a str; give the function itself"):
        make("greet")


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (list[Cause], "list[Cause]"),
        (Path | None, "Path | None"),
        (dict[str, tuple[int, ...]], "dict[str, tuple[int, ...]]"),
        (Literal["a", 2], "one of a, 2"),
        (Any, "JSON"),
        (Annotated[int, "x"], "int"),
    ],
)
def test_a_type_is_named_as_it_is_written(annotation: object, name: str) -> None:
    assert type_name(annotation) == name
