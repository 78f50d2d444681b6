"""Commands as systems: in folders of their own, without a key, within limits, and once each."""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from evaluations import ITEMS, QUALITY, Judge, evaluate, order

from commedia.actors.errors import RunFailedError, UsageError
from commedia.cli.eval import EXAMPLES
from commedia.eval_commands import OUTPUTS_FILE, UNSAFE, environment, finished_in, read_command
from commedia.eval_processes import hidden
from commedia.session import Session

ECHO = "import sys; print('good', sys.stdin.read())"


def command(code: str) -> list[str]:
    """Return the command that runs *code*."""
    return [sys.executable, "-c", code]


def test_a_command_gets_the_prompt_and_its_output_is_judged() -> None:
    judge = Judge("plain", "good")
    result = evaluate(ITEMS, judge, systems={"old": "a"}, commands={"new": command(ECHO)})

    assert (result.status, order(result)) == ("completed", ["new", "old"])
    outputs = pq.read_table(Path(result.output) / "outputs.parquet").to_pylist()
    assert {r["output"] for r in outputs if r["system"] == "new"} == {
        f"good {r['q']}" for r in ITEMS
    }


def test_a_command_sees_no_key_and_runs_in_a_folder_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "also secret")
    tell = "import json, os; print(json.dumps([dict(os.environ), os.getcwd(), os.listdir()]))"
    result = evaluate(
        ITEMS[:3], Judge("plain"), systems={"old": "a"}, commands={"new": command(tell)}
    )

    rows = pq.read_table(Path(result.output) / "outputs.parquet").to_pylist()
    told = [json.loads(row["output"]) for row in rows if row["system"] == "new"]
    folders = {cwd for _, cwd, _ in told}
    assert len(folders) == 3
    for seen, cwd, files in told:
        assert seen.keys() <= {"PATH", "HOME", "LANG", "TERM", "LC_CTYPE", "PWD", "SHLVL", "_"}
        assert (seen["HOME"], files) == (cwd, [])
        assert not Path(cwd).exists()
    assert "secret" not in (Path(result.output) / OUTPUTS_FILE).read_text()


def test_the_environment_of_a_command_is_a_list_and_not_a_filter(tmp_path: Path) -> None:
    ours = {"PATH": "/bin", "TERM": "x", "ANTHROPIC_API_KEY": "k", "LD_PRELOAD": "evil.so"}

    assert environment(tmp_path, ours) == {"PATH": "/bin", "TERM": "x", "HOME": str(tmp_path)}


FAILING = {
    "exit 3": ("import sys; print('so sorry', file=sys.stderr); sys.exit(3)", "exit 3"),
    "a signal": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
    "no end": ("import time; time.sleep(60)", "timeout"),
    "too much": ("while True: print('x' * 10_000)", "too long"),
    "too long a text": ("print('x' * 200_000)", "too long"),
    "nothing": ("print(' ')", "blank"),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_command_that_fails_is_a_missing_output_with_its_cause(case: str) -> None:
    code, cause = FAILING[case]
    fails = (
        f"import sys\nif 'question 1' == sys.stdin.read():\n    {code}\nelse:\n    print('good')"
    )
    result = evaluate(
        ITEMS[:3],
        Judge("plain", "good"),
        systems={"old": "a"},
        commands={"new": command(fails)},
        timeout_s=1.5,
    )

    assert (result.status, result.missing) == ("degraded", {"output": 1})
    assert any(f"new: {cause} (1)" in note for note in result.notes)


def test_what_a_command_leaves_running_ends_with_it_and_holds_nobody_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import subprocess; child = subprocess.Popen(['sleep', '60']);"
        f"open({str(pid)!r}, 'w').write(str(child.pid)); print('good')"
    )
    result = evaluate(
        ITEMS[:1], systems={"new": "b"}, commands={"old": command(code)}, quality=QUALITY
    )

    assert result.missing == {}
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(int(pid.read_text())).status() == psutil.STATUS_ZOMBIE


def test_what_a_command_leaves_in_a_session_of_its_own_ends_with_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import subprocess; child = subprocess.Popen(['sleep', '60'], start_new_session=True);"
        f"open({str(pid)!r}, 'w').write(str(child.pid)); print('good')"
    )
    evaluate(ITEMS[:1], systems={"new": "b"}, commands={"old": command(code)}, quality=QUALITY)

    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(int(pid.read_text())).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hides a process from its user")
def test_our_environment_is_hidden_while_commands_run() -> None:
    """Evaluations may overlap; root, who may be testing, sees everything."""
    libc = ctypes.CDLL(None)

    def is_open() -> bool:
        return bool(libc.prctl(3, 0, 0, 0, 0) == 1)

    before = is_open()
    libc.prctl(4, 1, 0, 0, 0)
    try:
        seen = [is_open()]
        with hidden():
            seen.append(is_open())
            with hidden():
                seen.append(is_open())
            seen.append(is_open())
        seen.append(is_open())
    finally:
        libc.prctl(4, int(before), 0, 0, 0)

    assert seen == [True, False, False, False, True]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is hidden from root")
def test_a_command_cannot_read_our_environment() -> None:
    tell = "import os; print(open(f'/proc/{os.getppid()}/environ').read())"
    result = evaluate(
        ITEMS[:1], Judge("plain"), systems={"a": "a", "b": "b"}, commands={"new": command(tell)}
    )

    assert any("new: exit 1" in note for note in result.notes)


def test_what_is_said_of_commands_is_no_more_than_is_true() -> None:
    assert "no key" in UNSAFE and "can read what you can" in UNSAFE
    assert "see no key" not in UNSAFE + EXAMPLES


def test_commands_that_all_fail_fail_the_evaluation_and_say_why() -> None:
    fails = command("import sys; sys.exit('no such model')")

    with pytest.raises(RunFailedError, match=r"no item has outputs .*exit 1: no such model"):
        evaluate(ITEMS[:3], Judge("plain"), systems={"old": "a"}, commands={"new": fails})


def test_a_command_that_finished_is_not_run_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"open({str(log)!r}, 'a').write('x'); print('good')"
    options = {"systems": {"old": "a"}, "commands": {"new": command(code)}}
    first = evaluate(ITEMS, Judge("plain", "good"), **options)
    file = Path(first.output) / OUTPUTS_FILE
    kept = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(kept[:-2]) + kept[-2][:10])  # killed while it wrote
    with Session(model=Judge("plain", "good"), runtime="inline") as session:
        second = session.resume_eval("last")

    assert len(log.read_text()) == 12 + 2
    assert second.digest == first.digest
    assert len(finished_in(Path(first.output))) == 12


def test_words_of_a_command_that_name_files_here_become_full_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text("")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)

    assert read_command("sh -c 'cat agent.py'", system="x") == ("sh", "-c", "cat agent.py")
    assert read_command("python3 agent.py -v", system="x")[1:] == (f"{tmp_path}/agent.py", "-v")
    assert read_command("./run.sh", system="x") == (f"{tmp_path}/run.sh",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("'", "cannot be read"),
        ("no-such-program-here -v", "which is no program here"),
        ("sh \0", "NUL"),
    ],
)
def test_a_command_that_cannot_run_is_refused_before_anything_does(
    text: str, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_command(text, system="x")
