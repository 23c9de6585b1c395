"""EASE^R: a linear autoencoder in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.linalg import lapack

from longtail.arrays import Arrays
from longtail.errors import NotApplicableError
from longtail.recommenders.base import RECENT_DECAYS, Decay, Recommender, TrainingData, with_decays


class EASE(Recommender):
    """Predict each item from the other items of the user by ridge regression.

    Steck: Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019. The weights are a dense
    matrix over the items with interactions; memory grows with the square of their number and time
    with its cube (10,000 items: 0.4 GB, about 25 seconds on two cores), which ``max_items`` bounds.
    Items without interactions score 0.
    """

    regularization: float = Field(
        200.0, gt=0, description="Ridge penalty, on the scale of item counts."
    )
    max_items: int = Field(
        8_000,
        ge=1,
        description="Maximum number of items with interactions; with more, the model is left out.",
    )
    recency_decay: Decay = 1.0

    evidence: ClassVar[str] = "the combination of items that you chose"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "regularization": (1.0, 10_000.0)
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"regularization": regularization} for regularization in (200.0, 50.0, 1000.0)
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return warm (n,), the indices of items with interactions, and weights (n, n) float32.

        Raises:
            NotApplicableError: more than ``max_items`` items have interactions.
        """
        warm = np.flatnonzero(data.histories.item_counts())
        if len(warm) > self.max_items:
            raise NotApplicableError(
                f"EASE is left out: {len(warm):,} items have interactions, more than its limit of"
                f" {self.max_items:,} (max_items)."
            )
        behaviour = data.histories.matrix(np.ones(len(data.histories.items), np.float32))[:, warm]
        gram = (behaviour.T @ behaviour).toarray(order="F")
        return {"warm": warm, "weights": item_weights(gram, self.regularization)}

    def score(
        self, arrays: Arrays, data: TrainingData, users: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the recency-weighted sums of the weights from each user's items."""
        histories = data.histories
        profile = histories.matrix(histories.recency_weights(self.recency_decay))[users]
        scores = np.zeros((len(users), histories.n_items), dtype=np.float32)
        scores[:, arrays["warm"]] = profile[:, arrays["warm"]] @ arrays["weights"]
        return scores

    def add_items(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Score the new items 0, as the fit does for items without interactions."""
        return arrays


class RecentEASE(EASE):
    """EASE on recency-weighted histories."""

    recency_decay: Decay = 0.7

    evidence: ClassVar[str] = "the combination of items that you chose recently"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **EASE.search_space,
        "recency_decay": RECENT_DECAYS,
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = with_decays(EASE.starting_points)


def item_weights(gram: NDArray[np.float32], regularization: float) -> NDArray[np.float32]:
    """Return B = I - P / diag(P) with P = (G + lambda I)^-1, so that diag(B) = 0.

    Args:
        gram: (n, n) float32 co-occurrence counts in Fortran order; overwritten.
        regularization: lambda.

    Returns:
        (n, n) float32; column j holds the weights that predict item j.
    """
    diagonal = np.arange(len(gram))
    gram[diagonal, diagonal] += regularization
    # Cholesky factor and inverse in place: several times faster than scipy.linalg.inv, which
    # irspack's DenseSLIM uses.
    factor, failed = lapack.spotrf(gram, lower=True, overwrite_a=True)
    inverse, singular = lapack.spotri(factor, lower=True, overwrite_c=True)
    if failed or singular:
        raise NotApplicableError(
            f"EASE is left out: its equations are singular at regularization {regularization:g}."
        )
    lower = np.tril(inverse)
    weights = np.ascontiguousarray(lower + np.tril(lower, -1).T)
    weights /= -lower[diagonal, diagonal]
    weights[diagonal, diagonal] = 0.0
    return weights
