"""How functions travel to other processes where pickle alone would refuse them."""

import functools
from types import ModuleType
from typing import Any, Final


def pickle_cached_functions(cloudpickle: ModuleType) -> None:
    """Let a function with a cache (functools) travel, as any other function of a script does."""

    def reduced(cached: Any) -> Any:  # Any: a function that functools caches; pickle's answer
        """Say how it travels: by name where it is installed, else as what it caches."""
        shipped = cloudpickle.list_registry_pickle_by_value()
        if cached.__module__ not in {"__main__", *shipped}:
            return cached.__qualname__
        return _recached, (cached.__wrapped__, *cached.cache_parameters().values())

    cloudpickle.CloudPickler.dispatch_table[_CACHED] = reduced


def _recached(function: Any, maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize, typed)(function)


_CACHED: Final = type(functools.cache(_recached))
