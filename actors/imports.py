"""Keeps small what a process of ours imports and holds."""

import sys
from importlib.abc import MetaPathFinder
from typing import Final

ARROW: Final = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""What the environment says before a process of ours imports pyarrow: Arrow's own pool would hold
some 10 MB more for the many small batches of a wide fan-out, and be no faster."""


class _NoPandas(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def spare_pandas() -> None:
    """Keep pyarrow from importing pandas, where it is installed, to look at its first array.

    It looks once, and that would take 0.3 s in every process; `to_pandas` still imports it.
    """
    import pyarrow as pa

    if "pandas" not in sys.modules:
        finder = _NoPandas()
        sys.meta_path.insert(0, finder)
        try:
            pa.array([0])
        finally:
            sys.meta_path.remove(finder)
