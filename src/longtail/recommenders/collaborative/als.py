"""Implicit-feedback matrix factorisation by alternating least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from pydantic import Field
from threadpoolctl import threadpool_limits

from longtail.arrays import Arrays
from longtail.recommenders.base import RECENT_DECAYS, TrainingData, with_decays
from longtail.recommenders.collaborative.factors import (
    FactorDecay,
    FactorModel,
    gram_of,
    solve_user_factors,
)


class ALS(FactorModel):
    """Weighted matrix factorisation of the `implicit` library.

    Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008. An
    interaction of weight w has confidence alpha * w, every other pair confidence 1.
    """

    factors: int = Field(128, ge=1, description="Number of factors.")
    regularization: float = Field(10.0, ge=0, description="L2 penalty on the factors.")
    alpha: float = Field(10.0, gt=0, description="Confidence of an interaction of weight 1.")
    iterations: int = Field(15, ge=1, description="Alternating sweeps over users and items.")
    recency_decay: FactorDecay = 1.0

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "factors": [64, 128, 256, 384],
        "regularization": (0.01, 100.0),
        "alpha": (1.0, 100.0),
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"factors": factors, "regularization": regularization, "alpha": alpha}
        for factors, regularization, alpha in [
            (128, 10.0, 10.0),
            (256, 30.0, 40.0),
            (384, 30.0, 10.0),
            (128, 3.0, 10.0),
            (128, 10.0, 40.0),
            (128, 10.0, 1.0),
            (128, 1.0, 1.0),
            (128, 1.0, 40.0),
            (128, 0.1, 10.0),
            (128, 0.01, 1.0),
        ]
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return user_factors, item_factors (one row each) and what ``gram_of`` returns."""
        # implicit runs its own threads, with which BLAS threads would compete.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=data.seed,
            )
            model.fit(sp.csr_matrix(data.histories.matrix()), show_progress=False)
        arrays = {
            "user_factors": model.user_factors,
            "item_factors": model.item_factors,
            **gram_of(model.item_factors),
        }
        return arrays if self.recency_decay == 1 else self.fold_in(arrays, data)

    def fold_in(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Solve for the factors of the users of the data, with the fitted item factors."""
        histories = data.histories
        recency = histories.recency_weights(self.recency_decay)
        confidence = histories.matrix((self.alpha * histories.weights - 1) * recency)
        response = histories.matrix(self.alpha * histories.weights * recency)
        penalty = np.full(data.histories.n_users, self.regularization)
        users = solve_user_factors(arrays, confidence, response, penalty)
        return arrays | {"user_factors": users}


class RecentALS(ALS):
    """ALS whose user factors are solved from recency-weighted histories."""

    recency_decay: FactorDecay = 0.7

    evidence: ClassVar[str] = "what customers with similar recent taste chose"
    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        **ALS.search_space,
        "recency_decay": RECENT_DECAYS,
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = with_decays(ALS.starting_points)
