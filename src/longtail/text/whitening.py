"""Centring and whitening of language vectors.

Language vectors lie in a narrow cone, so most pairs of items look similar. Removing the mean and
equalising the variances makes cosines more discriminative (WhitenRec, ICDE 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays

PREFIX = "whitening."
SMALLEST_DIFFERENCE = 1e-6
"""Distance from the mean, of unit vectors in float32, below which it is rounding."""


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to length 1; zero rows stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


@dataclass(frozen=True)
class Whitening:
    """A fitted whitening: centre, project on principal axes, divide by ``sigma**strength``.

    The PCA of scikit-learn has no partial strength and does not normalise before and after.

    Attributes:
        mean: (d,) float64 mean of the fitted unit vectors.
        axes: (d, k) float64 leading principal axes.
        spread: (k,) float64 divisor of each axis.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], strength: float, dimensions: int) -> Whitening:
        """Fit a whitening.

        Args:
            vectors: (n, d) float32.
            strength: 0 keeps the variances, 1 makes all equal.
            dimensions: number of leading axes; fewer if there are fewer vectors.

        Returns:
            The whitening; where the vectors do not differ, one that makes every vector zero.
        """
        if len(vectors) < 2:
            return cls._nothing(vectors.shape[1])
        mean = unit_length(vectors).astype(np.float64).mean(axis=0)
        centred = _centred(vectors, mean)
        if not centred.any():
            return cls._nothing(vectors.shape[1])
        variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
        leading = np.argsort(-variances)[: min(dimensions, len(centred))]
        leading = leading[variances[leading] > 1e-9 * variances.max()]
        # The sign of an eigenvector is arbitrary; fixed, so that results do not depend on LAPACK.
        signs = np.sign(axes[np.abs(axes[:, leading]).argmax(axis=0), leading])
        return cls(mean, axes[:, leading] * signs, variances[leading] ** (strength / 2))

    @classmethod
    def _nothing(cls, width: int) -> Whitening:
        return cls(np.zeros(width), np.zeros((width, 1)), np.ones(1))

    def to_arrays(self) -> Arrays:
        """Return the whitening as named arrays."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        # Safetensors require C-contiguous arrays.
        return {f"{PREFIX}{name}": np.ascontiguousarray(part) for name, part in parts.items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Whitening:
        """Return the whitening that ``to_arrays`` wrote."""
        return cls(*(arrays[f"{PREFIX}{part.name}"] for part in fields(cls)))

    def apply(self, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return (n, k) float32 whitened vectors of unit length, zeros where not ``known``."""
        projected = _centred(vectors, self.mean) @ self.axes / self.spread
        projected[~known] = 0
        return unit_length(projected.astype(np.float32))


def _centred(vectors: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = unit_length(vectors).astype(np.float64) - mean
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    # A vector at the mean differs from it by rounding only, which must not become a direction.
    known = norms > SMALLEST_DIFFERENCE
    unit: NDArray[np.float64] = np.where(known, centred, 0) / np.where(known, norms, 1)
    return unit


def whiten(
    vectors: NDArray[np.float32],
    known: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    strength: float = 0.5,
    dimensions: int = 256,
) -> NDArray[np.float32]:
    """Whiten vectors with a ``Whitening`` fitted on items of the training period.

    Args:
        vectors: (n_items, d) float32.
        known: (n_items,) whether an item has a text; the others become zero vectors.
        reference: (n_items,) items of the training period, which the whitening is fitted on.
        strength: 0 keeps the variances, 1 makes all equal.
        dimensions: number of leading axes; fewer if there are fewer items.

    Returns:
        (n_items, at most ``dimensions``) float32 of unit length.
    """
    return Whitening.fit(vectors[known & reference], strength, dimensions).apply(vectors, known)
