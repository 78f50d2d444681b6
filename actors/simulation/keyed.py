"""Keyed randomness: a draw is a pure function of its key, so order and batching change nothing."""

from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def text_key(*parts: object) -> np.uint64:
    """Return a 64-bit key of *parts*, the same in every process."""
    text = "\x1f".join([_escaped(str(part)) for part in parts])
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def _escaped(part: str) -> str:
    """Return *part* so that no two sequences of parts join to the same text."""
    return part.replace("\x1e", "\x1e\x1e").replace("\x1f", "\x1e\x1f")


def text_keys(texts: list[str]) -> Keys:
    """Return a key for each of *texts*."""
    return np.array([text_key(text) for text in texts], dtype=np.uint64)


def mix(*keys: Any) -> Keys:  # Any: arrays and scalars of uint64, broadcast together
    """Combine *keys*, in order, into well-spread ones (SplitMix64's finalizer, Steele 2014)."""
    state = np.zeros((), np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            state = (state ^ np.asarray(key, np.uint64)) + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * _M1
            state = (state ^ (state >> np.uint64(27))) * _M2
            state = state ^ (state >> np.uint64(31))
    return np.asarray(state, np.uint64)


def uniform(keys: Keys) -> Floats:
    """Return draws from (0, 1), one a key: 52 bits, as a 53rd would round up to 1."""
    return ((keys >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52


def normal(keys: Keys) -> Floats:
    """Return standard normal draws, one a key."""
    from scipy.special import ndtri  # here, because only hosts that simulate need it

    return np.asarray(ndtri(uniform(keys)), np.float64)
