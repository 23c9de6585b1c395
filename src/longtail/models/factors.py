"""Factors of users that a factorisation was not fitted on."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

BLOCK = 64


def gram_of(item_factors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (factors, factors) Y'Y, which is the same for every user."""
    factors = item_factors.astype(np.float64)
    return (factors.T @ factors).astype(np.float32)


def solve_user_factors(
    item_factors: NDArray[np.float32],
    gram: NDArray[np.float32],
    confidence: sp.csr_array,
    response: sp.csr_array,
    penalty: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return the least-squares factors of users, the item factors being given.

    ``(w0 Y'Y + sum_i c_ui y_i y_i' + l_u I) x_u = sum_i b_ui y_i``: the half-step of a user in
    Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.

    Args:
        item_factors: Y, (n_items, factors).
        gram: w0 Y'Y, (factors, factors), where w0 is the weight of every pair.
        confidence: c, (n_users, n_items): what an interaction weighs beyond every other pair.
        response: b, (n_users, n_items), with the sparsity of ``confidence``.
        penalty: l, (n_users,) ridge penalties.

    Returns:
        (n_users, factors) float32; zeros for a user without interactions.
    """
    identity = np.eye(item_factors.shape[1])
    # Histories of a block are padded to the longest: those of like length go together.
    order = np.argsort(np.diff(confidence.indptr), kind="stable")
    # Systems this small are solved faster by one thread than by several that wait for each other.
    with threadpool_limits(1, "blas"):
        blocks = [
            _solve(
                item_factors,
                gram + identity * penalty[rows, None, None],
                confidence[rows],
                response[rows],
            )
            for rows in np.array_split(order, -(-len(order) // BLOCK))
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
    """Solve the equations of a block of users, their histories padded to the longest."""
    lengths = np.diff(confidence.indptr)
    filled = np.arange(lengths.max(initial=0)) < lengths[:, None]
    own = np.zeros((*filled.shape, factors.shape[1]))
    own[filled] = factors[confidence.indices]
    weights, targets = np.zeros(filled.shape), np.zeros(filled.shape)
    weights[filled], targets[filled] = confidence.data, response.data
    systems = systems + np.swapaxes(own, 1, 2) @ (own * weights[:, :, None])
    return np.linalg.solve(systems, np.swapaxes(own, 1, 2) @ targets[:, :, None])[:, :, 0]
