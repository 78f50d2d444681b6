"""Only results reach standard output, whoever else prints there."""

import subprocess
import sys

NOISY = """
import os, subprocess, sys
from commedia.cli.stdout import quiet_stdout

print("before")
with quiet_stdout() as out:
    print("a library prints")
    os.write(1, b"a C library writes\\n")
    subprocess.run([sys.executable, "-c", "print('a child prints')"], check=True)
    out.write("the result\\n")
print("after")
"""

LEFT_BEHIND = """
import subprocess, sys
from commedia.cli.stdout import quiet_stdout

with quiet_stdout() as out:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                             close_fds=True)
    out.write("the result\\n")
sys.stdout.close()
import os
os.close(1)
sys.stderr.write("done\\n")
sys.stderr.flush()
sys.stdin.read()
child.stdin.close()
child.wait()
"""

FAILING = """
from commedia.cli.stdout import quiet_stdout

with quiet_stdout() as out:
    out.write("half")
    raise SystemExit(3)
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run *code* in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )


def test_only_the_private_stream_is_heard() -> None:
    done = python(NOISY)

    assert (done.stdout, done.stderr) == ("before\nthe result\nafter\n", "")


def test_a_process_left_behind_does_not_hold_the_pipe() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEFT_BEHIND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stderr and process.stdin
        assert process.stderr.readline() == b"done\n"

        heard = process.stdout.read()  # would wait for the child if it held the pipe

        process.stdin.close()
        assert heard == b"the result\n"


def test_what_was_written_is_out_when_the_block_fails() -> None:
    done = python(FAILING)

    assert (done.returncode, done.stdout) == (3, "half")


def test_a_closed_stdout_is_no_error() -> None:
    code = "from commedia.cli.stdout import quiet_stdout\nwith quiet_stdout() as o: o.write('x')"

    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "{code}" >&-', sys.executable],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
