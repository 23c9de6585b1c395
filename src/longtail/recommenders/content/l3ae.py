"""L3AE: a linear autoencoder whose weights are pulled towards what the item texts say.

Moon, Park, Lee: LLM-Enhanced Linear Autoencoders for Recommendation, CIKM 2025. With the histories
X and a target C with a zero diagonal, the item-to-item weights B minimise

    ||X - X B||^2 + lambda_X ||B||^2 + lambda_E ||B - C||^2    with diag(B) = 0,

    B = I + lambda_E P C - P diag(g),  P = (X'X + (lambda_X + lambda_E) I)^-1,
    g = (1 + lambda_E diag(P C)) / diag(P).

B is never formed: scores are X B, computed as X P first, and C is of low rank or sparse. An item
without interactions has its column of lambda_E P C, so that it is scored by its text.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field, model_validator

from longtail.arrays import Arrays, pack_sparse, unpack_sparse
from longtail.recommenders.base import RECENT_DECAYS, Decay, TrainingData
from longtail.recommenders.linear_autoencoder import (
    ItemMatrix,
    LinearAutoencoder,
    dense_product,
    pack_matrix,
    unpack_matrix,
)


class TargetedAutoencoder(LinearAutoencoder):
    """A linear autoencoder with a ridge penalty towards a target in place of 0."""

    regularization: float = Field(
        0.0, ge=0, description="Ridge penalty towards 0, on the scale of item counts."
    )
    target_weight: float = Field(
        50.0, ge=0, description="Ridge penalty towards the target, on the scale of item counts."
    )
    recency_decay: Decay = 0.85

    @model_validator(mode="after")
    def _is_penalised(self) -> Self:
        if self.ridge == 0:
            raise ValueError("regularization and target_weight must not both be 0")
        return self

    @property
    def ridge(self) -> float:
        """Return lambda_X + lambda_E."""
        return self.regularization + self.target_weight

    @abstractmethod
    def target(self, data: TrainingData, warm: NDArray[np.int64]) -> Arrays:
        """Return C as named arrays, made of the items with interactions.

        Args:
            data: histories and item features.
            warm: (n,) indices of items with interactions; no other item predicts.
        """

    @abstractmethod
    def through_target(self, rows: NDArray[np.float32], arrays: Arrays) -> NDArray[np.float32]:
        """Return the (k, n_items) product of (k, n_items) rows and C."""

    @abstractmethod
    def target_diagonal(self, inverse: ItemMatrix, arrays: Arrays) -> NDArray[np.float32]:
        """Return (n,) diag(P C) of the items with interactions, given their (n, n) P."""

    def fit(self, data: TrainingData) -> Arrays:
        """Return warm (n,), inverse (n, n; P of these items), multiplier (n_items,; g) and C."""
        warm = np.flatnonzero(data.histories.item_counts())
        inverse = self.inverse(data, warm, self.ridge)
        arrays = {"warm": warm, **self.target(data, warm)}
        multiplier = np.full(data.histories.n_items, self.ridge, dtype=np.float32)
        pulled = 1 + self.target_weight * self.target_diagonal(inverse, arrays)
        multiplier[warm] = pulled / inverse.diagonal()
        return arrays | {"multiplier": multiplier, **pack_matrix("inverse", inverse)}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the recency-weighted sums of the weights from each user's items."""
        profile, warm = self.profiles(data, users), arrays["warm"]
        # P is diagonal for items without interactions.
        smoothed = profile.toarray() / np.float32(self.ridge)
        smoothed[:, warm] = dense_product(profile[:, warm], unpack_matrix("inverse", arrays))
        scores = self.through_target(smoothed, arrays)
        scores *= np.float32(self.target_weight)
        smoothed *= arrays["multiplier"]
        scores -= smoothed
        rows = np.repeat(np.arange(len(users)), np.diff(profile.indptr))
        scores[rows, profile.indices] += profile.data
        return scores


class L3AE(TargetedAutoencoder):
    """L3AE: the target is the prediction of each item's language vector from the other items'.

    C_ij = f_i' K f_j / (1 - f_j' K f_j) with the vectors f and K = (F'F + lambda_F I)^-1, which is
    EASE on the text; only items with interactions predict.
    """

    text_regularization: float = Field(
        1.0, gt=0, description="Ridge penalty in the prediction of the language vectors."
    )

    reads: ClassVar[tuple[str, ...]] = ("vectors",)
    evidence: ClassVar[str] = "the combination of items that you chose, and its description"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "regularization": [0.0, 50.0, 200.0, 1000.0],
        "target_weight": (5.0, 1000.0),
        "text_regularization": (0.1, 30.0),
        "recency_decay": [*RECENT_DECAYS, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {
            "regularization": regularization,
            "target_weight": target_weight,
            "text_regularization": text_regularization,
            "recency_decay": decay,
        }
        for regularization, target_weight, text_regularization, decay in [
            (0.0, 50.0, 1.0, 0.85),
            (200.0, 200.0, 1.0, 1.0),
            (0.0, 150.0, 10.0, 0.7),
        ]
    )

    def target(self, data: TrainingData, warm: NDArray[np.int64]) -> Arrays:
        """Return text_map (d, d; K), item_vectors (n_items, d; f) and mapped_vectors.

        The last are (n_items, d): K f, divided by 1 - f' K f for items with interactions. Others
        have no part in K, so they need no correction.
        """
        vectors = data.items.vectors
        known = vectors[warm].astype(np.float64)
        gram = known.T @ known + self.text_regularization * np.eye(vectors.shape[1])
        text_map = np.linalg.inv(gram).astype(np.float32)
        mapped = vectors @ text_map
        mapped[warm] /= 1 - _row_products(vectors[warm], mapped[warm])[:, None]
        return {"text_map": text_map, "item_vectors": vectors, "mapped_vectors": mapped}

    def through_target(self, rows: NDArray[np.float32], arrays: Arrays) -> NDArray[np.float32]:
        """Return the product of the rows and C: that with F K F', scaled, less its diagonal."""
        vectors, mapped = arrays["item_vectors"], arrays["mapped_vectors"]
        product: NDArray[np.float32] = (rows @ vectors) @ mapped.T
        product -= rows * _row_products(vectors, mapped)
        return product

    def target_diagonal(self, inverse: ItemMatrix, arrays: Arrays) -> NDArray[np.float32]:
        """Return (n,) diag(P C)."""
        warm = arrays["warm"]
        vectors, mapped = arrays["item_vectors"][warm], arrays["mapped_vectors"][warm]
        own = inverse.diagonal() * _row_products(vectors, mapped)
        return _row_products(inverse @ vectors, mapped) - own


class NeighbourL3AE(TargetedAutoencoder):
    """L3AE whose target is the graph of text neighbours.

    C are the cosines of the nearest items to the power of ``sharpness``, symmetric by the larger,
    with columns that sum to 1 over the items with interactions.
    """

    regularization: float = Field(
        50.0, ge=0, description="Ridge penalty towards 0, on the scale of item counts."
    )
    target_weight: float = Field(
        30.0, ge=0, description="Ridge penalty towards the target, on the scale of item counts."
    )
    sharpness: float = Field(3.0, gt=0, description="Exponent on the cosines.")
    recency_decay: Decay = 0.7

    reads: ClassVar[tuple[str, ...]] = ("text_neighbours",)
    evidence: ClassVar[str] = "the combination of items that you chose, and similar descriptions"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "regularization": [0.0, 50.0, 200.0, 1000.0],
        "target_weight": (5.0, 1000.0),
        "sharpness": [1.0, 3.0, 5.0],
        "recency_decay": [*RECENT_DECAYS, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {
            "regularization": regularization,
            "target_weight": target_weight,
            "sharpness": 3.0,
            "recency_decay": decay,
        }
        for regularization, target_weight, decay in [
            (50.0, 30.0, 0.7),
            (200.0, 200.0, 1.0),
            (0.0, 50.0, 0.85),
        ]
    )

    def target(self, data: TrainingData, warm: NDArray[np.int64]) -> Arrays:
        """Return target, sparse (n_items, n_items), and target_scale (n_items,) of its columns."""
        neighbours = data.items.text_neighbours
        graph = self._sharpened(neighbours, sp.csr_array(neighbours.T))
        scale = _one_over(np.asarray(graph[warm].sum(axis=0)))
        graph.data *= scale[graph.indices]
        return {**pack_sparse("target", graph), "target_scale": scale}

    def through_target(self, rows: NDArray[np.float32], arrays: Arrays) -> NDArray[np.float32]:
        """Return the product of the rows and C."""
        product = unpack_sparse("target", arrays).T @ rows.T
        return np.ascontiguousarray(product.T, dtype=np.float32)

    def target_diagonal(self, inverse: ItemMatrix, arrays: Arrays) -> NDArray[np.float32]:
        """Return (n,) diag(P C)."""
        warm = arrays["warm"]
        target = unpack_sparse("target", arrays)[warm][:, warm]
        return np.asarray(sp.csr_array(target.T).multiply(inverse).sum(axis=1), dtype=np.float32)

    def _sharpened(self, one: sp.csr_array, other: sp.csr_array) -> sp.csr_array:
        """Return the larger of two graphs entry by entry, to the power of the sharpness."""
        graph = sp.csr_array(one.maximum(other))
        graph.data **= np.float32(self.sharpness)
        return graph


def _row_products(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n,) the inner products of the rows of two (n, d) arrays."""
    products: NDArray[np.float32] = np.einsum("ij,ij->i", left, right)
    return products


def _one_over(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / sums, 1 where the sum is 0."""
    return (1 / np.where(sums > 0, sums, 1)).astype(np.float32)
