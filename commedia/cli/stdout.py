"""Keeps standard output for results: whatever else would print there is dropped, or moved."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def quiet_stdout(*, keep: bool = False, is_json: bool = False) -> Iterator[TextIO]:
    """Yield a private stream on standard output, while file descriptor 1 leads to nothing.

    With *keep* nothing changes: the user's own code may print. What it prints goes to standard
    error where the result *is_json*, which is one object and nothing else.

    Ray's processes inherit descriptor 1 and write to it, and so can libraries; results go to the
    private stream, which no child process inherits. Where Python's stdout is not descriptor 1 (in
    tests and notebooks) it is yielded as it is.
    """
    if sys.stdout is None:  # it was closed by whoever started us
        with Path(os.devnull).open("w") as nothing:
            yield nothing
        return
    if keep and is_json and not _is_real(sys.stdout):
        out = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):
            yield out
        return
    if (keep and not is_json) or not _is_real(sys.stdout):
        yield sys.stdout
        return
    sys.stdout.flush()
    kept = os.dup(1)
    other = os.dup(2) if keep else os.open(os.devnull, os.O_WRONLY)
    os.dup2(other, 1)
    os.close(other)
    private = os.fdopen(os.dup(kept), "w", encoding="utf-8", newline="")
    try:
        yield private
    finally:
        _close(private)
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _is_real(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):
        return False


def _close(stream: TextIO) -> None:
    """Close *stream*, which flushes it; its reader may be gone, and that is no error."""
    with contextlib.suppress(BrokenPipeError):
        stream.close()
