"""iALS: matrix factorisation with frequency-scaled regularisation.

Rendle, Krichene, Zhang, Koren: Revisiting the Performance of iALS on Item Recommendation
Benchmarks, RecSys 2022; fitted by the `irspack` library.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from irspack import IALSRecommender
from pydantic import Field

from longtail.arrays import Arrays
from longtail.recommenders.base import TrainingData
from longtail.recommenders.collaborative.factors import (
    FactorDecay,
    FactorModel,
    gram_of,
    solve_user_factors,
)


class IALS(FactorModel):
    """Weighted matrix factorisation whose L2 penalty grows with the number of interactions."""

    factors: int = Field(128, ge=1, description="Number of factors.")
    regularization: float = Field(
        0.003,
        gt=0,
        description="L2 penalty on the factors, scaled by the frequency of user or item.",
    )
    unobserved_weight: float = Field(0.1, gt=0, description="Weight of pairs without interaction.")
    epochs: int = Field(12, ge=1, description="Alternating sweeps over users and items.")
    recency_decay: FactorDecay = 1.0

    search_space: ClassVar[Mapping[str, list[Any] | tuple[float, float]]] = {
        "factors": [64, 128, 256, 384],
        "regularization": (0.0003, 0.03),
        "unobserved_weight": (0.01, 1.0),
    }
    starting_points: ClassVar[tuple[Mapping[str, Any], ...]] = tuple(
        {"factors": factors, "regularization": regularization, "unobserved_weight": weight}
        for factors, regularization, weight in [
            (128, 0.003, 0.1),
            (384, 0.01, 0.03),
            (384, 0.003, 0.03),
            (128, 0.01, 0.3),
        ]
    )

    def fit(self, data: TrainingData) -> Arrays:
        """Return user_factors, item_factors (one row each) and what ``gram_of`` returns."""
        return self._factorise(data, {})

    def fold_in(self, arrays: Arrays, data: TrainingData) -> Arrays:
        """Solve for the factors of the users of the data, with the fitted item factors."""
        histories, weight = data.histories, self.unobserved_weight
        recency = histories.recency_weights(self.recency_decay)
        behaviour = histories.matrix(histories.weights * recency)
        frequency = np.bincount(histories.users, recency, histories.n_users)
        n_warm = np.count_nonzero(histories.item_counts())
        penalty = self.regularization * (weight * n_warm + frequency)
        users = solve_user_factors(arrays, behaviour, behaviour, penalty, all_pairs=weight)
        return arrays | {"user_factors": users}

    def _factorise(self, data: TrainingData, features: dict[str, Any]) -> Arrays:
        """Fit on items with interactions, since a later item must not count as a negative."""
        warm = np.flatnonzero(data.histories.item_counts())
        model = IALSRecommender(
            sp.csr_matrix(data.histories.matrix()[:, warm]),
            n_components=self.factors,
            reg=self.regularization,
            alpha0=self.unobserved_weight,
            train_epochs=self.epochs,
            random_seed=data.seed,
            n_threads=1,  # with more, the order of float sums varies
            **features,
        )
        # irspack prints a progress bar to the standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            model.learn()
        item_factors = np.zeros((data.histories.n_items, self.factors), dtype=np.float32)
        item_factors[warm] = model.get_item_embedding()
        arrays = {
            "user_factors": np.ascontiguousarray(model.get_user_embedding(), dtype=np.float32),
            "item_factors": item_factors,
            # Of the items that were fitted.
            **gram_of(item_factors[warm]),
        }
        return arrays if self.recency_decay == 1 else self.fold_in(arrays, data)
