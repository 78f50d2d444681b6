"""A process of its own that outlives a driver killed hard, and ends the Ray that it left behind."""

import signal
import sys
from pathlib import Path

from .processes import Session

PATIENCE_S = 2.0
"""Ray ends most of its processes by itself when its driver dies; two of them it forgets."""


def main() -> None:
    """Wait until standard input closes, as it does when the driver dies; then end its session."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    name, folder = sys.argv[1:]
    sys.stdin.buffer.read()
    Session(name, Path(folder)).end(patience_s=PATIENCE_S)


if __name__ == "__main__":
    main()
