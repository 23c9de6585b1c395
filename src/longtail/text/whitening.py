"""Centring and whitening of language vectors.

Language vectors crowd a narrow cone: most pairs of items look alike. Removing the mean and evening
out the variances makes cosines tell items apart (WhitenRec, ICDE 2024).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to length 1; zero rows stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def whiten(
    vectors: NDArray[np.float32],
    known: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    strength: float = 0.5,
    dimensions: int = 256,
) -> NDArray[np.float32]:
    """Centre, rotate to principal axes, divide by ``sigma**strength`` and scale to unit length.

    Args:
        vectors: (n_items, d) float32.
        known: (n_items,) whether an item has a text at all; the others become zero vectors.
        reference: (n_items,) items that mean, axes and variances are computed from: those of the
            training period, so that nothing is learned from items of the future.
        strength: 0 keeps the variances, 1 makes all equal.
        dimensions: leading principal axes kept; fewer where fewer items allow.

    Returns:
        (n_items, at most ``dimensions``) float32 of unit length.

    Raises:
        ValueError: fewer than two reference items have a text.
    """
    fitted = known & reference
    if fitted.sum() < 2:
        raise ValueError("Fewer than two items of the training period have a text.")
    normalised = unit_length(vectors).astype(np.float64)
    centred = normalised - normalised[fitted].mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    covariance = centred[fitted].T @ centred[fitted] / fitted.sum()
    variances, axes = np.linalg.eigh(covariance)
    leading = np.argsort(-variances)[: min(dimensions, int(fitted.sum()))]
    leading = leading[variances[leading] > 1e-9 * variances.max()]
    # The sign of an eigenvector is arbitrary: fix it, so that the vectors are the same everywhere.
    signs = np.sign(axes[np.abs(axes[:, leading]).argmax(axis=0), leading])
    projected = centred @ (axes[:, leading] * signs) / variances[leading] ** (strength / 2)
    projected[~known] = 0
    return unit_length(projected.astype(np.float32))
