"""A workflow's parameters are options of their types; what does not fit is told by its option."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import click
import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from commedia.cli.parameters import command_of, split_doc
from commedia.supervisor.workflow import Workflow, workflow


class Colour(Enum):
    RED = "red"
    SKY_BLUE = "sky_blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Cause(BaseModel):
    text: str
    odds: float = 0.5


@dataclass
class Window:
    hours: int


@workflow
async def hunt(
    run: Any,
    incident: str,
    sources: list[str],
    max_rounds: Annotated[int, Field(ge=1, description="How often at most.")] = 3,
    dry_run: bool = False,
    how: Annotated[Literal["fast", "slow_one"], "How to go."] = "slow_one",
    from_: Path = Path(),
    args: int = 0,
) -> str:
    """Find an incident's root cause.

    From disjoint evidence.

    Args:
        incident (str): What happened,
            in a few words.
        sources: Where to look: logs, say.

    Raises:
        ValueError: never.
    """
    return incident


@workflow
async def kinds(  # type: ignore[no-untyped-def]
    run: Any,
    ratio: float = 0.5,
    is_on: bool | None = None,
    when: datetime | None = None,
    path: Optional[Path] = None,  # noqa: UP045
    word: str | None = None,
    colour: Colour = Colour.RED,
    level: Level = Level.LOW,
    size: Literal[1, 2] = 1,
    counts: Sequence[int] = (),
    names: tuple[str, ...] = (),
    tags: set[str] | None = None,
    rows: list[list[int]] | None = None,
    causes: list[Cause] | None = None,
    odds: Mapping[str, float] | None = None,
    cause: Cause | None = None,
    window: Window | None = None,
    pair: tuple[int, str] | None = None,
    either: int | str = 0,
    price: Decimal = Decimal("0.1"),
    free=None,
    table: pa.Table | None = None,
) -> None: ...


def given(wf: Workflow[..., Any], *words: str) -> dict[str, Any]:
    """Return what *wf* would be called with."""
    taken: list[dict[str, Any]] = []

    def invoke(values: dict[str, Any]) -> int:
        taken.append(values)
        return 7

    code = command_of(wf, invoke).main(list(words), standalone_mode=False)

    assert code == 7
    return taken[0]


def refusal(wf: Workflow[..., Any], *words: str) -> str:
    with pytest.raises(click.ClickException) as refused:
        given(wf, *words)

    assert "\n" not in refused.value.format_message()
    return refused.value.format_message()


def help_of(wf: Workflow[..., Any]) -> str:
    command = command_of(wf, lambda values: 0)
    return command.get_help(click.Context(command, info_name=wf.name, max_content_width=120))


NEEDED = ("--incident", "p99", "--sources", "logs")


def test_only_what_was_given_is_passed_on() -> None:
    """The workflow's own defaults apply to the rest."""
    assert given(hunt, *NEEDED) == {"incident": "p99", "sources": ["logs"]}
    assert given(kinds) == {}


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--ratio", "2"], "ratio", 2.0),
        (["--is-on"], "is_on", True),
        (["--no-is-on"], "is_on", False),
        (["--no_is_on"], "is_on", False),
        (["--when", "2026-11-25T14:02"], "when", datetime(2026, 11, 25, 14, 2)),
        (["--path", "5"], "path", Path("5")),
        (["--word", "null"], "word", "null"),
        (["--word", "007"], "word", "007"),
        (["--word", ""], "word", ""),
        (["--colour", "sky_blue"], "colour", Colour.SKY_BLUE),
        (["--level", "2"], "level", Level.HIGH),
        (["--size", "2"], "size", 2),
        (["--counts", "1", "--counts=2"], "counts", [1, 2]),
        (["--counts", "[1, 2]"], "counts", [1, 2]),
        (["--names", "[x", "--names", "y"], "names", ("[x", "y")),
        (["--names", "[x"], "names", ("[x",)),
        (["--tags", "a", "--tags", "a"], "tags", {"a"}),
        (["--tags", "[]"], "tags", set()),
        (["--rows", "[1]", "--rows", "[]"], "rows", [[1], []]),
        (["--rows", "[1]"], "rows", [[1]]),
        (["--rows", "[[1], []]"], "rows", [[1], []]),
        (["--causes", '{"text": "a"}'], "causes", [Cause(text="a")]),
        (["--odds", "a=1", "--odds", "b=.5"], "odds", {"a": 1.0, "b": 0.5}),
        (["--odds", '{"a": 1}'], "odds", {"a": 1.0}),
        (["--cause", '{"text": "a", "odds": 1}'], "cause", Cause(text="a", odds=1)),
        (["--window", '{"hours": 2}'], "window", Window(2)),
        (["--pair", '[1, "x"]'], "pair", (1, "x")),
        (["--either", "5"], "either", 5),
        (["--either", "five"], "either", "five"),
        (["--price", "1.10"], "price", Decimal("1.10")),
        (["--free", '{"a": [1]}'], "free", {"a": [1]}),
        (["--free", "hello"], "free", "hello"),
    ],
)
def test_a_value_has_its_type(words: list[str], name: str, value: object) -> None:
    got = given(kinds, *words)

    assert list(got) == [name]
    assert got[name] == value
    assert type(got[name]) is type(value)


def test_an_option_may_be_written_with_underscores() -> None:
    assert given(hunt, *NEEDED, "--max_rounds", "4")["max_rounds"] == 4
    assert given(hunt, *NEEDED, "--max_rounds=4", "--from", "a_b")["from_"] == Path("a_b")


def test_args_gives_several_at_once_and_an_option_wins(tmp_path: Path) -> None:
    several = {"incident": "p99", "sources": ["a"], "max_rounds": "wrong", "args": 5}
    (tmp_path / "args.json").write_text(json.dumps(several))

    for source in (json.dumps(several), f"@{tmp_path}/args.json"):
        assert given(hunt, "--args", source, "--max-rounds", "2") == {
            "incident": "p99",
            "sources": ["a"],
            "max_rounds": 2,
            "args": 5,
        }


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "--incident is missing; it takes str"),
        (["--incident", "x"], "--sources is missing; it takes list[str]"),
        (["--incidnt", "x"], "No such option '--incidnt'. Did you mean '--incident'?"),
        (
            [*NEEDED, "--max-rounds", "many"],
            "Invalid value for '--max-rounds': 'many' does not fit int: input should be a valid "
            "integer, unable to parse string as an integer",
        ),
        (
            [*NEEDED, "--max-rounds", "0"],
            "Invalid value for '--max-rounds': '0' does not fit int: "
            "input should be greater than or equal to 1",
        ),
        (
            [*NEEDED, "--how", "slow-one"],
            "Invalid value for '--how': 'slow-one' does not fit one of fast, slow_one: "
            "input should be 'fast' or 'slow_one'",
        ),
        (
            ["--args", '{"sourcse": []}'],
            "Invalid value for '--args': sourcse: it is unknown; did you mean sources?",
        ),
        (
            ["--args", '{"incident": 3}'],
            "Invalid value for '--args': incident: 3 does not fit str: "
            "input should be a valid string",
        ),
        (["--args", "[1]"], "Invalid value for '--args': give one JSON object, as in"),
        (["--args", "{"], "Invalid value for '--args': it is no JSON: "),
        (["--args", "@no.json"], "Invalid value for '--args': no.json: No such file"),
    ],
)
def test_what_does_not_fit_is_told_by_its_option(words: list[str], why: str) -> None:
    assert refusal(hunt, *words).startswith(why)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--odds", "a"], "Invalid value for '--odds': 'a' is not NAME=VALUE"),
        (["--odds", "=1"], "Invalid value for '--odds': '=1' is not NAME=VALUE"),
        (["--odds", "a=1", "--odds", "a=2"], "'a' is given twice; each needs a name"),
        (["--args", "@bad.json"], "Invalid value for '--args': bad.json is no JSON: "),
        (["--odds", "a=x"], "Invalid value for '--odds': 'a=x' does not fit Mapping[str, float]"),
        (["--cause", '{"txt": "a"}'], "fit Cause | None as JSON: text: field required"),
        (["--cause", '{"text": '], "fit Cause | None as JSON: invalid JSON"),
        (["--cause", "disk"], "'disk' does not fit Cause | None as JSON"),
        (["--counts", "1", "--counts", "x"], "('1', 'x') does not fit Sequence[int]"),
        (["--causes", '[{"text": 1}]'], "0: text: input should be a valid string"),
        (["--colour", "green"], "input should be 'red' or 'sky_blue'"),
        (["--table", "x"], "cannot be given on a command line; call the workflow from Python"),
    ],
)
def test_a_value_of_no_fitting_shape_is_refused(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text("{")

    assert why in refusal(kinds, *words)


def test_help_says_what_each_is_and_what_it_is_by_default() -> None:
    text = " ".join(help_of(hunt).split())

    assert "--incident TEXT What happened, in a few words. [required]" in text
    assert "--sources TEXT Where to look: logs, say. May be repeated, or be one JSON array." in text
    assert "--max-rounds INT How often at most. [default: 3]" in text
    assert "--dry-run / --no-dry-run bool [default: no-dry-run]" in text
    assert "--how [fast|slow_one] How to go. [default: slow_one]" in text
    assert "--from PATH Path [default: .]" in text
    assert "--args JSON|@FILE" in text
    assert text.startswith(
        "Usage: hunt [OPTIONS] Find an incident's root cause. From disjoint evidence. Raises:"
    )
    assert "Args:" not in text


def test_every_kind_of_parameter_has_help() -> None:
    """Even one that the command line cannot give."""
    text = " ".join(help_of(kinds).split())

    assert "--odds NAME=VALUE Mapping[str, float] | None. May be repeated" in text
    assert "--cause JSON Cause | None as JSON [default: none]" in text
    assert "--level [1|2] Level [default: 1]" in text
    assert '--price DECIMAL Decimal [default: "0.1"]' in text
    assert "--table TABLE Table | None [default: none]" in text


def test_a_parameter_whose_option_is_taken_is_given_in_args() -> None:
    @workflow
    async def clash(
        run: Any, help: int, a: bool, no_a: int = 1, b: int = 1, b_: int = 2
    ) -> None: ...

    assert "help (in --args) is missing; it takes int" in refusal(clash, "--a")
    others = '{"help": 1, "no_a": 2, "b_": 3}'
    assert given(clash, "--a", "--b", "4", "--args", others) == {
        "help": 1,
        "a": True,
        "no_a": 2,
        "b": 4,
        "b_": 3,
    }


def test_a_docstring_without_arguments_is_kept() -> None:
    assert split_doc("Find it.\n\nIn order.") == ("Find it.\n\nIn order.", {})
    assert split_doc("Find it.\n\nArgs:\n  a: One.\n\n  b: Two:\n    three.\n\nMore.") == (
        "Find it.\n\nMore.",
        {"a": "One.", "b": "Two: three."},
    )
