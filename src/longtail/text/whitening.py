"""Centring and whitening of language vectors.

Language vectors crowd a narrow cone: most pairs of items look alike. Removing the mean and evening
out the variances makes cosines tell items apart (WhitenRec, ICDE 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from longtail.arrays import Arrays

PREFIX = "whitening."


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to length 1; zero rows stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


@dataclass(frozen=True)
class Whitening:
    """A fitted whitening: centre, rotate to principal axes, divide by ``sigma**strength``.

    Attributes:
        mean: (d,) float64 mean of the unit vectors that it was fitted on.
        axes: (d, k) float64 leading principal axes.
        spread: (k,) float64 what each axis is divided by.
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
            dimensions: leading principal axes kept; fewer where fewer vectors allow.

        Raises:
            ValueError: there are fewer than two vectors.
        """
        if len(vectors) < 2:
            raise ValueError("Fewer than two items of the training period have a text.")
        mean = unit_length(vectors).astype(np.float64).mean(axis=0)
        centred = _centred(vectors, mean)
        variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
        leading = np.argsort(-variances)[: min(dimensions, len(centred))]
        leading = leading[variances[leading] > 1e-9 * variances.max()]
        # The sign of an eigenvector is arbitrary: fix it, so that vectors are the same everywhere.
        signs = np.sign(axes[np.abs(axes[:, leading]).argmax(axis=0), leading])
        return cls(mean, axes[:, leading] * signs, variances[leading] ** (strength / 2))

    def to_arrays(self) -> Arrays:
        """Return the whitening as named arrays."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        # Safetensors keep what lies in memory: it must lie row by row.
        return {f"{PREFIX}{name}": np.ascontiguousarray(part) for name, part in parts.items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Whitening:
        """Read what ``to_arrays`` returned."""
        return cls(*(arrays[f"{PREFIX}{part.name}"] for part in fields(cls)))

    def apply(self, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return (n, k) float32 whitened vectors of unit length, zeros where not ``known``."""
        projected = _centred(vectors, self.mean) @ self.axes / self.spread
        projected[~known] = 0
        return unit_length(projected.astype(np.float32))


def _centred(vectors: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = unit_length(vectors).astype(np.float64) - mean
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def whiten(
    vectors: NDArray[np.float32],
    known: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    strength: float = 0.5,
    dimensions: int = 256,
) -> NDArray[np.float32]:
    """Whiten vectors by those of the training period, see ``Whitening``.

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
    return Whitening.fit(vectors[known & reference], strength, dimensions).apply(vectors, known)
