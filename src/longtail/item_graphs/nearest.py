"""Nearest neighbours of items: exact in a small catalogue, approximate in a large one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from longtail.item_graphs.graphs import nearest_by_cosine, positive_entries, strongest_of

if TYPE_CHECKING:
    import faiss

LEAST_RECALL = 0.95
SAMPLE = 1000
SEED = 0
FIRST_PROBES = 8
# With fewer vectors per cell faiss warns that the centres are poor.
VECTORS_PER_CELL = 39

logger = logging.getLogger(__name__)


def find_neighbours(
    vectors: NDArray[np.float32], neighbours: int, exact_up_to: int
) -> tuple[sp.csr_array, float]:
    """Return the nearest neighbours of each item with their cosines, and the recall of the search.

    Args:
        vectors: (n_items, d) float32 of unit length; a zero vector has no neighbours.
        neighbours: entries per row; cosines of 0 and below are dropped.
        exact_up_to: largest catalogue that is searched exactly; for a larger one see
            ``approximate_neighbours``.

    Returns:
        (n_items, n_items) float32 with an empty diagonal, and the recall: the share of the true
        neighbours that were found, 1 for the exact search, else measured on a random sample.
    """
    if len(vectors) <= exact_up_to:
        return nearest_by_cosine(vectors, neighbours), 1.0
    return approximate_neighbours(vectors, neighbours)


def approximate_neighbours(
    vectors: NDArray[np.float32],
    neighbours: int,
    least_recall: float = LEAST_RECALL,
    sample: int = SAMPLE,
) -> tuple[sp.csr_array, float]:
    """Search the nearest cells of each item, as many as the required recall needs.

    Vectors are grouped into cells by k-means, and each item is compared with the items of the
    nearest cells (Johnson, Douze, Jégou: Billion-Scale Similarity Search with GPUs, 2017). The
    number of cells is doubled until a sample reaches the required recall. The search is
    deterministic.

    Args:
        vectors: (n_items, d) float32 of unit length.
        neighbours: entries per row.
        least_recall: required share of the true neighbours.
        sample: number of items on which the recall is measured.

    Returns:
        As ``find_neighbours``.
    """
    import faiss  # noqa: PLC0415 only large catalogues need it

    n_items, size = vectors.shape
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    n_cells = max(1, min(int(2 * np.sqrt(n_items)), n_items // VECTORS_PER_CELL))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(size), size, n_cells, faiss.METRIC_INNER_PRODUCT)
    # In one thread: with more, the order of float sums varies.
    with threadpool_limits(1):
        index.train(vectors)
    index.add(vectors)
    drawn = np.random.default_rng(SEED).choice(n_items, min(sample, n_items), replace=False)
    truth = _exact(vectors, drawn, neighbours)
    index.nprobe = FIRST_PROBES
    while True:
        recall = _share_found(_search(index, vectors, drawn, neighbours), truth)
        if recall >= least_recall or index.nprobe >= n_cells:
            break
        index.nprobe *= 2
    logger.info(
        "Approximate neighbours of %s items: recall %.1f %%, searching %s of %s cells.",
        n_items, 100 * recall, min(index.nprobe, n_cells), n_cells,
    )  # fmt: skip
    return _search(index, vectors, np.arange(n_items), neighbours), recall


def _search(
    index: faiss.IndexIVFFlat,
    vectors: NDArray[np.float32],
    items: NDArray[np.int64],
    neighbours: int,
) -> sp.csr_array:
    """Return the (len(items), n_items) neighbours that the index finds, without the item itself."""
    cosines, found = index.search(vectors[items], min(neighbours + 1, len(vectors)))
    cosines[(found == items[:, None]) | (found < 0)] = -np.inf
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :neighbours]
    best = np.take_along_axis(best, np.argsort(np.take_along_axis(found, best, 1), axis=1), 1)
    columns, values = np.take_along_axis(found, best, 1), np.take_along_axis(cosines, best, 1)
    return positive_entries(columns, values, len(vectors))


def _exact(vectors: NDArray[np.float32], items: NDArray[np.int64], neighbours: int) -> sp.csr_array:
    cosines = vectors[items] @ vectors.T
    cosines[np.arange(len(items)), items] = -np.inf
    return strongest_of(cosines, neighbours)


def _share_found(found: sp.csr_array, truth: sp.csr_array) -> float:
    both = (found > 0).multiply(truth > 0)
    return float(both.nnz / max(1, truth.nnz))
