"""EASE^R and RLAE: linear autoencoders in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from longtail.arrays import Arrays
from longtail.recommenders.base import RECENT_DECAYS, Decay, TrainingData, with_decays
from longtail.recommenders.linear_autoencoder import (
    ItemMatrix,
    LinearAutoencoder,
    dense_product,
    pack_matrix,
    scale_columns,
    unpack_matrix,
)


class EASE(LinearAutoencoder):
    """Predict each item from the other items of the user by ridge regression.

    Steck: Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. Items without interactions
    score 0. The weights of items are exact and dense up to ``exact_up_to`` of them and sparse above
    (10,000 dense: 0.4 GB, about 25 seconds on two cores).
    """

    regularization: float = Field(
        200.0, gt=0, description="Ridge penalty, on the scale of item counts."
    )

    evidence: ClassVar[str] = "the combination of items that you chose"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "regularization": (1.0, 10_000.0)
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"regularization": regularization} for regularization in (200.0, 50.0, 1000.0)
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return warm (n,), the indices of items with interactions, and weights (n, n) float32.

        Column j of the weights predicts item j. They are dense or, as three arrays, sparse.

        Raises:
            NotApplicableError: too many items have interactions, or the equations are singular.
        """
        warm = np.flatnonzero(data.histories.item_counts())
        inverse = self.inverse(data, warm, self.regularization)
        return {"warm": warm, **pack_matrix("weights", self._weights(inverse))}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the recency-weighted sums of the weights from each user's items."""
        scores = np.zeros((len(users), data.histories.n_items), dtype=np.float32)
        profile = self.profiles(data, users)[:, arrays["warm"]]
        scores[:, arrays["warm"]] = dense_product(profile, unpack_matrix("weights", arrays))
        return scores

    def _weights(self, inverse: ItemMatrix) -> ItemMatrix:
        """Return B = I - P / diag(P), whose diagonal is 0; P is overwritten."""
        weights = scale_columns(inverse, (-1 / inverse.diagonal()).astype(np.float32))
        return _with_diagonal(weights, np.zeros(weights.shape[0], np.float32))


class RecentEASE(EASE):
    """EASE on recency-weighted histories."""

    recency_decay: Decay = 0.7

    evidence: ClassVar[str] = "the combination of items that you chose recently"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **EASE.search_space,
        "recency_decay": RECENT_DECAYS,
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = with_decays(EASE.starting_points)


class RLAE(EASE):
    """EASE whose diagonal is bounded instead of zero, on recency-weighted histories.

    Moon, Kim, Lee: It's Enough: Relaxing Diagonal Constraints in Linear Autoencoders for
    Recommendation, SIGIR 2023. A zero diagonal costs rare items most of their weights, since they
    are predicted by few others; the bound leaves them the weights of plain ridge regression.
    """

    regularization: float = Field(
        50.0, gt=0, description="Ridge penalty, on the scale of item counts."
    )
    diagonal: float = Field(
        0.3, ge=0, lt=1, description="Upper bound of the diagonal of the weights; 0 is EASE."
    )
    recency_decay: Decay = 0.85

    evidence: ClassVar[str] = "the combination of items that you chose, rare ones among them"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "regularization": (1.0, 10_000.0),
        "diagonal": [0.1, 0.3, 0.5, 0.7, 0.9],
        "recency_decay": [*RECENT_DECAYS, 1.0],
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"regularization": 50.0, "diagonal": 0.3, "recency_decay": 0.85},
        {"regularization": 200.0, "diagonal": 0.3, "recency_decay": 1.0},
        {"regularization": 20.0, "diagonal": 0.5, "recency_decay": 0.7},
    )

    def _weights(self, inverse: ItemMatrix) -> ItemMatrix:
        """Return B = I - P diag(b), whose diagonal is at most ``diagonal``; P is overwritten.

        b_j = (1 - xi) / P_jj where the diagonal of ridge regression, 1 - lambda P_jj, exceeds the
        bound xi, else lambda.
        """
        own = inverse.diagonal()
        free = 1 - self.regularization * own
        scale = np.where(free > self.diagonal, (1 - self.diagonal) / own, self.regularization)
        weights = scale_columns(inverse, -scale.astype(np.float32))
        return _with_diagonal(weights, np.minimum(free, self.diagonal).astype(np.float32))


def _with_diagonal(weights: ItemMatrix, diagonal: NDArray[np.float32]) -> ItemMatrix:
    """Return the weights with another diagonal; dense ones are overwritten."""
    if isinstance(weights, np.ndarray):
        np.fill_diagonal(weights, diagonal)
    else:
        weights.setdiag(diagonal)
    return weights
