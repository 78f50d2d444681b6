"""A workflow's parameters as options: types from annotations, help from the docstring."""

import collections.abc as abc
import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time
from enum import Enum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click

if TYPE_CHECKING:
    from ..supervisor.workflow import Workflow

TEXTS = (str, PurePath, date, time)
"""Types that are read as they are written: JSON would take `007` or `null` for something else."""

LISTS = (list, set, frozenset, abc.Sequence, abc.Collection, abc.Set, abc.Iterable)
DICTS = (dict, abc.Mapping, abc.MutableMapping)

FIELDS = ("__pydantic_fields__", "__dataclass_fields__", "__required_keys__")
"""What a class has one of whose values are JSON objects."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How values of an annotation are written on a command line."""

    kind: Literal["flag", "one", "list", "dict"]
    item: Any
    """The annotation of one written value."""


def command_of(
    workflow: "Workflow[..., Any]", invoke: Callable[[dict[str, Any]], int]
) -> click.Command:
    """Return a command that calls `invoke` with the given parameters, in their annotated types.

    What is left out is not in the dict: the workflow's own defaults apply. A parameter whose
    option is taken (`args`, `help`) is given in `--args` alone.
    """
    parameters = {parameter.name: parameter for parameter in workflow.parameters}
    text, helps = split_doc(workflow.doc)
    options = _options(parameters, helps)

    def call(**given: Any) -> int:  # click hands the options over by name
        ctx = click.get_current_context()
        written = {name: given[name] for name in options if given[name] not in (None, ())}
        values = _from_args(given["args"], parameters, set(written), ctx)
        for name, texts in written.items():
            values[name] = _read(texts, parameters[name].annotation, ctx, options[name])
        for name, parameter in parameters.items():
            if name not in values and parameter.default is parameter.empty:
                raise _missing(name, parameter, options.get(name), ctx)
        return invoke({name: values[name] for name in parameters if name in values})

    args = click.Option(
        ["--args"],
        metavar="JSON|@FILE",
        help="Several at once, as one JSON object; an option of its own wins.",
    )
    return click.Command(
        workflow.name,
        params=[*options.values(), args],
        callback=call,
        help=re.sub(r"^(?=\w+:\n[ \t])", "\b\n", text, flags=re.M),  # sections keep their lines
        context_settings={
            "help_option_names": ["-h", "--help"],
            "token_normalize_func": lambda token: token.replace("_", "-"),
        },
    )


def split_doc(doc: str) -> tuple[str, dict[str, str]]:
    """Return *doc* without its `Args:` section, and that section's text of each parameter."""
    found = re.search(r"^(?:Args|Arguments|Parameters):\n((?:[ \t]+.*(?:\n|$)|\n)*)", doc, re.M)
    if found is None:
        return doc, {}
    helps: dict[str, str] = {}
    name = None
    for line in inspect.cleandoc("\n" + found[1]).splitlines():
        entry = re.match(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)", line)
        if entry:
            name = entry[1]
            helps[name] = entry[2]
        elif name is not None and line.strip():
            helps[name] = f"{helps[name]} {line.strip()}".strip()
    kept = doc[: found.start()] + doc[found.end() :]
    return re.sub(r"\n{3,}", "\n\n", kept).strip(), helps


def _options(
    parameters: dict[str, inspect.Parameter], helps: dict[str, str]
) -> dict[str, click.Option]:
    """Return each parameter's option; none for one whose option is taken."""
    options: dict[str, click.Option] = {}
    taken = {"args", "help"}
    for name, parameter in parameters.items():
        shape = _shape_of(parameter.annotation)
        word = name.strip("_").replace("_", "-")
        words = {word, f"no-{word}"} if shape.kind == "flag" else {word}
        if not word or words & taken:
            continue
        taken |= words
        options[name] = click.Option(
            [name, f"--{word}/--no-{word}" if shape.kind == "flag" else f"--{word}"],
            default=None,
            multiple=shape.kind in ("list", "dict"),
            metavar=None if shape.kind == "flag" else _metavar(shape),
            help=_help(parameter, shape, helps.get(name)),
        )
    return options


def _help(parameter: inspect.Parameter, shape: _Shape, documented: str | None) -> str:
    notes = getattr(parameter.annotation, "__metadata__", ())
    texts = [
        note if isinstance(note, str) else getattr(note, "description", None) for note in notes
    ]
    text = next(filter(None, [*texts, documented]), _described(parameter.annotation))
    if shape.kind in ("list", "dict"):
        whole = "array" if shape.kind == "list" else "object"
        text = f"{text.rstrip('.')}. May be repeated, or be one JSON {whole}."
    if parameter.default is parameter.empty:
        return f"{text}  [required]"
    return f"{text}  [default: {_shown(parameter, shape)}]"


def _shown(parameter: inspect.Parameter, shape: _Shape) -> str:
    """The default as it would be written."""
    from ..supervisor.workflow import adapter_of, short

    value = parameter.default
    if shape.kind == "flag" and value is not None:
        word = parameter.name.strip("_").replace("_", "-")
        return word if value else f"no-{word}"
    if value is None:
        return "none"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, TEXTS):
        return str(value) or "''"
    try:
        data = adapter_of(parameter.annotation).dump_python(value, mode="json", warnings=False)
        return json.dumps(data, ensure_ascii=False)
    except Exception:  # a default of any type is only shown here
        return short(value)


def _metavar(shape: _Shape) -> str:
    if shape.kind == "dict":
        return "NAME=VALUE"
    plain = _plain(shape.item)
    if get_origin(plain) is Literal:
        return f"[{'|'.join(map(str, get_args(plain)))}]"
    if inspect.isclass(plain) and issubclass(plain, Enum):
        return f"[{'|'.join(str(member.value) for member in plain)}]"
    is_object = any(hasattr(plain, name) for name in FIELDS)
    is_one = inspect.isclass(plain) and plain not in (object, inspect.Parameter.empty)
    is_built = get_origin(plain) is not None or plain in (list, tuple, dict, set)
    if is_object or is_built or not is_one:
        return "JSON"
    return "TEXT" if plain is str else plain.__name__.upper()


def _described(annotation: Any) -> str:
    """What fits, in words."""
    from ..supervisor.workflow import type_name

    name, shape = type_name(annotation), _shape_of(annotation)
    is_json = shape.kind != "flag" and _metavar(shape) == "JSON" and name != "JSON"
    return f"{name} as JSON" if is_json else name


def _shape_of(annotation: Any) -> _Shape:
    plain = _plain(annotation)
    origin, items = get_origin(plain) or plain, get_args(plain)
    if plain is bool:
        return _Shape("flag", bool)
    if origin in LISTS or (origin is tuple and items[1:] in ((), (...,))):
        return _Shape("list", items[0] if items else Any)
    if origin in DICTS:
        return _Shape("dict", items[1] if items else Any)
    return _Shape("one", annotation)


def _plain(annotation: Any) -> Any:
    """Return *annotation* without what `Annotated` and `Optional` add."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def _from_args(
    text: str | None,
    parameters: dict[str, inspect.Parameter],
    overruled: set[str],
    ctx: click.Context,
) -> dict[str, Any]:
    """Return the values that `--args` gives, without the *overruled* ones."""
    from ..supervisor.workflow import adapter_of, unknown

    option = next(param for param in ctx.command.params if param.name == "args")
    data = {} if text is None else _object(text, ctx, option)
    for name in data:
        if name not in parameters:
            raise click.BadParameter(f"{name}: {unknown(name, parameters)}", ctx, option)
    values = {}
    for name in [name for name in data if name not in overruled]:
        annotation = parameters[name].annotation
        with _refusing(data[name], annotation, ctx, option, place=f"{name}: "):
            values[name] = adapter_of(annotation).validate_json(json.dumps(data[name]))
    return values


def _object(text: str, ctx: click.Context, option: click.Parameter) -> dict[str, Any]:
    source = text
    try:
        if text.startswith("@"):
            with click.open_file(text[1:], encoding="utf-8") as file:
                source = file.read()
        data = json.loads(source)
    except OSError as error:
        raise click.BadParameter(f"{text[1:]}: {error.strerror or error}", ctx, option) from None
    except ValueError as error:
        what = text[1:] if text.startswith("@") else "it"
        raise click.BadParameter(f"{what} is no JSON: {error}", ctx, option) from None
    if not isinstance(data, dict):
        raise click.BadParameter("give one JSON object, as in '{\"name\": 1}'", ctx, option)
    return data


def _read(written: Any, annotation: Any, ctx: click.Context, option: click.Parameter) -> Any:
    """Return what was *written* for an option (a bool, a text, or several) in its type."""
    from ..supervisor.workflow import adapter_of

    shape = _shape_of(annotation)
    if shape.kind == "dict" and not _is_json(written, "{"):
        _check_names(written, ctx, option)
    only = written[0] if isinstance(written, tuple) and len(written) == 1 else written
    with _refusing(only, annotation, ctx, option):
        if shape.kind == "flag":
            return adapter_of(annotation).validate_python(written)
        if shape.kind == "one":
            return _one(written, annotation)
        return _many(written, annotation, shape)


def _check_names(written: Sequence[str], ctx: click.Context, option: click.Parameter) -> None:
    """Raise where one of *written* is no NAME=VALUE, or has a name that another has."""
    seen = set()
    for text in written:
        name, equals, _ = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", ctx, option)
        if name in seen:
            raise click.BadParameter(f"{name!r} is given twice; each needs a name", ctx, option)
        seen.add(name)


def _one(text: str, annotation: Any) -> Any:
    """Return *text* in the type of *annotation*: as JSON if that fits, else as it stands."""
    from pydantic import ValidationError

    from ..supervisor.workflow import adapter_of

    adapter, plain = adapter_of(annotation), _plain(annotation)
    if inspect.isclass(plain) and issubclass(plain, TEXTS):
        return adapter.validate_python(text)
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        if _is_json((text,), "{["):
            raise
        not_json = error
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        raise error from not_json


def _many(texts: Sequence[str], annotation: Any, shape: _Shape) -> Any:
    """Return all of *texts* as one list or dict; a single one may be its JSON."""
    from pydantic import ValidationError

    from ..supervisor.workflow import adapter_of

    adapter = adapter_of(annotation)
    not_whole = None
    if _is_json(texts, "[" if shape.kind == "list" else "{"):
        try:
            return adapter.validate_json(texts[0])
        except ValidationError as error:
            if shape.kind == "dict":
                raise
            not_whole = error  # a list of lists may have one element
    try:
        if shape.kind == "list":
            return adapter.validate_python([_one(text, shape.item) for text in texts])
        pairs = [text.partition("=") for text in texts]
        return adapter.validate_python({key: _one(text, shape.item) for key, _, text in pairs})
    except ValidationError as error:
        raise not_whole or error from None


def _is_json(texts: Sequence[str], starts: str) -> bool:
    """Whether this is a single text that looks like a JSON array or object."""
    return len(texts) == 1 and texts[0].lstrip()[:1] in set(starts)


@contextmanager
def _refusing(
    written: Any, annotation: Any, ctx: click.Context, option: click.Parameter, *, place: str = ""
) -> Iterator[None]:
    """Turn what pydantic says in the block into one sentence about *option*."""
    from pydantic import ValidationError
    from pydantic.errors import PydanticUserError

    from ..supervisor.workflow import misfit, short, type_name

    try:
        yield
    except ValidationError as error:
        why = f"{place}{short(written)} does not fit {_described(annotation)}: {misfit(error)}"
        raise click.BadParameter(why, ctx, option) from None
    except PydanticUserError:
        kind = type_name(annotation)
        why = f"{place}a {kind} cannot be given on a command line; call the workflow from Python"
        raise click.BadParameter(why, ctx, option) from None


def _missing(
    name: str, parameter: inspect.Parameter, option: click.Option | None, ctx: click.Context
) -> click.ClickException:
    what = option.opts[0] if option else f"{name} (in --args)"
    return click.UsageError(f"{what} is missing; it takes {_described(parameter.annotation)}", ctx)
