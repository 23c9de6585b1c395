"""Sparse item graphs: neighbours by co-consumption or by vectors, with their closeness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.top_k import top_items


def keep_strongest(graph: sp.csr_array, neighbours: int) -> sp.csr_array:
    """Keep the largest entries of each row; ties go to the lower column."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    order = np.lexsort((graph.indices, -graph.data, rows))
    rank = np.arange(len(order)) - graph.indptr[rows]
    kept = order[rank < neighbours]
    return sp.csr_array(
        (graph.data[kept], (rows[kept], graph.indices[kept])), shape=graph.shape, dtype=np.float32
    )


def cooccurrence_graph(
    behaviour: sp.csr_array, shrinkage: float, neighbours: int, cells: int = 12_000_000
) -> sp.csr_array:
    """Return the shrunken cosine of co-consumption between items.

    S_ij = c_ij / sqrt((n_i + s) (n_j + s)), where c_ij is the number of users of both items and n_i
    the number of users of item i. The shrinkage s lowers the weight of items with few users.

    Args:
        behaviour: (n_users, n_items); only its sparsity pattern is used.
        shrinkage: s, in users.
        neighbours: entries kept per row before the graph is made symmetric (by the maximum).
        cells: maximum number of item pairs in memory.

    Returns:
        (n_items, n_items) float32 with an empty diagonal.
    """
    ones = np.ones(behaviour.nnz, dtype=np.float32)
    pattern = sp.csr_array((ones, behaviour.indices, behaviour.indptr), shape=behaviour.shape)
    counts = np.asarray(pattern.sum(axis=0))
    users_of = sp.csr_array(pattern.T)
    scale = (1.0 / np.sqrt(np.maximum(counts + shrinkage, 1e-9))).astype(np.float32)

    def closeness_of(items: NDArray[np.int64]) -> NDArray[np.float32]:
        closeness: NDArray[np.float32] = (users_of[items] @ pattern).toarray()
        return closeness * scale[items, None] * scale

    graph = strongest_by_row(closeness_of, behaviour.shape[1], neighbours, cells)
    return sp.csr_array(graph.maximum(graph.T))


def strongest_by_row(
    closeness_of: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    n_items: int,
    neighbours: int,
    cells: int = 12_000_000,
) -> sp.csr_array:
    """Return the largest positive closeness of each item to others, of a few items at a time.

    Args:
        closeness_of: returns a new (len(items), n_items) float32 array for some items.
        n_items: number of items.
        neighbours: entries kept in a row.
        cells: maximum number of item pairs in memory.

    Returns:
        (n_items, n_items) float32 with an empty diagonal.
    """
    strongest = []
    for items in np.array_split(np.arange(n_items), -(-n_items * n_items // cells)):
        closeness = closeness_of(items)
        closeness[np.arange(len(items)), items] = -np.inf
        strongest.append(strongest_of(closeness, neighbours))
    return sp.csr_array(sp.vstack(strongest, format="csr"))


def strongest_of(closeness: NDArray[np.float32], neighbours: int) -> sp.csr_array:
    """Return the largest positive entries of each row; ties go to the lower column."""
    columns = np.sort(top_items(closeness, neighbours), axis=1)
    values = np.take_along_axis(closeness, columns, axis=1)
    return positive_entries(columns, values, closeness.shape[1])


def positive_entries(
    columns: NDArray[np.int64], values: NDArray[np.float32], n_columns: int
) -> sp.csr_array:
    """Return the positive entries of (n, k) ascending columns and values as a sparse matrix."""
    kept = values > 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    shape = (len(columns), n_columns)
    return sp.csr_array((values[kept], columns[kept].astype(np.int32), indptr), shape=shape)


def nearest_by_cosine(
    vectors: NDArray[np.float32], neighbours: int, cells: int = 12_000_000
) -> sp.csr_array:
    """Return the exact nearest neighbours of each item with their cosines.

    Args:
        vectors: (n_items, d) float32 of unit length; a zero vector has no neighbours.
        neighbours: entries per row, at most n_items - 1; cosines of 0 and below are dropped.
        cells: maximum number of similarities in memory.

    Returns:
        (n_items, n_items) float32 with an empty diagonal; row i holds the neighbours of item i.
    """
    return strongest_by_row(
        lambda items: vectors[items] @ vectors.T, len(vectors), neighbours, cells
    )


def append_items(graph: sp.csr_array, beside: sp.csr_array, below: sp.csr_array) -> sp.csr_array:
    """Return the (n + m, n + m) graph with m items appended.

    Args:
        graph: (n, n) neighbours.
        beside: (n, m) neighbours of the old items among the new ones.
        below: (m, n + m) neighbours of the new items.
    """
    upper = sp.hstack([graph, beside], format="csr")
    return sp.csr_array(sp.vstack([upper, below], format="csr"))


def nearer_than_weakest(beside: sp.csr_array, graph: sp.csr_array, neighbours: int) -> sp.csr_array:
    """Return the entries of ``beside`` that exceed the weakest neighbour in their row of the graph.

    Args:
        beside: (n, m) closeness of the items of the graph to new items.
        graph: (n, n) neighbours.
        neighbours: size of a full row; every entry is kept where a row of the graph has fewer.
    """
    full = np.diff(graph.indptr) >= neighbours
    weakest = np.where(full, graph.min(axis=1, explicit=True).toarray().ravel(), 0)
    rows = np.repeat(np.arange(len(full)), np.diff(beside.indptr))
    kept = beside.data > weakest[rows]
    coordinates = rows[kept], beside.indices[kept]
    return sp.csr_array((beside.data[kept], coordinates), shape=beside.shape)


def add_by_vectors(graph: sp.csr_array, vectors: NDArray[np.float32]) -> sp.csr_array:
    """Return the graph with the items of the last vectors appended.

    An old item gains the new ones that are nearer than its weakest neighbour, and those that it is
    a neighbour of: the text of a request is seldom as near to an item as other items are.

    Args:
        graph: (n, n) cosines of the nearest neighbours.
        vectors: (n + m, d) float32 of unit length, of all items.
    """
    n_items = graph.shape[0]
    cosines = np.maximum(vectors[n_items:] @ vectors.T, 0)
    own = np.arange(len(cosines))
    cosines[own, n_items + own] = 0
    neighbours = int(np.diff(graph.indptr).max(initial=0))
    below = keep_strongest(sp.csr_array(cosines), neighbours)
    beside = nearer_than_weakest(sp.csr_array(cosines[:, :n_items].T), graph, neighbours)
    return append_items(graph, sp.csr_array(beside.maximum(below[:, :n_items].T)), below)
