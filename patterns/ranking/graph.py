"""The weighted graph of matches: its Laplacian plus a prior is the posterior's precision.

Edges are held once, sorted by their lower end and then by their higher one: as the rows of a sparse
matrix they are its upper triangle, as columns the lower. A graph has millions of edges: what makes
another array of their length takes as long as the sums themselves.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .likelihood import Floats, Ints

Shorts = NDArray[np.int32]

CHUNK: Final = 1 << 14
"""So many edges stay in a core's cache."""


class Graph:
    """Items joined by matches. Parallel edges are merged once; their weights change every step."""

    def __init__(self, n: int, one: Ints, other: Ints) -> None:
        self.n, self.edges = n, len(one)
        bits = self.edges.bit_length()
        key = _sorted_keys(n, one, other, bits=bits)
        self._first, higher, again = _told_apart(key, n, bits)
        begins = np.searchsorted(key, (np.arange(n + 1) * n) << bits)
        begins -= np.searchsorted(again, begins)
        self._ends = _short(np.concatenate([np.arange(n), begins + n]))
        self._columns = np.concatenate([np.arange(n, dtype=np.int32), higher])
        self._note_parallel(key, again, bits)

    def _note_parallel(self, key: Ints, again: Ints, bits: int) -> None:
        """Note which edges share both ends, as runs of them, and as which edge each run counts."""
        self._parallel, place, count = np.unique(
            again - np.arange(1, len(again) + 1), return_index=True, return_counts=True
        )
        size = count + 1
        self._runs = np.cumsum(size) - size
        within = np.arange(int(size.sum())) - np.repeat(self._runs, size)
        alike = key[np.repeat(again[place] - 1, size) + within]
        self._alike = alike & ((1 << bits) - 1)

    def weigh(self, weights: Floats, prior: float) -> "Precision":
        """Return the precision matrix: this graph's Laplacian plus *prior* on the diagonal."""
        entries = np.empty(self.n + len(self._first))
        entries[: self.n] = 1.0
        np.take(weights, self._first, out=entries[self.n :], mode="clip")
        if len(self._parallel):
            merged = np.add.reduceat(weights[self._alike], self._runs)
            entries[self.n + self._parallel] = merged
        return Precision(self, entries, prior)

    def sums(self, values: Floats) -> tuple[Floats, Floats]:
        """Return for each item the sum of *values* of the edges whose lower end it is, and of those
        whose higher."""
        upper, ones = self._upper(values), np.ones(self.n)
        return upper @ ones, upper.T @ ones

    def product(self, entries: Floats, x: Floats) -> Floats:
        """Return the symmetric matrix of the edges' weights times *x*.

        *entries* are the weights after n ones. A row is summed in one go, first the edges of which
        it is the lower end: the ones carry that sum on to those of which it is the higher.
        """
        from scipy.sparse import csc_array  # here, as matches are asked before it is needed

        above = self._upper(entries[self.n :]) @ x
        shape = (self.n, 2 * self.n)
        below = csc_array((entries, self._columns, self._ends), shape=shape)
        return np.asarray(below @ np.concatenate([above, x]), np.float64)

    def _upper(self, values: Floats) -> Any:  # Any: scipy's sparse arrays are untyped
        from scipy.sparse import csr_array

        parts = (values, self._columns[self.n :], self._ends[self.n :] - self.n)
        return csr_array(parts, shape=(self.n, self.n))


def _sorted_keys(n: int, one: Ints, other: Ints, *, bits: int) -> Ints:
    """Return one number for each edge, sorted: its two ends, and in the last *bits* which it is."""
    key = np.empty(len(one), np.int64)
    for begin in range(0, len(one), CHUNK):
        part = key[begin : begin + CHUNK]
        ends = one[begin : begin + CHUNK], other[begin : begin + CHUNK]
        np.minimum(*ends, out=part)
        part *= n
        part += np.maximum(*ends)
        part <<= bits
        part += np.arange(begin, begin + len(part))
    key.sort()
    return key


def _told_apart(key: Ints, n: int, bits: int) -> tuple[Ints, Shorts, Ints]:
    """Return which edges are the first of their two ends and the higher end of each, and the places
    in *key* of all others."""
    which, higher = np.empty(len(key), np.int64), np.empty(len(key), np.int32)
    again, done, before = [np.zeros(0, np.int64)], 0, -1
    for begin in range(0, len(key), CHUNK):
        part = key[begin : begin + CHUNK]
        pair = part >> bits
        is_first = np.diff(pair, prepend=before) != 0
        again.append(begin + np.flatnonzero(~is_first))
        before, pair = int(pair[-1]), pair[is_first]
        end = done + len(pair)
        which[done:end] = part[is_first] & ((1 << bits) - 1)
        higher[done:end] = pair - pair // n * n
        done = end
    return which[:done], higher[:done], np.concatenate(again)


def _short(index: Ints) -> Shorts:
    """Return *index* in half the memory."""
    return index.astype(np.int32)


class Precision:
    """A sparse symmetric positive matrix: solves, and draws from the Gaussian it describes."""

    def __init__(self, graph: Graph, entries: Floats, prior: float) -> None:
        self._graph, self._entries, self._prior = graph, entries, prior
        low, high = graph.sums(entries[graph.n :])
        self.diagonal: Floats = np.asarray(low + high + prior, np.float64)

    def solve(self, right: Floats, *, tolerance: float, limit: int = 200) -> Floats:
        """Return the solution for every column of *right*, by Jacobi-preconditioned CG.

        Elementwise sums and sparse products only: no threaded BLAS, so the same bits everywhere.
        """
        scale = 1.0 / self.diagonal[:, None]
        x, rest = np.zeros_like(right), right.copy()
        step = rest * scale
        size = (rest * step).sum(0)
        enough = tolerance * tolerance * size
        for _ in range(limit):
            if np.all(size <= enough):
                break
            image = self.diagonal[:, None] * step - self._graph.product(self._entries, step)
            length = size / np.maximum((step * image).sum(0), 1e-300)
            x += length * step
            rest -= length * image
            fresh = rest * scale
            size, old = (rest * fresh).sum(0), size
            step = fresh + size / np.maximum(old, 1e-300) * step
        return x

    def draws(self, rng: np.random.Generator, count: int) -> Floats:
        """Return *count* joint draws around zero, as columns: perturb, then solve.

        The perturbation has this matrix as its covariance, so the solution has its inverse
        (Papandreou & Yuille 2010).
        """
        graph = self._graph
        root = np.sqrt(12.0 * self._entries[graph.n :])  # of uniform kicks: sums are near normal
        right = np.sqrt(self._prior) * rng.standard_normal((graph.n, count))
        kick = np.empty(len(root))
        for column in range(count):
            for begin in range(0, len(root), CHUNK):
                part = kick[begin : begin + CHUNK]
                rng.random(out=part)
                part -= 0.5
                part *= root[begin : begin + CHUNK]
            low, high = graph.sums(kick)
            right[:, column] += low
            right[:, column] -= high
        return self.solve(right, tolerance=3e-2)
