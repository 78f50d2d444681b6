"""Where workflows are found: files, modules, saved ones of a project, packages, recipes."""

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from .actors.errors import CommediaError, UsageError
from .supervisor.workflow import Workflow, is_installed, unknown

SAVED = Path(".commedia", "workflows")
"""The folder of saved workflows, in a project and in the user's home."""

GROUP = "commedia.workflows"
"""The entry points by which a package offers workflows."""

RECIPES = {"root_cause": "commedia.patterns.recipes.root_cause.workflow:root_cause"}
"""The workflows that are shipped, and where they are."""

_LOADED = "commedia_workflow"


@dataclass(frozen=True, slots=True)
class Saved:
    """A workflow that can be run by its *name*."""

    name: str
    place: str
    """project, home, package NAME, or shipped."""
    summary: str
    reference: str
    is_shadowed: bool = False
    """Another place that is looked in earlier has the name."""
    error: str | None = None
    """Why it cannot be loaded."""


def find_workflow(target: str) -> Workflow[..., Any]:
    """Return the workflow that *target* means; raises UsageError in one sentence.

    It is `FILE.py`, `FILE.py:NAME`, `package.module:NAME`, or the name of a saved one, looked up
    in `.commedia/workflows` from here up to the repository's root, in the home, among what
    packages offer (`NAME` or `package:NAME`) and among the shipped recipes.
    """
    head, _, name = (target, "", "") if target.endswith(".py") else target.rpartition(":")
    if head.endswith(".py"):
        return _of_file(Path(head).expanduser().absolute(), name or None)
    head, _, name = target.partition(":")
    if "/" in head:
        raise UsageError(f"{target!r} is no workflow; give a FILE.py, FILE.py:NAME or a name")
    for _, folder in _folders():
        path = folder / f"{head}.py"
        if path.exists() or path.is_symlink():
            return _of_file(_inside(path, folder), name or None, called=head)
    offered = [point for point in _offered() if target in (point.name, _full_name(point))]
    if len({point.value for point in offered}) > 1:
        names = " or ".join(map(_full_name, offered))
        raise UsageError(f"several packages offer a workflow {target!r}; name one: {names}")
    if offered:
        return _of_module(offered[0].module, offered[0].attr or None)
    if target in RECIPES:
        return load_reference(RECIPES[target])
    if name and all(part.isidentifier() for part in head.split(".")):
        return _of_module(head, name)
    raise UsageError(f"workflow {target!r}: {unknown(target, _known_names())}")


def load_reference(reference: str) -> Workflow[..., Any]:
    """Return what `Workflow.reference` named, even if a saved workflow has the same name now."""
    head, _, name = reference.rpartition(":")
    return _of_file(Path(head), name) if head.endswith(".py") else _of_module(head, name)


def load_name(reference: str) -> Any:  # Any: whatever a file names so
    """Return what the file of `FILE.py:NAME` calls NAME; raises UsageError."""
    head, _, name = reference.rpartition(":")
    module = load_file(head)
    try:
        return vars(module)[name]
    except KeyError:
        raise UsageError(f"{module.__file__} has no {name}") from None


def load_file(file: str) -> ModuleType:
    """Return the module that *file* is; raises UsageError."""
    path = Path(file).expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    return _load(path)


def list_workflows() -> list[Saved]:
    """Return every workflow that has a name here, in the order in which they are looked up.

    Nothing is raised: what cannot be loaded is listed with its error.
    """
    found: list[Saved] = []
    taken: set[str] = set()
    for place, folder in _folders():
        names = set[str]()
        for path in sorted(folder.glob("[!_.]*.py")):
            saved = _saved(path, folder, place)
            found += [replace(one, is_shadowed=path.stem in taken) for one in saved]
            names.add(path.stem)
        taken |= names
    references = [
        *((point.name, f"package {_package(point)}", point.value) for point in _offered()),
        *((name, "shipped", reference) for name, reference in RECIPES.items()),
    ]
    for name, place, reference in references:
        found.append(_summarised(name, place, reference, is_shadowed=name in taken))
        taken.add(name)
    return found


def local_modules(found: Workflow[..., Any] | Callable[..., Any]) -> list[ModuleType]:
    """Return the loaded modules that another machine lacks, the own of what was *found* first.

    They lie under the folder of its file or under the current one, and belong neither to an
    installed package nor to commedia: what is shipped by value to a cluster.
    """
    function = found.function if isinstance(found, Workflow) else found
    code = getattr(inspect.unwrap(function), "__code__", None)
    file = Path(code.co_filename).resolve() if code and Path(code.co_filename).is_file() else None
    folders = [Path.cwd().resolve(), *([file.parent] if file else [])]
    own = sys.modules.get(getattr(function, "__module__", ""))
    loaded = {id(module): module for _, module in sorted(sys.modules.items()) if module is not own}
    beside = [module for module in loaded.values() if _is_local(module, folders)]
    is_own_local = own is not None and (file is None or _is_local(own, folders))
    return [own, *beside] if own is not None and is_own_local else beside


def _folders() -> list[tuple[str, Path]]:
    """The folders of saved workflows: from here up to the repository's root, then the home's.

    Outside a repository only the current folder counts: one above may be anybody's.
    """
    here = Path.cwd()
    above = [here, *here.parents]
    roots = [place for place, folder in enumerate(above) if (folder / ".git").exists()]
    project = above[: roots[0] + 1] if roots else [here]
    folders = {folder / SAVED: "project" for folder in project}
    folders.setdefault(Path.home() / SAVED, "home")
    return [(place, folder) for folder, place in folders.items() if _is_open(folder)]


def _is_open(folder: Path) -> bool:
    """Whether *folder* is there and may be read: one that may not keeps no other from being run."""
    try:
        return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    except OSError:
        return False


def _inside(path: Path, folder: Path) -> Path:
    """Return *path*; raises UsageError if it is a link that leads out of *folder*."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{path} is a link to {path.resolve()}, outside of its folder, and is not followed; "
            "copy the file there instead"
        )
    return path


def _offered() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, _package(point)))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module.partition(".")[0]


def _full_name(point: EntryPoint) -> str:
    return f"{_package(point)}:{point.name}"


def _known_names() -> list[str]:
    """The names that can be given, without loading a file."""
    stems = [path.stem for _, folder in _folders() for path in folder.glob("[!_.]*.py")]
    here = [path.name for path in Path.cwd().glob("*.py")]
    names = [*stems, *(point.name for point in _offered()), *RECIPES]
    return [*dict.fromkeys(names), *here]


def _saved(path: Path, folder: Path, place: str) -> list[Saved]:
    """What a file of saved workflows provides, or the one line that says why it does not."""
    try:
        with _imports_undone(path.resolve().parent):
            found = _workflows_in(_load(_inside(path, folder)))
            if not found:
                raise UsageError(f"{path} holds no workflow; decorate one with @workflow")
    except UsageError as error:
        return [Saved(path.stem, place, "", str(path), error=str(error))]
    names = [path.stem] if len(found) == 1 else [f"{path.stem}:{name}" for name in found]
    return [
        Saved(name, place, workflow.summary, workflow.reference)
        for name, workflow in zip(names, found.values(), strict=True)
    ]


def _summarised(name: str, place: str, reference: str, *, is_shadowed: bool) -> Saved:
    module, _, attribute = reference.partition(":")
    try:
        summary = _of_module(module.strip(), attribute.strip() or None).summary
    except UsageError as error:
        return Saved(name, place, "", reference, is_shadowed, str(error))
    return Saved(name, place, summary, reference, is_shadowed)


def _of_file(path: Path, name: str | None, *, called: str = "") -> Workflow[..., Any]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    return _picked(_load(path), name, str(path), called=called)


def _of_module(module: str, name: str | None) -> Workflow[..., Any]:
    top = module.partition(".")[0]
    importlib.invalidate_caches()
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        _make_importable(Path.cwd())  # as `python -m` would
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's module may raise
        if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
            raise UsageError(f"{module}: there is no such module here") from None
        raise UsageError(_why_not_loaded(module, error)) from error
    return _picked(loaded, name, module)


def _picked(
    module: ModuleType, name: str | None, where: str, *, called: str = ""
) -> Workflow[..., Any]:
    """Return the workflow *name* of *module*, or its only one; *called* is a saved one's name."""
    found = _workflows_in(module)
    names = ", ".join(found)
    if not found and name is None:
        raise UsageError(f"{where} holds no workflow; decorate one with @workflow")
    if name is None and len(found) > 1:
        raise UsageError(
            f"{where} holds several workflows, {names}; name one, as in "
            f"{called or where}:{next(iter(found))}"
        )
    if name is None:
        return next(iter(found.values()))
    value = vars(module).get(name)
    if isinstance(value, Workflow):
        return value
    for workflow in found.values():
        if name in (workflow.name, workflow.function.__qualname__):
            return workflow
    if callable(value):
        raise UsageError(f"{name} in {where} is no workflow; decorate it with @workflow")
    raise UsageError(f"{where} has no workflow {name!r}; it has {names or 'none'}")


def _workflows_in(module: ModuleType) -> dict[str, Workflow[..., Any]]:
    """The workflows that *module* defines, by name; those it imports if it defines none."""
    held = [value for value in vars(module).values() if isinstance(value, Workflow)]
    own = [workflow for workflow in held if workflow.function.__module__ == module.__name__]
    return {workflow.name: workflow for workflow in own or held}


def _load(path: Path) -> ModuleType:
    """Run the file at *path* as `python FILE.py` would, but under a name of its own.

    Asked again for the same content, it returns the same module; UsageError says what is wrong.
    """
    path = path.resolve()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    digest = hashlib.sha256(bytes(path) + b"\0" + source).hexdigest()[:12]
    name = "_".join((_LOADED, re.sub(r"\W", "_", path.stem), digest))
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, path  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    importlib.invalidate_caches()
    _make_importable(path.parent)
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:  # whatever a user's file may raise
        sys.modules.pop(name, None)
        raise UsageError(_why_not_loaded(str(path), error)) from error
    return module


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@contextmanager
def _imports_undone(folder: Path) -> Iterator[None]:
    """Forget what the block imports from *folder*: two folders may each have their `helpers.py`."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(folder):
                del sys.modules[name]


def _why_not_loaded(where: str, error: BaseException) -> str:
    """Return in one sentence what went wrong, and in which line of the user's own code."""
    what = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    frames = traceback.walk_tb(error.__traceback__)
    lines = [(frame.f_code.co_filename, line) for frame, line in frames if _is_users(frame)]
    if isinstance(error, CommediaError):
        what = str(error)
    elif isinstance(error, SyntaxError) and error.filename:
        what = f"{type(error).__name__}: {error.msg}"
        lines.append((error.filename, error.lineno or 0))
    if not lines:
        return f"{where} cannot be loaded: {what}"
    file, line = lines[-1]
    place = f"line {line}" if file == where else f"line {line} of {file}"
    return f"{where} cannot be loaded: {place}: {what}"


def _is_users(frame: FrameType) -> bool:
    path = Path(frame.f_code.co_filename)
    is_ours = str(frame.f_globals.get("__name__")).partition(".")[0] == "commedia"
    return not is_ours and path.is_file() and not is_installed(path.resolve())


def _is_local(module: ModuleType, folders: list[Path]) -> bool:
    file, top = getattr(module, "__file__", None), module.__name__.partition(".")[0]
    if not isinstance(file, str) or top == "commedia" or top in sys.stdlib_module_names:
        return False
    path = Path(file).resolve()
    is_beside = any(path.is_relative_to(folder) for folder in folders)
    return is_beside and path.suffix == ".py" and not is_installed(path)
