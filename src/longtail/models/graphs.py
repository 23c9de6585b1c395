"""Sparse graphs of items: which items are close to each other, by behaviour or by vectors."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def keep_strongest(graph: sp.csr_array, neighbours: int) -> sp.csr_array:
    """Keep the largest entries of each row; of equal entries those with the lower column."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    order = np.lexsort((graph.indices, -graph.data, rows))
    rank = np.arange(len(order)) - graph.indptr[rows]
    kept = order[rank < neighbours]
    return sp.csr_array(
        (graph.data[kept], (rows[kept], graph.indices[kept])), shape=graph.shape, dtype=np.float32
    )


def cooccurrence_graph(behaviour: sp.csr_array, shrinkage: float, neighbours: int) -> sp.csr_array:
    """Return the shrunken cosine of co-consumption between items.

    S_ij = c_ij / sqrt((n_i + s) (n_j + s)) where c_ij is the number of users that have both items
    and n_i the number that have item i. The shrinkage s distrusts what few users did.

    Args:
        behaviour: (n_users, n_items); only its pattern counts.
        shrinkage: s, in users.
        neighbours: entries kept per row, before the graph is made symmetric by the maximum.

    Returns:
        (n_items, n_items) float32 with an empty diagonal.
    """
    ones = np.ones(behaviour.nnz, dtype=np.float32)
    pattern = sp.csr_array((ones, behaviour.indices, behaviour.indptr), shape=behaviour.shape)
    counts = np.asarray(pattern.sum(axis=0))
    together = sp.coo_array(pattern.T @ pattern)
    rows, columns = together.coords
    different = rows != columns
    scale = (1.0 / np.sqrt(np.maximum(counts + shrinkage, 1e-9))).astype(np.float32)
    values = together.data * scale[rows] * scale[columns]
    graph = sp.csr_array(
        (values[different], (rows[different], columns[different])), shape=together.shape
    )
    strongest = keep_strongest(graph, neighbours)
    return sp.csr_array(strongest.maximum(strongest.T))


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
    neighbours = min(neighbours, n_items - 1)
    block = max(1, cells // n_items)
    columns = np.empty((n_items, neighbours), dtype=np.int64)
    cosines = np.empty((n_items, neighbours), dtype=np.float32)
    for start in range(0, n_items, block):
        similarity = vectors[start : start + block] @ vectors.T
        own = np.arange(len(similarity))
        similarity[own, start + own] = -np.inf
        nearest = np.argpartition(-similarity, neighbours - 1, axis=1)[:, :neighbours]
        columns[start : start + block] = nearest
        cosines[start : start + block] = np.take_along_axis(similarity, nearest, axis=1)
    rows = np.repeat(np.arange(n_items), neighbours)
    positive = cosines.ravel() > 0
    return sp.csr_array(
        (cosines.ravel()[positive], (rows[positive], columns.ravel()[positive])),
        shape=(n_items, n_items),
    )
