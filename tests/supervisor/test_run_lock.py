"""One process holds a run, and the others are told which."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from commedia.actors.errors import RunLockedError
from commedia.supervisor.run_lock import lock_run

HOLD = """
import subprocess, sys
from pathlib import Path
from commedia.supervisor.run_lock import lock_run

with lock_run(Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    sys.stdin.readline()
child.kill()
"""


@contextmanager
def holder(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds *folder* until it reads a line, and its child's id."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            process.kill()


def test_the_second_is_told_who_was_first(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, _):
        with pytest.raises(RunLockedError) as refused, lock_run(tmp_path):
            pass
        process.communicate("let go\n")
        with lock_run(tmp_path):
            pass

    assert re.fullmatch(
        rf"run {tmp_path.name} is in use by process {process.pid} on host \S+ since 20\S+\+00:00; "
        rf"stop it with `commedia stop {tmp_path.name}`, or wait",
        str(refused.value),
    )


def test_a_lock_left_by_a_killed_process_is_free(tmp_path: Path) -> None:
    """Also while its children live on: they do not inherit it."""
    with holder(tmp_path) as (process, child):
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            assert (tmp_path / "run.owner").exists()
            with lock_run(tmp_path):
                owner = json.loads((tmp_path / "run.owner").read_text())
                os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)

    assert owner["pid"] == os.getpid()


def test_one_process_cannot_hold_a_run_twice(tmp_path: Path) -> None:
    with lock_run(tmp_path), pytest.raises(RunLockedError), lock_run(tmp_path):
        pass


def test_a_refused_one_takes_nothing_from_the_owner(tmp_path: Path) -> None:
    with lock_run(tmp_path):
        for _ in range(2):
            with pytest.raises(RunLockedError, match=str(os.getpid())), lock_run(tmp_path):
                pass


def test_any_thread_may_let_go(tmp_path: Path) -> None:
    stack = ExitStack()
    taker = threading.Thread(target=lambda: stack.enter_context(lock_run(tmp_path)))
    taker.start()
    taker.join()
    with pytest.raises(RunLockedError), lock_run(tmp_path):
        pass
    stack.close()

    with lock_run(tmp_path):
        pass


def test_runs_in_other_folders_are_free(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    with lock_run(tmp_path / "a"), lock_run(tmp_path / "b"):
        pass


def test_letting_go_takes_the_name_away(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock_run(tmp_path):
        raise ZeroDivisionError

    assert not (tmp_path / "run.owner").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "1"])
def test_an_owner_who_has_not_signed_is_another_process(tmp_path: Path, text: str) -> None:
    with lock_run(tmp_path):
        (tmp_path / "run.owner").write_text(text)

        since = pytest.raises(RunLockedError, match="another process since just now")
        with since, lock_run(tmp_path):
            pass


def test_a_forked_child_that_ends_leaves_the_lock_alone(tmp_path: Path) -> None:
    with lock_run(tmp_path):
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

        with pytest.raises(RunLockedError), lock_run(tmp_path):
            pass
