"""Matrix factorisations: scoring, new items, and factors of users that were not fitted."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

from longtail.arrays import Arrays
from longtail.recommenders.base import Recommender, TrainingData

USERS_AT_ONCE = 64
# Ratio of the smallest to the largest entry from which a diagonal can be inverted.
SINGULAR = 1e-9
FactorDecay = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="Weight of an item relative to the next newer one when user factors are solved;"
        " 1: all count alike.",
    ),
]


class FactorModel(Recommender):
    """A recommender whose scores are inner products of user and item factors."""

    evidence: ClassVar[str] = "what customers with similar taste chose"
    user_arrays: ClassVar[tuple[str, ...]] = ("user_factors",)

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the inner products of user and item factors."""
        return arrays["user_factors"][users] @ arrays["item_factors"].T


def gram_of(item_factors: NDArray[np.float32]) -> Arrays:
    """Return Y'Y by its eigenvectors: gram_values (factors,) and gram_axes (factors, factors).

    Both float64; the eigenvectors are columns.
    """
    factors = item_factors.astype(np.float64)
    values, axes = np.linalg.eigh(factors.T @ factors)
    return {"gram_values": values, "gram_axes": axes}


def solve_user_factors(
    arrays: Arrays,
    confidence: sp.csr_array,
    response: sp.csr_array,
    penalty: NDArray[np.float64],
    all_pairs: float = 1.0,
) -> NDArray[np.float32]:
    """Return the least-squares factors of users for given item factors.

    Each x_u solves ``(w0 Y'Y + sum_i c_ui y_i y_i' + l_u I) x_u = sum_i b_ui y_i``, the user
    half-step of Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets, ICDM
    2008. It is solved along the eigenvectors of Y'Y, where w0 Y'Y + l_u I is diagonal.

    Args:
        arrays: item_factors, Y (n_items, factors), and what ``gram_of`` returns.
        confidence: c, (n_users, n_items): weight of an interaction above the weight of all pairs.
        response: b, (n_users, n_items), with the sparsity pattern of ``confidence``.
        penalty: l, (n_users,) ridge penalties.
        all_pairs: w0, the weight of every pair.

    Returns:
        (n_users, factors) float32; zeros for a user without interactions.
    """
    axes, diagonal = arrays["gram_axes"], all_pairs * arrays["gram_values"]
    # Histories of a block are padded to the longest, so users are sorted by history length.
    order = np.argsort(np.diff(confidence.indptr), kind="stable")
    solved = np.empty((len(order), len(axes)), dtype=np.float32)
    # One thread solves such small systems faster than several.
    with threadpool_limits(1, "blas"):
        chosen, items = np.unique(confidence.indices, return_inverse=True)
        own_factors = arrays["item_factors"][chosen] @ axes
        shape = (len(order), len(chosen))
        confidence, response = (
            sp.csr_array((matrix.data, items, matrix.indptr), shape=shape)
            for matrix in (confidence, response)
        )
        for rows in np.array_split(order, -(-len(order) // USERS_AT_ONCE)):
            of_users = diagonal + penalty[rows, None]
            found = _solve(own_factors, of_users, confidence[rows], response[rows])
            solved[rows] = found @ axes.T
    return solved


def _solve(
    factors: NDArray[np.float64],
    diagonal: NDArray[np.float64],
    confidence: sp.csr_array,
    response: sp.csr_array,
) -> NDArray[np.float64]:
    """Solve the systems of a block of users along the eigenvectors.

    Args:
        factors: (n_items, factors) item factors along the eigenvectors.
        diagonal: (n_users, factors) diagonal of w0 Y'Y + l_u I.
        confidence: c of these users.
        response: b of these users.
    """
    lengths = np.diff(confidence.indptr)
    longest, n_factors = int(lengths.max(initial=0)), factors.shape[1]
    # Histories are padded to the longest with zeros.
    filled = np.arange(longest) < lengths[:, None]
    own = np.zeros((*filled.shape, n_factors))
    own[filled] = factors[confidence.indices]
    weights, targets = np.zeros(filled.shape), np.zeros(filled.shape)
    weights[filled], targets[filled] = confidence.data, response.data
    across = np.swapaxes(own, 1, 2)
    if longest < n_factors and diagonal.min(initial=1) > SINGULAR * diagonal.max(initial=0):
        # A system as large as the history: with M = Y_u D^-1 Y_u', where D is the diagonal,
        # (D + Y_u' C Y_u)^-1 Y_u' b = D^-1 Y_u' (I + C M)^-1 b.
        scaled = across / diagonal[:, :, None]
        systems = np.eye(longest) + weights[:, :, None] * (own @ scaled)
        return (scaled @ np.linalg.solve(systems, targets[:, :, None]))[:, :, 0]
    systems = across @ (own * weights[:, :, None])
    places = np.arange(n_factors)
    systems[:, places, places] += diagonal
    return np.linalg.solve(systems, across @ targets[:, :, None])[:, :, 0]
