"""What a process of ours is called in lists of processes: `ray::judge`, `ray::gateway`."""

import functools


def named(host: type, actor: str) -> type:
    """Return the class *host* under the name of *actor*'s role: that of `judge-3` is `judge`."""
    role, _, number = actor.rpartition("-")
    return _named(host, role if number.isdigit() else actor)


@functools.cache
def _named(host: type, role: str) -> type:
    return type(role, (host,), {"__module__": host.__module__, "__doc__": host.__doc__})
