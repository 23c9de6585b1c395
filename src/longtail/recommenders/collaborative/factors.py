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


def gram_of(item_factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (factors, factors) Y'Y, computed in float64."""
    factors = item_factors.astype(np.float64)
    return (factors.T @ factors).astype(np.float32)


def solve_user_factors(
    item_factors: NDArray[np.float32],
    gram: NDArray[np.float32],
    confidence: sp.csr_array,
    response: sp.csr_array,
    penalty: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return the least-squares factors of users for given item factors.

    Each x_u solves ``(w0 Y'Y + sum_i c_ui y_i y_i' + l_u I) x_u = sum_i b_ui y_i``, the user
    half-step of Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets, ICDM
    2008.

    Args:
        item_factors: Y, (n_items, factors).
        gram: w0 Y'Y, (factors, factors), where w0 is the weight of every pair.
        confidence: c, (n_users, n_items): weight of an interaction above the weight of all pairs.
        response: b, (n_users, n_items), with the sparsity pattern of ``confidence``.
        penalty: l, (n_users,) ridge penalties.

    Returns:
        (n_users, factors) float32; zeros for a user without interactions.
    """
    identity = np.eye(item_factors.shape[1])
    # Histories of a block are padded to the longest, so users are sorted by history length.
    order = np.argsort(np.diff(confidence.indptr), kind="stable")
    # One thread solves such small systems faster than several.
    with threadpool_limits(1, "blas"):
        blocks = [
            _solve(
                item_factors,
                gram + identity * penalty[rows, None, None],
                confidence[rows],
                response[rows],
            )
            for rows in np.array_split(order, -(-len(order) // USERS_AT_ONCE))
        ]
    solved = np.empty((len(order), item_factors.shape[1]), dtype=np.float32)
    solved[order] = np.concatenate(blocks)
    return solved


def _solve(
    factors: NDArray[np.float32],
    systems: NDArray[np.float64],
    confidence: sp.csr_array,
    response: sp.csr_array,
) -> NDArray[np.float64]:
    """Solve the systems of a block of users, with histories padded to the longest."""
    lengths = np.diff(confidence.indptr)
    filled = np.arange(lengths.max(initial=0)) < lengths[:, None]
    own = np.zeros((*filled.shape, factors.shape[1]))
    own[filled] = factors[confidence.indices]
    weights, targets = np.zeros(filled.shape), np.zeros(filled.shape)
    weights[filled], targets[filled] = confidence.data, response.data
    systems = systems + np.swapaxes(own, 1, 2) @ (own * weights[:, :, None])
    return np.linalg.solve(systems, np.swapaxes(own, 1, 2) @ targets[:, :, None])[:, :, 0]
