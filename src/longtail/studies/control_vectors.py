"""Control vectors, which keep the geometry of language vectors but not their content.

If the hybrid is as good with them, the language model contributes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from longtail.text.whitening import unit_length

Vectors = NDArray[np.float32]


def item_with_the_text(vectors: Vectors, seed: int) -> NDArray[np.int64]:
    """Return for each item the other item whose text it gets; itself if it has no text.

    Args:
        vectors: (n_items, d) float32, zeros for an item without a text.
        seed: seed of the permutation.

    Returns:
        (n_items,) a permutation of the items.
    """
    giver = np.arange(len(vectors))
    # A cycle in random order: no item keeps its own text.
    order = np.random.default_rng(seed).permutation(np.flatnonzero(vectors.any(axis=1)))
    giver[order] = np.roll(order, 1)
    return giver


def random_vectors_of_same_spectrum(vectors: Vectors, seed: int) -> Vectors:
    """Draw normal vectors with the mean and the covariance of the given ones.

    They have the same anisotropy and number of axes, but random neighbours. Zero vectors stay zero.

    Args:
        vectors: (n_items, d) float32 of unit length, zeros for an item without a text.
        seed: seed of the draw.

    Returns:
        (n_items, d) float32 of unit length.
    """
    known = vectors.any(axis=1)
    mean = vectors[known].mean(axis=0)
    _, spread, axes = np.linalg.svd(vectors[known] - mean, full_matrices=False)
    normal = np.random.default_rng(seed).standard_normal((int(known.sum()), len(spread)))
    result = np.zeros_like(vectors)
    result[known] = mean + (normal * spread / np.sqrt(known.sum())) @ axes
    return unit_length(result)
