"""Runs the tests of one file in a fresh process: `TEST_ORDER=3 RANDOM_SEED=5 python drive.py FILE`.

What shall stay the same, or change, from run to run is in the environment. Exit code 1: one failed.
"""

import os
import random
import runpy
import sys


def drive(path: str) -> None:
    """Run the tests of the file at *path*, in an order and with a seed from the environment."""
    found = runpy.run_path(path)
    tests = sorted(name for name in found if name.startswith("test_"))
    random.Random(os.environ.get("TEST_ORDER", "0")).shuffle(tests)
    random.seed(os.environ.get("RANDOM_SEED", "0"))
    for name in tests:
        found[name]()


if __name__ == "__main__":
    drive(sys.argv[1])
