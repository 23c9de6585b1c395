"""Sparse graphs of items: which items are close to each other, by behaviour or by vectors."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from longtail.models.base import top_items


def keep_strongest(graph: sp.csr_array, neighbours: int) -> sp.csr_array:
    """Keep the largest entries of each row; of equal entries those with the lower column."""
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

    S_ij = c_ij / sqrt((n_i + s) (n_j + s)) where c_ij is the number of users that have both items
    and n_i the number that have item i. The shrinkage s distrusts what few users did.

    Args:
        behaviour: (n_users, n_items); only its pattern counts.
        shrinkage: s, in users.
        neighbours: entries kept per row, before the graph is made symmetric by the maximum.
        cells: pairs of items held in memory at once.

    Returns:
        (n_items, n_items) float32 with an empty diagonal.
    """
    ones = np.ones(behaviour.nnz, dtype=np.float32)
    pattern = sp.csr_array((ones, behaviour.indices, behaviour.indptr), shape=behaviour.shape)
    counts = np.asarray(pattern.sum(axis=0))
    users_of = sp.csr_array(pattern.T)
    scale = (1.0 / np.sqrt(np.maximum(counts + shrinkage, 1e-9))).astype(np.float32)
    n_items = behaviour.shape[1]
    strongest = []
    for items in np.array_split(np.arange(n_items), -(-n_items * n_items // cells)):
        closeness = (users_of[items] @ pattern).toarray() * scale[items, None] * scale
        closeness[np.arange(len(items)), items] = 0
        strongest.append(strongest_of(closeness, neighbours))
    graph = sp.vstack(strongest, format="csr")
    return sp.csr_array(graph.maximum(graph.T))


def strongest_of(closeness: NDArray[np.float32], neighbours: int) -> sp.csr_array:
    """Return the largest positive entries of each row; of equal ones the lower columns."""
    columns = np.sort(top_items(closeness, neighbours), axis=1)
    values = np.take_along_axis(closeness, columns, axis=1)
    return positive_entries(columns, values, closeness.shape[1])


def positive_entries(
    columns: NDArray[np.int64], values: NDArray[np.float32], n_columns: int
) -> sp.csr_array:
    """Return the rows of a graph, given (n, k) ascending columns and their values."""
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
        neighbours: entries per row, at most n_items - 1; cosines of 0 and less are left out.
        cells: similarities held in memory at once.

    Returns:
        (n_items, n_items) float32 with an empty diagonal; row i holds the neighbours of item i.
    """
    n_items = len(vectors)
    nearest = []
    for items in np.array_split(np.arange(n_items), -(-n_items * n_items // cells)):
        cosines = vectors[items] @ vectors.T
        cosines[np.arange(len(items)), items] = -np.inf
        nearest.append(strongest_of(cosines, neighbours))
    return sp.vstack(nearest, format="csr")


def append_items(graph: sp.csr_array, beside: sp.csr_array, below: sp.csr_array) -> sp.csr_array:
    """Return the (n + m, n + m) graph with m more items at its end.

    Args:
        graph: (n, n) neighbours.
        beside: (n, m) new neighbours of the items of the graph.
        below: (m, n + m) neighbours of the new items.
    """
    upper = sp.hstack([graph, beside], format="csr")
    return sp.csr_array(sp.vstack([upper, below], format="csr"))


def nearer_than_weakest(beside: sp.csr_array, graph: sp.csr_array, neighbours: int) -> sp.csr_array:
    """Return the entries that would have been among the neighbours of the graph's items.

    Args:
        beside: (n, m) closeness of the items of the graph to others.
        graph: (n, n) neighbours.
        neighbours: entries kept per row of the graph; where there are fewer, every entry is.
    """
    full = np.diff(graph.indptr) >= neighbours
    weakest = np.where(full, graph.min(axis=1, explicit=True).toarray().ravel(), 0)
    rows = np.repeat(np.arange(len(full)), np.diff(beside.indptr))
    kept = beside.data > weakest[rows]
    coordinates = rows[kept], beside.indices[kept]
    return sp.csr_array((beside.data[kept], coordinates), shape=beside.shape)
