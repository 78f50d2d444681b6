"""The package list in pyproject.toml names every package in the tree, and the links follow it."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    found = set()
    for name, room in SETUP["package-dir"].items():
        for init in (ROOT / room).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / room).parts
            found.add(".".join((name, *inner)))

    assert set(SETUP["packages"]) == found


def test_the_links_for_type_checkers_show_the_whole_package() -> None:
    """mypy reads .src/commedia: the rooms, and every file of the front door."""
    rooms = {Path(room).name for room in SETUP["package-dir"].values()} - {"commedia"}
    door = {p.name for p in (ROOT / "commedia").iterdir() if p.suffix == ".py" or p.name == "cli"}
    links = {p.name for p in (ROOT / ".src" / "commedia").iterdir() if p.exists()}

    assert rooms | door | {"py.typed"} <= links


def test_no_committed_file_names_a_host_or_a_home() -> None:
    """Neither a registry nor a path of somebody's machine belongs in the repository."""
    pinned = (ROOT / "constraints.txt").read_text()

    assert "://" not in pinned
    assert " @ " not in pinned
