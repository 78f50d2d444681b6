"""A workflow: an async function of a run, and its arguments as JSON so that a run can be resumed.

`Run` never imports this file: where it takes a workflow, it takes any async function of a run, and
a `Workflow` is one. So the arrow runs one way, and `run` keeps its exact type here.
"""

import builtins
import functools
import inspect
import json
import re
import sys
import sysconfig
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from ..actors.errors import UsageError

if TYPE_CHECKING:
    from .run import Run

P = ParamSpec("P")
R = TypeVar("R")

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class UnwritableArgumentError(UsageError):
    """An argument that would not come back from JSON as it was."""


@dataclass(frozen=True)
class Workflow(Generic[P, R]):
    """An async function that `session.run` can be given; calling it is calling the function.

    One that does not *need a model* runs without one too: its agents are steps in code then.
    """

    function: Callable[Concatenate["Run", P], Coroutine[Any, Any, R]]
    name: str
    needs_model: bool = True

    def __call__(self, run: "Run", *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Return the coroutine of one execution within *run*."""
        return self.function(run, *args, **kwargs)

    @property
    def doc(self) -> str:
        """The function's docstring without its indentation; empty if there is none."""
        return inspect.getdoc(self.function) or ""

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.partition("\n")[0]

    @property
    def parameters(self) -> tuple[inspect.Parameter, ...]:
        """What follows `run`, annotations resolved; raises UsageError for one that cannot be."""
        _, *parameters = inspect.signature(self.function).parameters.values()
        return tuple(p.replace(annotation=self._annotation(p)) for p in parameters)

    @property
    def file(self) -> Path | None:
        """The file that defines it; None in a notebook or at a prompt."""
        path = Path(inspect.unwrap(self.function).__code__.co_filename)
        return path.resolve() if path.is_file() else None

    @property
    def reference(self) -> str:
        """Where to find it again: `package.module:NAME` if installed, else `/path/file.py:NAME`.

        A file beside an `__init__.py` is named by its module too: it may import relatively.
        """
        module, name = self.function.__module__, self.function.__qualname__
        if module == "__main__":  # `python -m package.module` says what it is in truth
            spec = getattr(sys.modules["__main__"], "__spec__", None)
            module = spec.name if spec is not None else module
        file = self.file
        is_script = module == "__main__" or not (file and _is_importable(file))
        return f"{file}:{name}" if file and is_script else f"{module}:{name}"

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """Return the arguments of a call by name, without defaults; raises UsageError."""
        _, *parameters = inspect.signature(self.function).parameters.values()
        names = [parameter.name for parameter in parameters]
        for name in kwargs:
            if name not in names:
                raise UsageError(f"{self.name} was called wrongly: {name}: {unknown(name, names)}")
        try:
            return dict(inspect.Signature(parameters).bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise UsageError(f"{self.name} was called wrongly: {error}") from None

    def _annotation(self, parameter: inspect.Parameter) -> Any:
        if parameter.annotation is parameter.empty:
            return parameter.empty
        holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
        names = inspect.unwrap(self.function).__globals__
        try:
            return get_type_hints(holder, names, include_extras=True)[parameter.name]
        except (NameError, SyntaxError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{_where(self, parameter.name)}: its annotation cannot be resolved ({error}); "
                "use a name that the module has when it is running"
            ) from None


@overload
def workflow(
    function: Callable[Concatenate["Run", P], Coroutine[Any, Any, R]], /
) -> Workflow[P, R]: ...
@overload
def workflow(
    *, name: str | None = None, needs_model: bool = True
) -> Callable[[Callable[Concatenate["Run", P], Coroutine[Any, Any, R]]], Workflow[P, R]]: ...
def workflow(function: Any = None, /, *, name: str | None = None, needs_model: bool = True) -> Any:
    """Make an async function of a run a Workflow: `@workflow` or `@workflow(name="...")`.

    With `needs_model=False` it runs without a model too: then `run.model` is `none`. Raises
    UsageError if it is not async, or if not everything after the run can be given by name.
    """
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"the workflow name {name!r} holds more than letters, digits, _, - and .")
    if function is None:
        return lambda decorated: _made(decorated, name, needs_model=needs_model)
    return _made(function, name)


def encode_args(workflow: Workflow[..., Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Return *args* as JSON values that `decode_args` turns into equal ones.

    Raises UsageError naming the parameter that is unknown, missing, unfitting, or whose value
    would not come back as it was.
    """
    parameters = _checked(workflow, args)
    return {name: _encode(workflow, parameters[name], value) for name, value in args.items()}


def decode_args(
    workflow: Workflow[..., Any], data: Mapping[str, Any], *, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return what `encode_args` was given, in the annotated types; raises UsageError likewise.

    Arguments that are *given* otherwise are not missing from *data*.
    """
    parameters = _checked(workflow, data, given)
    return {name: _decode(workflow, parameters[name], value) for name, value in data.items()}


def adapter_of(annotation: Any) -> TypeAdapter[Any]:
    """Return what validates values of *annotation*; without one, anything that is JSON.

    Raises PydanticUserError for a type that pydantic does not know.
    """
    if annotation in (inspect.Parameter.empty, Any, object):
        return TypeAdapter(JsonValue)
    if get_origin(annotation) is Iterable:
        annotation = Sequence[get_args(annotation)[0]]  # type: ignore[misc]  # else read only once
    try:
        return TypeAdapter(annotation, config=ConfigDict(ser_json_inf_nan="strings"))
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(annotation)


def misfit(error: ValidationError) -> str:
    """Return in one clause where and why a value did not fit."""
    first, *others = error.errors(include_url=False)
    place = "".join(f"{part}: " for part in first["loc"])
    why = " ".join(first["msg"].split())
    return place + why[:1].lower() + why[1:] + (f" (and {len(others)} more)" if others else "")


def type_name(annotation: Any) -> str:
    """Return *annotation* as a person would write it, without the modules of its names."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation in (inspect.Parameter.empty, Any, object):
        return "JSON"
    if annotation in (None, NoneType):
        return "None"
    if origin is Annotated:
        return type_name(args[0])
    if origin in (Union, UnionType):
        return " | ".join(map(type_name, args))
    if origin is Literal:
        return "one of " + ", ".join(map(str, args))
    if annotation is Ellipsis:
        return "..."
    name = getattr(origin or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(type_name, args))}]" if args else name


def unknown(name: str, known: Iterable[str]) -> str:
    """Return in one clause that *name* is not among *known*, and what was perhaps meant."""
    known = list(known)
    near = get_close_matches(name, known, n=1)
    if near:
        return f"it is unknown; did you mean {near[0]}?"
    return f"it is unknown; {', '.join(known) or 'nothing'} can be given"


def is_installed(file: Path) -> bool:
    """Whether *file* belongs to Python or to an installed package."""
    if {"site-packages", "dist-packages"} & set(file.parts):
        return True
    return any(file.is_relative_to(folder) for folder in _pythons_own())


@functools.lru_cache(maxsize=1)
def _pythons_own() -> list[Path]:
    kept = (sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "scripts"))
    return [Path(folder).resolve() for folder in kept]


def short(value: object) -> str:
    """Return *value* as a sentence can show it."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:59] + "…"


def _made(function: Any, name: str | None, *, needs_model: bool = True) -> Workflow[..., Any]:
    called = getattr(function, "__name__", None) or repr(function)
    if not callable(function):
        raise UsageError(
            f"a workflow is an async function, and {short(function)} is a "
            f"{type(function).__name__}; give the function itself"
        )
    if not inspect.iscoroutinefunction(function):
        raise UsageError(f"the workflow {called} is not async; write it with `async def`")
    first, *others = [*inspect.signature(function).parameters.values(), None]
    if first is None or first.kind not in POSITIONAL or _is_plain_value(first.annotation):
        raise UsageError(
            f"the workflow {called} has no first parameter for the run; "
            f"write `async def {called}(run: Run, ...)`"
        )
    for parameter in others:
        if parameter is not None and parameter.kind not in NAMED:
            raise UsageError(
                f"the workflow {called} takes {str(parameter).partition(':')[0]}, which cannot be "
                "given by name; take a list or a dict instead"
            )
    return Workflow(function, name or called, needs_model)


def _is_importable(file: Path) -> bool:
    return is_installed(file) or (file.parent / "__init__.py").is_file()


def _is_plain_value(annotation: Any) -> bool:
    """Whether this is surely not the type of a run: `str`, `list[int]`, and so on."""
    if isinstance(annotation, str):
        return hasattr(builtins, annotation.partition("[")[0])
    kind = get_origin(annotation) or annotation
    return kind is not object and getattr(kind, "__module__", None) == "builtins"


def _checked(
    workflow: Workflow[..., Any], args: Mapping[str, Any], given: Collection[str] = ()
) -> dict[str, inspect.Parameter]:
    """Return the parameters by name if *args* can be a call's: nothing unknown, nothing missing."""
    parameters = {parameter.name: parameter for parameter in workflow.parameters}
    for name in args:
        if name not in parameters:
            raise UsageError(f"{_where(workflow, name)}: {unknown(name, parameters)}")
    for name, parameter in parameters.items():
        is_there = name in args or name in given
        if not is_there and parameter.default is parameter.empty:
            raise UsageError(f"{_where(workflow, name)}: it is missing, and has no default")
    return parameters


def _encode(workflow: Workflow[..., Any], parameter: inspect.Parameter, value: Any) -> Any:
    where = _where(workflow, parameter.name)
    unwritable = UnwritableArgumentError(
        f"{where}: {short(value)} would not come back the same from JSON"
    )
    try:
        adapter = adapter_of(parameter.annotation)
        fitting = adapter.validate_python(value)
    except PydanticUserError:
        raise unwritable from None
    except ValidationError as error:
        raise _unfitting(where, parameter, value, error) from None
    try:
        text = adapter.dump_json(fitting)
        is_same = bool(adapter.validate_json(text) == fitting)
    except (ValueError, TypeError, RecursionError):
        raise unwritable from None
    if not is_same:
        raise unwritable
    return json.loads(text)


def _decode(workflow: Workflow[..., Any], parameter: inspect.Parameter, value: Any) -> Any:
    where = _where(workflow, parameter.name)
    try:
        return adapter_of(parameter.annotation).validate_json(json.dumps(value))
    except ValidationError as error:
        raise _unfitting(where, parameter, value, error) from None
    except (PydanticUserError, TypeError):
        raise UsageError(f"{where}: {short(value)} cannot be read from JSON") from None


def _unfitting(
    where: str, parameter: inspect.Parameter, value: Any, error: ValidationError
) -> UsageError:
    kind = type_name(parameter.annotation)
    return UsageError(f"{where}: {short(value)} does not fit {kind}: {misfit(error)}")


def _where(workflow: Workflow[..., Any], name: str) -> str:
    return f"argument {name} of {workflow.name}"
