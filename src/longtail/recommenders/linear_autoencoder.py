"""Linear autoencoders: item-to-item weights from the inverse of the co-occurrence counts."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import lapack

from longtail.arrays import Arrays, pack_sparse, unpack_sparse
from longtail.errors import NotApplicableError
from longtail.item_graphs.graphs import cooccurrence_graph, keep_strongest
from longtail.recommenders.base import Decay, Recommender, TrainingData

ItemMatrix: TypeAlias = NDArray[np.float32] | sp.csr_array

# Items with interactions up to which an inverse is exact and dense.
EXACT_UP_TO = 15_000
# Columns of a dense matrix, and systems of a sparse one, that are handled at once.
COLUMNS = 1024
SYSTEMS = 256


class LinearAutoencoder(Recommender):
    """Predict a user's items from each other with the inverse of the item co-occurrences.

    G are the co-occurrence counts of the items with interactions. Up to ``exact_up_to`` such items
    (G + ridge I)^-1 is exact and dense. Above, column j is computed from item j and the
    ``inverse_neighbours`` items that occur with it most, relative to their counts: the sparse
    approximation of SANSA (Spišák et al., RecSys 2023) with a fixed pattern.
    """

    max_items: int = Field(
        30_000,
        ge=1,
        description="Maximum number of items with interactions; with more, the model is left out.",
    )
    exact_up_to: int = Field(
        EXACT_UP_TO,
        ge=0,
        description="Items with interactions up to which the inverse is exact and dense: memory"
        " grows with the square of their number (15,000: 0.9 GB) and time with its cube. With more"
        " items it is sparse.",
    )
    inverse_neighbours: int = Field(
        100, ge=1, description="Items beside its own that a column of the sparse inverse holds."
    )
    recency_decay: Decay = 1.0

    def inverse(self, data: TrainingData, warm: NDArray[np.int64], ridge: float) -> ItemMatrix:
        """Return (G + ridge I)^-1, dense or sparse (n, n) float32, of the n items ``warm``.

        Raises:
            NotApplicableError: more than ``max_items`` items, or a matrix that is singular in
                float32.
        """
        check_size(type(self).__name__, len(warm), self.max_items)
        behaviour = data.histories.choices()[:, warm]
        try:
            if len(warm) <= self.exact_up_to:
                return dense_inverse(behaviour, ridge)
            return sparse_inverse(behaviour, ridge, self.inverse_neighbours)
        except np.linalg.LinAlgError as error:
            raise NotApplicableError(
                f"{type(self).__name__} is left out: its equations are singular at ridge penalty"
                f" {ridge:g}."
            ) from error

    def profiles(self, data: TrainingData, users: NDArray[np.int64]) -> sp.csr_array:
        """Return (len(users), n_items) float32 histories, each item weighted by its recency."""
        histories = data.histories
        return histories.matrix(histories.recency_weights(self.recency_decay))[users]


def check_size(name: str, n_items: int, max_items: int) -> None:
    """Leave out a model that is too large.

    Raises:
        NotApplicableError: more than ``max_items`` items have interactions.
    """
    if n_items > max_items:
        raise NotApplicableError(
            f"{name} is left out: {n_items:,} items have interactions, more than its limit of"
            f" {max_items:,} (max_items)."
        )


def dense_inverse(behaviour: sp.csr_array, ridge: float) -> NDArray[np.float32]:
    """Return (X'X + ridge I)^-1 as a symmetric (n, n) float32 array, computed in place.

    Args:
        behaviour: X, (n_users, n) float32.
        ridge: above 0.

    Raises:
        LinAlgError: the matrix is singular in float32.
    """
    n_items = behaviour.shape[1]
    gram = np.empty((n_items, n_items), dtype=np.float32, order="F")
    columns, by_item = sp.csc_array(behaviour), sp.csr_array(behaviour.T)
    blocks = [slice(start, start + COLUMNS) for start in range(0, n_items, COLUMNS)]
    for block in blocks:
        gram[:, block] = (by_item @ columns[:, block]).toarray()
    gram[np.diag_indices(n_items)] += np.float32(ridge)
    # Cholesky factor and inverse in place: several times faster than scipy.linalg.inv, which
    # irspack's DenseSLIM uses.
    factor, failed = lapack.spotrf(gram, lower=True, overwrite_a=True)
    inverse, singular = lapack.spotri(factor, lower=True, overwrite_c=True)
    if failed or singular:
        raise np.linalg.LinAlgError
    for block in blocks:
        below = inverse[block.stop :, block]
        inverse[block, block.stop :] = below.T
        square = inverse[block, block]
        inverse[block, block] = np.tril(square) + np.tril(square, -1).T
    symmetric: NDArray[np.float32] = inverse.T
    return symmetric


def sparse_inverse(behaviour: sp.csr_array, ridge: float, neighbours: int) -> sp.csr_array:
    """Return an approximation of (X'X + ridge I)^-1, ``neighbours + 1`` entries a column.

    Column j solves the equations of item j and its neighbours alone, those with the largest entries
    of X'X + ridge I relative to its diagonal. It is exact where all items are neighbours.

    Args:
        behaviour: X, (n_users, n) float32 with ones.
        ridge: above 0.
        neighbours: items beside its own in each column.

    Raises:
        LinAlgError: the matrix is singular in float32.
    """
    n_items = behaviour.shape[1]
    near = keep_strongest(cooccurrence_graph(behaviour, ridge, neighbours), neighbours)
    columns = sp.csc_array(behaviour)
    rows, values = [], []
    for start in range(0, n_items, SYSTEMS):
        supports = [
            np.append(j, near.indices[near.indptr[j] : near.indptr[j + 1]])
            for j in range(start, min(start + SYSTEMS, n_items))
        ]
        size = max(map(len, supports))
        systems = np.tile(np.eye(size, dtype=np.float32) * ridge, (len(supports), 1, 1))
        for system, support in zip(systems, supports, strict=True):
            own = columns[:, support]
            system[: len(support), : len(support)] += (own.T @ own).toarray()
        unit = torch.zeros(len(supports), size, 1)
        unit[:, 0] = 1
        factors, failed = torch.linalg.cholesky_ex(torch.from_numpy(systems))
        if failed.any():
            raise np.linalg.LinAlgError
        solved = torch.cholesky_solve(unit, factors)[:, :, 0].numpy()
        rows += supports
        values += [x[: len(support)] for x, support in zip(solved, supports, strict=True)]
    indptr = np.cumsum([0, *map(len, rows)])
    by_column = (np.concatenate(values), np.concatenate(rows), indptr)
    return sp.csr_array(sp.csc_array(by_column, shape=(n_items, n_items)))


def scale_columns(matrix: ItemMatrix, factors: NDArray[np.float32]) -> ItemMatrix:
    """Return the matrix with each column multiplied by its factor; the matrix is overwritten."""
    if isinstance(matrix, np.ndarray):
        matrix *= factors
    else:
        matrix.data *= factors[matrix.indices]
    return matrix


def pack_matrix(name: str, matrix: ItemMatrix) -> Arrays:
    """Return a dense or sparse matrix as named arrays."""
    return {name: matrix} if isinstance(matrix, np.ndarray) else pack_sparse(name, matrix)


def unpack_matrix(name: str, arrays: Arrays) -> ItemMatrix:
    """Return the square matrix that ``pack_matrix`` packed."""
    return arrays[name] if name in arrays else unpack_sparse(name, arrays)


def dense_product(profile: sp.csr_array, matrix: ItemMatrix) -> NDArray[np.float32]:
    """Return the (n, k) float32 product of sparse profiles and a dense or sparse matrix."""
    product = profile @ matrix
    return product if isinstance(product, np.ndarray) else product.toarray()
