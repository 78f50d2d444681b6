"""A workflow is found by what people type, nearest first; a broken one is told by its line."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commedia import workflows
from commedia.actors.errors import UsageError
from commedia.workflows import Saved, find_workflow, list_workflows, load_reference, local_modules

HEAD = "from commedia.supervisor.workflow import workflow\n"


def flow(name: str = "hunt", summary: str = "Find it.") -> str:
    """The source of one workflow."""
    return f'@workflow\nasync def {name}(run):\n    """{summary}"""\n    return "{summary}"\n'


def write(path: Path, *flows: str, head: str = HEAD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + "".join(flows))
    return path


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with a folder in it, where we are; no recipes, and a home without workflows."""
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "project" / ".git").mkdir(parents=True)
    (tmp_path / "project" / "deep" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "deep" / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setattr(workflows, "RECIPES", {})
    yield tmp_path / "project"
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def offer(folder: Path, package: str, *names: str) -> None:
    """Install *package* into *folder*: it offers workflows by entry points."""
    write(folder / f"{package}.py", *(flow(name, f"{name} of {package}") for name in names))
    lines = "".join(f"{name} = {package}:{name}\n" for name in names)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[commedia.workflows]\n{lines}")


def refusal(target: str) -> str:
    with pytest.raises(UsageError) as refused:
        find_workflow(target)

    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_file_with_one_workflow_needs_no_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a b" / "my-flow.v2.py", flow())

    assert find_workflow(str(path)).summary == "Find it."
    assert find_workflow(f"{path}:hunt") is find_workflow(os.path.relpath(path))


def test_a_file_with_several_needs_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "two.py", flow("one"), flow("two"))

    assert find_workflow(f"{path}:two").name == "two"
    assert f"holds several workflows, one, two; name one, as in {path}:one" in refusal(str(path))
    assert "has no workflow 'three'; it has one, two" in refusal(f"{path}:three")


def test_an_imported_workflow_does_not_count_as_the_files_own(tmp_path: Path) -> None:
    write(tmp_path / "lib_of_flows.py", flow("other"))
    path = write(tmp_path / "mine.py", "from lib_of_flows import other\n", flow())

    assert find_workflow(str(path)).name == "hunt"
    assert find_workflow(f"{path}:other").name == "other"


def test_a_reference_finds_the_same_workflow_again(tmp_path: Path) -> None:
    other = flow("other").replace("@workflow", "@workflow(name='re-named')")
    path = write(tmp_path / "named.py", flow(), other)
    for target in (f"{path}:hunt", f"{path}:re-named"):
        found = find_workflow(target)

        assert find_workflow(found.reference) is found
        assert load_reference(found.reference) is found


def test_a_script_that_runs_is_referred_to_by_its_file(tmp_path: Path) -> None:
    path = write(tmp_path / "script.py", flow(), "print(hunt.reference)\n")
    shown = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == f"{path}:hunt"


def test_a_module_here_is_found_as_python_m_would(project: Path) -> None:
    write(Path.cwd() / "flows_here" / "deep.py", flow())
    (Path.cwd() / "flows_here" / "__init__.py").touch()
    found = find_workflow("flows_here.deep:hunt")

    assert found.reference == "flows_here.deep:hunt"
    assert refusal("flows_here.none:hunt") == "flows_here.none: there is no such module here"


def test_a_files_folder_is_importable_once_and_for_good(tmp_path: Path) -> None:
    """An import inside the function works as well, however often the file is loaded."""
    write(tmp_path / "near_by.py", "CAUSE = 'disk'\n")
    late = "@workflow\nasync def late(run):\n    import near_by\n    return near_by.CAUSE\n"
    path = write(tmp_path / "late.py", late)
    for _ in range(2):
        workflow = find_workflow(str(path))
        path.write_text(path.read_text() + "\n")
    coroutine = workflow(None)  # type: ignore[arg-type]

    with pytest.raises(StopIteration, match="disk"):
        coroutine.send(None)
    assert sys.path.count(str(tmp_path)) == 1


def test_an_edited_file_is_loaded_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "edit.py", flow(summary="one"))
    assert find_workflow(str(path)).summary == "one"
    write(path, flow(summary="two"))

    assert find_workflow(str(path)).summary == "two"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def broken(:\n", "line 2: SyntaxError: invalid syntax"),
        ("import no_such_thing\n", "line 2: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("\n\n1 / 0\n", "line 4: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "line 2: SystemExit: 3"),
        ("raise ValueError('a\\nb')\n", "line 2: ValueError: a"),
        ("@workflow\ndef f(run): ...\n", "line 2: the workflow f is not async; "),
        ("import bad_helper\n", "line 2 of {}/bad_helper.py: ZeroDivisionError: division by zero"),
        ("import bad_syntax\n", "line 1 of {}/bad_syntax.py: SyntaxError: '(' was never closed"),
    ],
)
def test_a_broken_file_is_told_by_its_line(tmp_path: Path, source: str, why: str) -> None:
    (tmp_path / "bad_helper.py").write_text("\n1 / 0\n")
    (tmp_path / "bad_syntax.py").write_text("(\n")
    path = write(tmp_path / "broken.py", source)
    loaded = set(sys.modules)

    said = refusal(str(path))

    assert said.startswith(f"{path} cannot be loaded: {why.format(tmp_path)}")
    assert not [name for name in set(sys.modules) - loaded if "broken" in name]


def test_what_is_no_workflow_is_told() -> None:
    here = Path.cwd()
    path = write(here / "plain.py", "async def hunt(run): ...\n")

    assert refusal("none.py") == f"there is no file {here}/none.py"
    assert refusal("plain.py") == f"{path} holds no workflow; decorate one with @workflow"
    assert "hunt in" in refusal("plain.py:hunt")
    assert "decorate it with @workflow" in refusal("plain.py:hunt")
    assert "is no workflow; give a FILE.py" in refusal("some/where")
    assert refusal("plain") == "workflow 'plain': it is unknown; did you mean plain.py?"
    for target in ("", ":", ":x", "a b:c", "..", "x:"):
        assert refusal(target)


def test_the_nearest_saved_workflow_wins(project: Path, tmp_path: Path) -> None:
    """From here up to the repository's root, then the home; nothing above the root."""
    places = [tmp_path, tmp_path / "user", project, project / "deep"]
    for place in places:
        write(place / ".commedia/workflows/hunt.py", flow(summary=place.name))
    write(tmp_path / ".commedia/workflows/above.py", flow())
    write(tmp_path / "user/.commedia/workflows/at_home.py", flow())

    assert find_workflow("hunt").summary == "deep"
    assert find_workflow("at_home").name == "hunt"
    assert "it is unknown" in refusal("above")
    assert [(s.name, s.place, s.summary, s.is_shadowed) for s in list_workflows()] == [
        ("hunt", "project", "deep", False),
        ("hunt", "project", "project", True),
        ("at_home", "home", "Find it.", False),
        ("hunt", "home", "user", True),
    ]


def test_outside_of_a_repository_only_the_current_folder_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / ".commedia/workflows/hunt.py", flow())
    (tmp_path / "below").mkdir()

    monkeypatch.chdir(tmp_path)
    assert find_workflow("hunt").name == "hunt"
    monkeypatch.chdir(tmp_path / "below")
    assert "it is unknown" in refusal("hunt")


def test_a_saved_file_with_several_names_each(project: Path) -> None:
    folder = project / ".commedia/workflows"
    path = write(folder / "kit.py", flow("one"), flow("two"))
    write(folder / "_common.py")

    assert [saved.name for saved in list_workflows()] == ["kit:one", "kit:two"]
    assert find_workflow("kit:two").reference == f"{path}:two"
    assert "holds several workflows, one, two; name one, as in kit:one" in refusal("kit")


def test_a_folder_that_may_not_be_read_is_passed_over(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project / ".commedia/workflows"
    write(folder / "hunt.py", flow())
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)

    assert list_workflows() == []
    assert "it is unknown" in refusal("hunt")


def test_a_link_that_leads_out_is_not_followed(project: Path, tmp_path: Path) -> None:
    folder = project / ".commedia/workflows"
    write(folder / "real.py", flow())
    (folder / "alias.py").symlink_to(folder / "real.py")
    (folder / "trap.py").symlink_to(write(tmp_path / "outside.py", "raise KeyboardInterrupt\n"))

    assert find_workflow("alias").name == "hunt"
    assert f"trap.py is a link to {tmp_path}/outside.py, outside of its folder" in refusal("trap")
    assert [(s.name, s.error is None) for s in list_workflows()] == [
        ("alias", True),
        ("real", True),
        ("trap", False),
    ]


def test_a_broken_one_is_listed_with_its_error(project: Path) -> None:
    folder = project / ".commedia/workflows"
    broken = write(folder / "broken.py", "1 / 0\n")
    empty = write(folder / "empty.py")

    assert list_workflows() == [
        Saved(
            "broken",
            "project",
            "",
            str(broken),
            error=f"{broken} cannot be loaded: line 2: ZeroDivisionError: division by zero",
        ),
        Saved(
            "empty",
            "project",
            "",
            str(empty),
            error=f"{empty} holds no workflow; decorate one with @workflow",
        ),
    ]


def test_a_listing_keeps_helpers_of_the_same_name_apart(project: Path) -> None:
    """And leaves neither imports nor search paths behind."""
    for place in (project, project / "deep"):
        folder = place / ".commedia/workflows"
        write(folder / "_helper.py", f"NAME = {place.name!r}\n")
        named = "from _helper import NAME\n@workflow(name=NAME)\nasync def hunt(run): ...\n"
        write(folder / f"of_{place.name}.py", named, flow("other"))
    path = list(sys.path)

    names = [saved.name for saved in list_workflows()]

    assert names == ["of_deep:deep", "of_deep:other", "of_project:project", "of_project:other"]
    assert sys.path == path
    assert "_helper" not in sys.modules


def test_packages_offer_workflows(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    offer(site, "acme_flows", "hunt", "survey")
    offer(site, "other_flows", "survey")
    monkeypatch.syspath_prepend(site)

    assert find_workflow("hunt").reference == "acme_flows:hunt"
    assert find_workflow("other_flows:survey").summary == "survey of other_flows"
    assert refusal("survey") == (
        "several packages offer a workflow 'survey'; "
        "name one: acme_flows:survey or other_flows:survey"
    )

    write(project / ".commedia/workflows/hunt.py", flow(summary="mine"))
    assert find_workflow("hunt").summary == "mine"
    assert find_workflow("acme_flows:hunt").summary == "hunt of acme_flows"

    write(project / ".commedia/workflows/acme_flows.py", flow(summary="mine"))
    assert find_workflow("acme_flows:hunt").summary == "mine"
    assert load_reference("acme_flows:hunt").summary == "hunt of acme_flows"
    (project / ".commedia/workflows/acme_flows.py").unlink()

    assert [(s.name, s.place, s.is_shadowed) for s in list_workflows()] == [
        ("hunt", "project", False),
        ("hunt", "package acme_flows", True),
        ("survey", "package acme_flows", False),
        ("survey", "package other_flows", True),
    ]


def test_recipes_are_found_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "site-packages" / "shipped_flow.py", flow("known_cause"))
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    recipes = {"cause": "shipped_flow:known_cause", "gone": "commedia.no_such:gone"}
    monkeypatch.setattr(workflows, "RECIPES", recipes)

    assert find_workflow("cause").name == "known_cause"
    assert refusal("caus") == "workflow 'caus': it is unknown; did you mean cause?"
    assert list_workflows() == [
        Saved("cause", "shipped", "Find it.", "shipped_flow:known_cause"),
        Saved(
            "gone",
            "shipped",
            "",
            "commedia.no_such:gone",
            error="commedia.no_such: there is no such module here",
        ),
    ]


def test_what_another_machine_lacks_is_the_file_and_what_lies_beside_it(tmp_path: Path) -> None:
    """Neither installed packages nor commedia, and nothing twice."""
    offer(tmp_path / "src" / "site-packages", "installed_beside", "x")
    write(tmp_path / "src" / "own_lib" / "__init__.py")
    write(Path.cwd() / "of_here.py")
    head = (
        f"import sys; sys.path += [{str(Path.cwd())!r}, {str(tmp_path / 'src/site-packages')!r}]\n"
    )
    imports = "import own_lib, of_here, installed_beside, json, pydantic\n"
    workflow = find_workflow(str(write(tmp_path / "src" / "main.py", head, imports, flow())))

    sys.modules["own_lib_again"] = sys.modules["own_lib"]

    modules = local_modules(workflow)

    assert modules[0].__file__ == str(tmp_path / "src" / "main.py")
    assert [module.__name__ for module in modules[1:]] == ["of_here", "own_lib"]


def test_an_installed_workflow_is_not_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path / "site-packages", "acme_installed", "hunt")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")

    assert local_modules(find_workflow("hunt")) == []
