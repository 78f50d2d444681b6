"""The plan of the house, kept by tests: who may import whom, no circles, one door a dependency."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = ["actors", "supervisor", "patterns", "commedia", "benchmarks"]  # lower rooms first
DOORS = {
    "anthropic": {"actors/models/claude.py"},
    "click": {"commedia/cli/"},
    "ray": {"supervisor/runtime/ray_runtime.py"},
}
LABEL_LOSING = {"concat_tables", "join", "group_by", "from_pylist", "replace_schema_metadata"}
SOURCES = [p.relative_to(ROOT) for room in FLOORS for p in sorted((ROOT / room).rglob("*.py"))]


@cache
def parsed(source: Path) -> ast.Module:
    """Return the tree of *source*."""
    return ast.parse((ROOT / source).read_text())


@cache
def nodes(source: Path) -> list[ast.AST]:
    """Return all that stands in *source*."""
    return list(ast.walk(parsed(source)))


@cache
def imported(source: Path) -> tuple[frozenset[Path], frozenset[str]]:
    """Return the files of this repository that *source* imports, and the packages outside."""
    inside, outside = set[Path](), set[str]()
    for node in nodes(source):
        if isinstance(node, ast.Import):
            outside |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            package = (
                ("commedia", *source.parts[:-1])
                if source.parts[0] != "commedia"
                else source.parts[:-1]
            )
            climbed = package[: len(package) - node.level + 1]
            inside |= {_file(climbed, node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            outside.add((node.module or "").split(".")[0])
    return frozenset(inside), frozenset(outside)


def _file(package: tuple[str, ...], module: str | None, name: str) -> Path:
    """Return the file that `from package.module import name` means: rooms stand beside the door."""
    parts = (*package, *(module.split(".") if module else (name,)))
    if parts[0] == "commedia" and len(parts) > 1 and parts[1] in FLOORS:
        parts = parts[1:]
    return Path(*parts).with_suffix(".py")


def test_a_room_imports_only_from_lower_rooms() -> None:
    """Arrows run down: patterns use the supervisor, never the other way round."""
    upward = [
        f"{source} imports {i}"
        for source in SOURCES
        for i in imported(source)[0]
        if i.parts[0] in FLOORS[FLOORS.index(source.parts[0]) + 1 :]
    ]

    assert upward == []


def test_a_file_imports_from_files() -> None:
    """Inside, a name comes from the file that defines it: not from a face, nor from `commedia`."""
    for source in SOURCES:
        inside, outside = imported(source)

        assert [i.as_posix() for i in inside if not (ROOT / i).is_file()] == [], source
        assert outside & {*FLOORS} == set(), source


def test_an_outside_package_has_one_door() -> None:
    """A big dependency is imported where it can be replaced, and nowhere else."""
    astray = [
        f"{source} imports {package}"
        for source in SOURCES
        for package in imported(source)[1] & DOORS.keys()
        if not any(source.as_posix().startswith(door) for door in DOORS[package])
    ]

    assert astray == []


def test_what_loses_labels_is_called_in_one_file() -> None:
    """Arrow's operations that drop or falsify labels stand behind wrappers in tables.py."""
    losing = [
        f"{source}:{node.lineno} {node.func.attr}"
        for source in SOURCES
        for node in nodes(source)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in LABEL_LOSING and not _is_other_join(node)
    ]

    assert losing == []


def _is_other_join(call: ast.Call) -> bool:
    """Whether this joins texts or threads: a table's join names its keys as well."""
    is_join = isinstance(call.func, ast.Attribute) and call.func.attr == "join"
    return is_join and len(call.args) < 2 and not any(k.arg == "keys" for k in call.keywords)


def test_there_are_no_circles() -> None:
    """Files can be put in an order in which each imports only from those before it."""
    TopologicalSorter({source: imported(source)[0] for source in SOURCES}).prepare()


def test_files_are_short() -> None:
    """A file is read in one sitting."""
    lines = {str(source): len((ROOT / source).read_text().splitlines()) for source in SOURCES}

    assert {source: count for source, count in lines.items() if count > 400} == {}


def test_functions_are_short() -> None:
    """A function is read at one glance."""
    long = [
        f"{source}:{node.lineno} {node.name}: {lines} lines"
        for source in SOURCES
        for node in nodes(source)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1 - _signature(node)) > 40
    ]

    assert long == []


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the signature and the docstring: what is declared, not done."""
    body = node.body
    has_text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1] if has_text and len(body) > 1 else body[0]
    return first.lineno - node.lineno
