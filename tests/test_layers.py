"""The plan of the house, kept by tests: who may import whom, no circles, one door a dependency."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ["actors", "supervisor", "patterns", "commedia", "benchmarks"]  # lower rooms first
DOORS = {
    "anthropic": {"actors/models/claude.py"},
    "click": {"commedia/cli/"},
    "ray": {"supervisor/runtime/ray_runtime.py"},
}
LABEL_LOSING = {"concat_tables", "join", "group_by", "from_pylist", "replace_schema_metadata"}
SOURCES = [p.relative_to(ROOT) for room in FLOORS for p in sorted((ROOT / room).rglob("*.py"))]


def imported(source: Path) -> tuple[set[Path], set[str]]:
    """Return the files of this repository that *source* imports, and the packages outside."""
    inside, outside = set[Path](), set[str]()
    for node in ast.walk(ast.parse((ROOT / source).read_text())):
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
    return inside, outside


def _file(package: tuple[str, ...], module: str | None, name: str) -> Path:
    """Return the file that `from package.module import name` means: rooms stand beside the door."""
    parts = (*package, *(module.split(".") if module else (name,)))
    if parts[0] == "commedia" and len(parts) > 1 and parts[1] in FLOORS:
        parts = parts[1:]
    return Path(*parts).with_suffix(".py")


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_a_room_imports_only_from_lower_rooms(source: Path) -> None:
    """Arrows run down: patterns use the supervisor, never the other way round."""
    above = FLOORS[FLOORS.index(source.parts[0]) + 1 :]

    assert [i.as_posix() for i in imported(source)[0] if i.parts[0] in above] == []


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_a_file_imports_from_files(source: Path) -> None:
    """Inside, a name comes from the file that defines it: not from a face, nor from `commedia`."""
    inside, outside = imported(source)

    assert [i.as_posix() for i in inside if not (ROOT / i).is_file()] == []
    assert outside & {*FLOORS} == set()


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_an_outside_package_has_one_door(source: Path) -> None:
    """A big dependency is imported where it can be replaced, and nowhere else."""
    outside = imported(source)[1]

    for package in outside & DOORS.keys():
        assert any(source.as_posix().startswith(door) for door in DOORS[package]), package


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_what_loses_labels_is_called_in_one_file(source: Path) -> None:
    """Arrow's operations that drop or falsify labels stand behind wrappers in tables.py."""
    if source == Path("actors/tables.py"):
        return
    calls = [n for n in ast.walk(ast.parse((ROOT / source).read_text())) if isinstance(n, ast.Call)]
    names = {
        c.func.attr for c in calls if isinstance(c.func, ast.Attribute) and not _is_other_join(c)
    }

    assert names & LABEL_LOSING == set()


def _is_other_join(call: ast.Call) -> bool:
    """Whether this joins texts or threads: a table's join names its keys as well."""
    is_join = isinstance(call.func, ast.Attribute) and call.func.attr == "join"
    return is_join and len(call.args) < 2 and not any(k.arg == "keys" for k in call.keywords)


def test_there_are_no_circles() -> None:
    """Files can be put in an order in which each imports only from those before it."""
    TopologicalSorter({source: imported(source)[0] for source in SOURCES}).prepare()


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_files_and_functions_are_short(source: Path) -> None:
    """A file is read in one sitting, a function at one glance."""
    text = (ROOT / source).read_text()
    long = [
        f"{node.name}: {lines} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1 - _signature(node)) > 40
    ]

    assert len(text.splitlines()) <= 400
    assert long == []


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the signature and the docstring: what is declared, not done."""
    body = node.body
    has_text = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    first = body[1] if has_text and len(body) > 1 else body[0]
    return first.lineno - node.lineno
