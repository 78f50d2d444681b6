"""The graph of matches: parallel edges count together, and nothing depends on how they are held."""

import numpy as np
import pytest

from commedia.patterns.ranking.graph import CHUNK, Graph


def dense(n: int, one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the symmetric matrix of the edges' weights, a loop counted from both of its ends."""
    matrix = np.zeros((n, n))
    np.add.at(matrix, (one, other), weights)
    np.add.at(matrix, (other, one), weights)
    return matrix


@pytest.mark.parametrize(("n", "edges"), [(3, 0), (1, 2), (5, 4), (40, 3_000), (400, CHUNK + 9)])
def test_a_precision_is_the_laplacian_and_the_prior(n: int, edges: int) -> None:
    """However many edges are parallel, loops, or turned round."""
    rng = np.random.default_rng([n, edges])
    one, other = rng.integers(0, n, (2, edges))
    weights, right = rng.random(edges), rng.standard_normal((n, 2))

    precision = Graph(n, one, other).weigh(weights, 0.5)
    solved = precision.solve(right, tolerance=1e-12)

    joined = dense(n, one, other, weights)
    matrix = np.diag(joined.sum(1) + 0.5) - joined
    assert precision.diagonal == pytest.approx(joined.sum(1) + 0.5)
    assert matrix @ solved == pytest.approx(right, abs=1e-9)


def test_the_order_of_different_edges_changes_no_bit() -> None:
    """A run that was resumed has its matches in another order, and the same ranking."""
    rng = np.random.default_rng(3)
    one, other = np.triu_indices(30, 1)
    weights, turned = rng.random(len(one)), rng.permutation(len(one))

    ranked = [
        Graph(30, one[places], other[places]).weigh(weights[places], 0.5)
        for places in (np.arange(len(one)), turned)
    ]

    first, second = (each.draws(np.random.default_rng(4), 3) for each in ranked)
    assert np.array_equal(ranked[0].diagonal, ranked[1].diagonal)
    assert np.array_equal(first, second)


def test_the_ends_of_the_edges_are_left_as_they_were() -> None:
    """They are the likelihood's own."""
    one, other = np.array([3, 1, 2]), np.array([0, 2, 1])

    Graph(4, one, other).weigh(np.ones(3), 1.0)

    assert one.tolist() == [3, 1, 2] and other.tolist() == [0, 2, 1]
