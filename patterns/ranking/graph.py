"""The weighted graph of matches: its Laplacian plus a prior is the posterior's precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .likelihood import Floats, Ints

Shorts = NDArray[np.int32]


class Graph:
    """Items joined by matches. Parallel edges are merged once; their weights change every step."""

    def __init__(self, n: int, one: Ints, other: Ints) -> None:
        self.n, self.edges = n, len(one)
        key, self._order = _sorted_keys(n, one, other)
        self._starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: self.edges])
        key = key[self._starts]
        low = key // n
        self.low, self.high = _short(low), _short(key - low * n)
        del key, low
        self._lay_out()

    def _lay_out(self) -> None:
        """Find where each edge stands in the rows of the symmetric matrix, once from either end.

        A row has first the edges of which it is the lower end, then the others, each in order.
        """
        from scipy.sparse import csr_array  # here, as matches are asked before it is needed

        edges, n = len(self.low), self.n
        begins = _ends(self.low, n)
        number = np.arange(edges, dtype=np.int32)
        turned = csr_array((number, self.high, begins), shape=(n, n)).tocsc()
        by_high, ends = turned.data, turned.indptr  # edges by their higher end: a counting sort
        self._mirror = np.empty(2 * edges, np.int32)
        self._columns = np.empty(2 * edges, np.int32)
        for edge, column, place in (
            (number, self.high, number + ends[self.low]),
            (by_high, self.low[by_high], number + begins[1:][self.high[by_high]]),
        ):
            self._mirror[place], self._columns[place] = edge, column
        self._ends = begins + ends

    def weigh(self, weights: Floats, prior: float) -> "Precision":
        """Return the precision matrix: this graph's Laplacian plus *prior* on the diagonal."""
        merged: Floats = np.zeros(0)
        if len(self._starts):
            merged = np.add.reduceat(weights[self._order], self._starts)
        return Precision(self, merged, prior)

    def adjacency(self, merged: Floats) -> Any:  # Any: scipy's sparse arrays are untyped
        """Return the symmetric sparse matrix of the *merged* edge weights."""
        from scipy.sparse import csr_array

        parts = (merged[self._mirror], self._columns, self._ends)
        return csr_array(parts, shape=(self.n, self.n))


def _sorted_keys(n: int, one: Ints, other: Ints) -> tuple[Ints, Shorts]:
    """Return one number for each edge's two ends, sorted, and which edge that is."""
    edges = max(len(one), 1)
    key = np.minimum(one, other) * n
    key += np.maximum(one, other)
    key *= edges
    key += np.arange(len(one))
    key.sort()
    pair = key // edges
    key -= pair * edges
    return pair, _short(key)


def _ends(sorted_rows: Shorts, n: int) -> Shorts:
    """Return where each of *n* rows begins among *sorted_rows*, and where the last one ends."""
    ends = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(sorted_rows, minlength=n), out=ends[1:])
    return ends


def _short(index: Ints) -> Shorts:
    """Return *index* in half the memory: a graph of millions of edges is held a dozen times."""
    return index.astype(np.int32)


class Precision:
    """A sparse symmetric positive matrix: solves, and draws from the Gaussian it describes."""

    def __init__(self, graph: Graph, merged: Floats, prior: float) -> None:
        self._graph, self._merged, self._prior = graph, merged, prior
        ends = np.bincount(graph.low, merged, graph.n), np.bincount(graph.high, merged, graph.n)
        self.diagonal: Floats = np.asarray(ends[0] + ends[1] + prior, np.float64)
        self._adjacency = graph.adjacency(merged)

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
            image = self.diagonal[:, None] * step - self._adjacency @ step
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
        root = np.sqrt(12.0 * self._merged)  # of uniform kicks: an item's sum is near normal
        right = np.sqrt(self._prior) * rng.standard_normal((graph.n, count))
        kick = np.empty(len(root))
        for column in range(count):
            rng.random(out=kick)
            kick -= 0.5
            kick *= root
            right[:, column] += np.bincount(graph.low, kick, graph.n)
            right[:, column] -= np.bincount(graph.high, kick, graph.n)
        return self.solve(right, tolerance=3e-2)
